//! A connection that is not understood any more is forwarded all the same.

use racy::engine::ServerPlace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::TestEngine;
use crate::support::proxied::{Proxied, proxy_before, server_that_returns_all_after};
use crate::support::wire::{PLAIN, RawClient, packets, query};

on_engines!(
    innodb:
        what_follows_a_broken_answer_is_forwarded_in_both_directions;
    mysql:
        the_stream_of_a_binary_log_is_forwarded;
);

async fn the_stream_of_a_binary_log_is_forwarded(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.client(PLAIN).await;
    client.execute("SET @source_binlog_checksum = 'NONE'").await;
    let from_the_beginning = [&b"\x12\x04\0\0\0\0\0"[..], &7_u32.to_le_bytes()].concat();
    client.send(0, &from_the_beginning).await;
    let first = client.packet().await.unwrap().1;
    assert_eq!(first[0], 0, "{}", String::from_utf8_lossy(&first));
    assert_eq!(proxied.proxy.remarks().len(), 1);
    // What happens only now comes as well.
    let table = format!("made_now_in_{}", proxied.lab.name());
    let make = format!("CREATE TABLE {table} (id INT)");
    proxied.lab.run_in_database(&make).await;
    loop {
        let event = client.packet().await.unwrap().1;
        if event.windows(table.len()).any(|it| it == table.as_bytes()) {
            break;
        }
    }
}

/// A server that answers the first query with what no server says, and then returns what it gets.
async fn broken_server() -> ServerPlace {
    server_that_returns_all_after(|mut stream| async {
        let greeting = b"\x0a9.9.9\0\x01\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\x00\x15\
                         \0\0\0\0\0\0\0\0\0\0abcdefghijkl\0mysql_native_password\0";
        say(&mut stream, 0, greeting).await;
        read(&mut stream).await;
        say(&mut stream, 2, b"\0\0\0\x02\0\0\0").await;
        read(&mut stream).await;
        // Neither OK, ERR nor the number of columns.
        say(&mut stream, 1, b"\xfe\xfe\xfe").await;
        stream
    })
    .await
}

async fn say(stream: &mut TcpStream, sequence: u8, payload: &[u8]) {
    let bytes = packets(sequence, payload);
    stream.write_all(&bytes).await.unwrap();
}

async fn read(stream: &mut TcpStream) {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await.unwrap();
    let length = usize::from(header[0]) | usize::from(header[1]) << 8;
    stream.read_exact(&mut vec![0; length]).await.unwrap();
}

async fn what_follows_a_broken_answer_is_forwarded_in_both_directions(engine: TestEngine) {
    let proxy = proxy_before(engine, broken_server().await).await;
    let mut client = RawClient::log_in(proxy.address(), "shop", PLAIN).await;
    assert_eq!(client.ask(&query("SELECT 1")).await.1, b"\xfe\xfe\xfe");
    // This is no packet, and comes back as it is.
    client.send_bytes(b"\xff\xff\xff").await;
    client.send_bytes(b"\x09not a packet").await;
    assert_eq!(client.bytes(16).await, b"\xff\xff\xff\x09not a packet");
    let remarks = proxy.remarks();
    assert!(remarks[0].contains("not seen any more"), "{remarks:?}");
}
