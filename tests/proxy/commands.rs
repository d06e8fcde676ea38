//! Commands that change what a connection is: the proxy follows them.

use std::net::SocketAddr;

use super::both_ways;
use crate::support::lab::run_at;
use crate::support::proxied::Proxied;
use crate::support::wire::{
    MODERN, PLAIN, Packet, RawClient, about, error, execute, packets, query,
};
use crate::support::{Lab, TestEngine};

on_engines!(
    innodb:
        a_connection_becomes_another_users,
        a_connection_that_may_not_become_another_users_is_as_it_is_directly,
        a_connection_that_is_reset_forgets_what_was_prepared,
        a_transaction_ends_with_its_session,
        long_data_is_the_argument_of_one_execution,
        a_file_of_the_clients_is_loaded,
        a_file_that_is_empty_or_refused_leaves_the_connection_in_order,
        a_query_that_is_too_long_is_refused_as_it_is_directly;
);

const OK: u8 = 0;

/// The payload that begins a new session as this user, with this proof of a password.
fn change_user(user: &str, proof: &[u8], database: &str) -> Vec<u8> {
    let mut payload = vec![0x11];
    payload.extend(user.as_bytes());
    payload.push(0);
    payload.push(u8::try_from(proof.len()).unwrap());
    payload.extend(proof);
    payload.extend(database.as_bytes());
    payload.extend(b"\0\x2d\0mysql_native_password\0");
    payload
}

async fn a_connection_becomes_another_users(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let lab = &proxied.lab;
    let user = format!("user_of_{}", lab.name());
    let make = format!("CREATE USER {user}@localhost; GRANT ALL ON *.* TO {user}@localhost");
    run_at(&lab.address, &make).await;
    let mut client = proxied.client(MODERN).await;
    let id = client.id();
    let statement = execute_one(&mut client).await;
    client.send(0, &change_user(&user, b"", lab.name())).await;
    assert_eq!(client.authenticate().await.1[0], OK);
    // What was prepared is gone, and the connection is still the same.
    assert_eq!(
        error(&client.ask(&execute(statement, 0, &[])).await.1).0,
        1243
    );
    client
        .send(0, &query("SELECT CONCAT(USER(), ' ', CONNECTION_ID())"))
        .await;
    let said = rows(&mut client).await;
    assert_eq!(said, [format!("{user}@localhost {id}")]);
    assert_eq!(proxied.proxy.remarks(), Vec::<String>::new());
}

/// The first value of each row, on a connection without EOF packets.
async fn rows(client: &mut RawClient) -> Vec<String> {
    let (_, columns) = client.packet().await.unwrap();
    for _ in 0..columns[0] {
        client.packet().await.unwrap();
    }
    let mut rows = Vec::new();
    loop {
        let (_, row) = client.packet().await.unwrap();
        if row[0] == 0xFE {
            return rows;
        }
        let value = &row[1..=usize::from(row[0])];
        rows.push(String::from_utf8_lossy(value).into_owned());
    }
}

/// Prepares and executes a statement. Returns its number.
async fn execute_one(client: &mut RawClient) -> u32 {
    let id = client.prepare("DO 1", MODERN).await;
    assert_eq!(client.ask(&execute(id, 0, &[])).await.1[0], OK);
    id
}

async fn a_connection_that_may_not_become_another_users_is_as_it_is_directly(engine: TestEngine) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| refused_user(&lab, at)).await;
    assert_eq!(direct[0].1[0], 0xFF);
    assert_eq!(direct, through);
}

/// What the server says to a user whom it does not know, and to PING and QUIT then.
async fn refused_user(lab: &Lab, at: SocketAddr) -> Vec<Packet> {
    let mut client = RawClient::log_in(at, lab.name(), PLAIN).await;
    let stranger = change_user("no_such_user", b"", lab.name());
    client.send(0, &stranger).await;
    let mut said = vec![client.authenticate().await];
    // The server may have closed the connection.
    client.send_bytes(b"\x01\0\0\0\x0e\x01\0\0\0\x01").await;
    said.extend(client.rest().await);
    said
}

