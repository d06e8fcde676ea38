//! A connection that is not understood any more is forwarded all the same.

use std::net::SocketAddr;

use racy::engine::ServerPlace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::proxy::both_ways;
use crate::support::postgres_wire::{
    Message, RawClient, V3_0, error, kinds, message, query, startup, values,
};
use crate::support::proxied::{Proxied, proxy_before, server_that_returns_all_after};
use crate::support::{Lab, TestEngine};

on_engines!(
    postgres:
        the_stream_of_a_replication_is_forwarded,
        a_message_that_nobody_knows_is_answered_as_it_is_directly,
        what_follows_a_broken_answer_is_forwarded_in_both_directions;
);

async fn the_stream_of_a_replication_is_forwarded(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = RawClient::connect(proxied.proxy.address()).await;
    let named = [("user", "postgres"), ("replication", "true")];
    client.send(&startup(V3_0, &named)).await;
    client.begin().await;
    let now = proxied.lab.database.rows(WRITTEN, &[]).await.unwrap();
    let now = now[0].text(0).unwrap();
    let start = format!("START_REPLICATION PHYSICAL {now}");
    client.send(&query(&start)).await;
    assert_eq!(kinds(&client.until_kind(b'W').await), "W");
    assert_eq!(proxied.proxy.remarks().len(), 1);
    // What happens only now comes as well.
    proxied
        .lab
        .run_in_database("CREATE TABLE made_now (id INT)")
        .await;
    let now = proxied.lab.database.rows(WRITTEN, &[]).await.unwrap();
    let made = place(&now[0].text(0).unwrap());
    loop {
        let (_, data) = client.message().await.unwrap();
        if let [b'w', rest @ ..] = &data[..] {
            let begin = u64::from_be_bytes(rest[..8].try_into().unwrap());
            // The beginning of the data, their end on the server, and the time are before them.
            let length = u64::try_from(rest.len() - 24).unwrap();
            if begin + length >= made {
                break;
            }
        }
    }
}

const WRITTEN: &str = "SELECT CAST(pg_current_wal_flush_lsn() AS TEXT)";

/// A place in the log of changes, such as `0/16B3748`.
fn place(text: &str) -> u64 {
    let (high, low) = text.split_once('/').unwrap();
    let number = |it| u64::from_str_radix(it, 16).unwrap();
    number(high) << 32 | number(low)
}

async fn a_message_that_nobody_knows_is_answered_as_it_is_directly(engine: TestEngine) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| unknown(&lab, at)).await;
    assert_eq!(kinds(&direct), "TDCZE");
    assert_eq!(values(&direct), ["1"]);
    assert_eq!(error(direct.last().unwrap()).0, "08P01");
    assert_eq!(direct, through);
}

/// What the server says to a message of an unknown kind, and before it.
async fn unknown(lab: &Lab, at: SocketAddr) -> Vec<Message> {
    let mut client = RawClient::log_in(at, lab.name()).await;
    let sent = [query("SELECT 1"), message(b'y', b"what is this")];
    client.send(&sent.concat()).await;
    client.rest().await
}

/// A server that answers the first query with what no server says, and then returns what it gets.
async fn broken_server() -> ServerPlace {
    server_that_returns_all_after(|mut stream| async {
        let length = stream.read_u32().await.unwrap();
        read(&mut stream, length).await;
        let is_in = [
            message(b'R', b"\0\0\0\0"),
            message(b'K', b"\0\0\0\x01\0\0\0\x02"),
            message(b'Z', b"I"),
        ];
        stream.write_all(&is_in.concat()).await.unwrap();
        stream.read_u8().await.unwrap();
        let length = stream.read_u32().await.unwrap();
        read(&mut stream, length).await;
        // Nothing was closed.
        stream.write_all(&message(b'3', b"")).await.unwrap();
        stream
    })
    .await
}

/// Reads what follows a length, which counts itself.
async fn read(stream: &mut TcpStream, length: u32) {
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut body).await.unwrap();
}

async fn what_follows_a_broken_answer_is_forwarded_in_both_directions(engine: TestEngine) {
    let proxy = proxy_before(engine, broken_server().await).await;
    let mut client = RawClient::log_in(proxy.address(), "shop").await;
    client.send(&query("SELECT 1")).await;
    assert_eq!(client.message().await, Some((b'3', Vec::new())));
    // This is no message, and comes back as it is.
    client.send(b"\xff\xff\xff").await;
    client.send(b"\x09not a message").await;
    assert_eq!(client.bytes(17).await, b"\xff\xff\xff\x09not a message");
    let remarks = proxy.remarks();
    assert!(remarks[0].contains("not seen any more"), "{remarks:?}");
}