async fn a_connection_that_is_reset_forgets_what_was_prepared(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.client(MODERN).await;
    client.execute("SET @a = 1").await;
    let statement = execute_one(&mut client).await;
    assert_eq!(client.ask(b"\x1f").await.1[0], OK);
    assert_eq!(
        error(&client.ask(&execute(statement, 0, &[])).await.1).0,
        1243
    );
    client.send(0, &query("SELECT IFNULL(@a, 'nothing')")).await;
    assert_eq!(rows(&mut client).await, ["nothing"]);
}

async fn a_transaction_ends_with_its_session(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.client(PLAIN).await;
    client.execute("START TRANSACTION").await;
    assert_eq!(client.ask(b"\x1f").await.1[0], OK);
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 0);

    client.execute("START TRANSACTION").await;
    let root = change_user("root", b"", proxied.lab.name());
    client.send(0, &root).await;
    assert_eq!(client.authenticate().await.1[0], OK);
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 0);

    client.execute("START TRANSACTION").await;
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 1);
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 0);
    assert_eq!(client.execute("DO 1").await.1[0], OK);
}

async fn long_data_is_the_argument_of_one_execution(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.client(MODERN).await;
    client.execute("CREATE TABLE t (v LONGTEXT)").await;
    let insert = client.prepare("INSERT INTO t VALUES (?)", MODERN).await;
    let part = "x".repeat(300_000);
    for _ in 0..2 {
        let data = [b"\0\0", part.as_bytes()].concat();
        client.send(0, &about(0x18, insert, &data)).await;
    }
    let text_is_long = b"\0\x01\xfd\0";
    assert_eq!(client.ask(&execute(insert, 0, text_is_long)).await.1[0], OK);
    let text_is_here = b"\0\x01\xfd\0\x05short";
    assert_eq!(client.ask(&execute(insert, 0, text_is_here)).await.1[0], OK);
    client.send(0, &query("SELECT LENGTH(v) FROM t")).await;
    assert_eq!(rows(&mut client).await, ["600000", "5"]);
}

/// A client with a table to load a file into.
async fn loading(proxied: &Proxied) -> RawClient {
    let allow = "SET GLOBAL local_infile = 1; CREATE TABLE t (v TEXT)";
    proxied.lab.run_in_database(allow).await;
    proxied.client(MODERN).await
}

const LOAD: &str = "LOAD DATA LOCAL INFILE 'rows.csv' INTO TABLE t";

async fn a_file_of_the_clients_is_loaded(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = loading(&proxied).await;
    assert_eq!(client.execute(LOAD).await, (1, b"\xfbrows.csv".to_vec()));
    client.send(2, "first\nsecond\nthird in ".as_bytes()).await;
    client.send(3, "two parts\n".as_bytes()).await;
    client.send(4, &[]).await;
    let (sequence, done) = client.packet().await.unwrap();
    assert_eq!((sequence, &done[..2]), (5, &[OK, 3][..]));
    client.send(0, &query("SELECT v FROM t")).await;
    assert_eq!(
        rows(&mut client).await,
        ["first", "second", "third in two parts"]
    );
}

async fn a_file_that_is_empty_or_refused_leaves_the_connection_in_order(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = loading(&proxied).await;
    client.execute(LOAD).await;
    client.send(2, &[]).await;
    assert_eq!(client.packet().await.unwrap().1[..2], [OK, 0]);
    // This one is refused before it is asked for.
    let refused = client.execute(&LOAD.replace(" t", " no_such_table")).await;
    assert_eq!(error(&refused.1).0, 1146);
    assert_eq!(client.execute("DO 1").await.1[0], OK);
    assert_eq!(proxied.proxy.remarks(), Vec::<String>::new());
}

async fn a_query_that_is_too_long_is_refused_as_it_is_directly(engine: TestEngine) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| too_long(&lab, at)).await;
    assert_eq!(direct, through);
}

/// What comes of a query that is longer than the server takes.
async fn too_long(lab: &Lab, at: SocketAddr) -> Vec<Packet> {
    let mut client = RawClient::log_in(at, lab.name(), PLAIN).await;
    client
        .send(0, &query("SET SESSION net_read_timeout = 30"))
        .await;
    client.packet().await.unwrap();
    let long = format!("SELECT '{}'", "x".repeat(70_000_000));
    let bytes = packets(0, &query(&long));
    client.pipeline(&bytes).await
}
