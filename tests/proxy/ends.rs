//! Connections that end, on either side, and many at once.

use std::net::SocketAddr;
use std::time::Duration;

use super::{both_ways, connections};
use crate::support::proxied::{Proxied, must_serve_a_hundred, options_at, proxy_before, server_of};
use crate::support::wire::{MODERN, PLAIN, RawClient, query};
use crate::support::{Lab, TestEngine, until, until_within};

on_engines!(
    innodb:
        a_client_whose_idle_connection_is_killed_is_told_what_it_would_be_told_directly,
        a_client_whose_statement_is_killed_is_told_so_and_goes_on,
        what_is_under_way_is_not_rolled_back_and_not_waited_for,
        a_client_that_leaves_idle_takes_its_connection_with_it,
        a_client_that_leaves_amid_an_answer_takes_its_connection_with_it,
        a_client_that_leaves_amid_a_statement_takes_its_connection_with_it,
        a_client_that_leaves_amid_a_transaction_leaves_no_lock,
        a_hundred_connections_at_once_are_served,
        a_server_that_stops_ends_its_connections;
);

async fn a_client_whose_idle_connection_is_killed_is_told_what_it_would_be_told_directly(
    engine: TestEngine,
) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| killed_idle(&lab, at)).await;
    assert_eq!(direct, through);
}

/// The server's last packets to a connection that is killed.
async fn killed_idle(lab: &Lab, at: SocketAddr) -> Vec<(u8, Vec<u8>)> {
    let mut client = RawClient::log_in(at, lab.name(), MODERN).await;
    client.execute("DO 1").await;
    lab.kill(i64::from(client.id()).into()).await;
    client.rest().await
}

async fn a_client_whose_statement_is_killed_is_told_so_and_goes_on(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.client(PLAIN).await;
    let id = client.id();
    client.send(0, &query("DO SLEEP(1000)")).await;
    until_it_runs(&proxied.lab, id, "SLEEP").await;
    let kill = format!("KILL QUERY {id}");
    proxied.lab.run_outside_the_pool(kill).await;
    // MySQL says that SLEEP was interrupted by its result, and MariaDB by an error.
    client.packet().await.unwrap();
    assert_eq!(client.execute("DO 1").await.1[0], 0);
}

/// Waits until the server runs a statement with this word in it on this connection.
async fn until_it_runs(lab: &Lab, id: u32, word: &str) {
    until("the statement is under way", || async {
        let connections = connections(lab).await;
        connections.get(&id).is_some_and(|it| it.contains(word))
    })
    .await;
}

/// A sleeper's connection takes five seconds longer.
async fn until_gone(lab: &Lab, id: u32) {
    const PATIENCE: Duration = Duration::from_secs(60);
    until_within(PATIENCE, "the server has ended the connection", || async {
        !connections(lab).await.contains_key(&id)
    })
    .await;
}

async fn what_is_under_way_is_not_rolled_back_and_not_waited_for(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.client(PLAIN).await;
    let id = client.id();
    client.execute("START TRANSACTION").await;
    client.send(0, &query("DO SLEEP(1000)")).await;
    until_it_runs(&proxied.lab, id, "SLEEP").await;
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 0);
    let kill = format!("KILL QUERY {id}");
    proxied.lab.run_outside_the_pool(kill).await;
    client.packet().await.unwrap();
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 1);
}

async fn a_client_that_leaves_idle_takes_its_connection_with_it(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let client = proxied.client(PLAIN).await;
    let id = client.id();
    assert!(connections(&proxied.lab).await.contains_key(&id));
    drop(client);
    until_gone(&proxied.lab, id).await;
}

/// The server cannot send on, so it notices at once.
async fn a_client_that_leaves_amid_an_answer_takes_its_connection_with_it(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.client(PLAIN).await;
    let id = client.id();
    let endless = "SELECT REPEAT('x', 100000) FROM information_schema.columns a, \
                   information_schema.columns b";
    client.send(0, &query(endless)).await;
    client.packet().await.unwrap();
    drop(client);
    until_gone(&proxied.lab, id).await;
}

/// Both servers look every five seconds whether a sleeper's client is still there.
async fn a_client_that_leaves_amid_a_statement_takes_its_connection_with_it(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.client(PLAIN).await;
    let id = client.id();
    client.send(0, &query("SELECT SLEEP(1000)")).await;
    until_it_runs(&proxied.lab, id, "SLEEP").await;
    drop(client);
    until_gone(&proxied.lab, id).await;
}

async fn a_client_that_leaves_amid_a_transaction_leaves_no_lock(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.client(PLAIN).await;
    client.execute("START TRANSACTION").await;
    let update = "UPDATE accounts SET balance = 5 WHERE id = 1";
    client.execute(update).await;
    assert!(proxied.lab.has_open_transactions().await);
    drop(client);
    proxied.lab.until_nothing_is_open().await;
    assert_eq!(proxied.lab.account().await.balance, 0);
}

async fn a_hundred_connections_at_once_are_served(engine: TestEngine) {
    must_serve_a_hundred(engine, options_at, async |connection, number| {
        let asked = sqlx::query_scalar("SELECT ? + 1").bind(number);
        asked.fetch_one(connection).await.unwrap()
    })
    .await;
}

async fn a_server_that_stops_ends_its_connections(engine: TestEngine) {
    let (server, lab) = engine.lab_alone(racy::engine::Settings::default()).await;
    let proxy = proxy_before(engine, server_of(&lab.database)).await;
    let mut client = RawClient::log_in(proxy.address(), lab.name(), PLAIN).await;
    lab.database.close().await;
    server.stop().await.unwrap();
    // It may say why it ends the connection.
    assert!(client.rest().await.len() <= 1);
    let late = RawClient::greeted(proxy.address()).await;
    let (_, said) = crate::support::wire::error(&late.greeting);
    assert!(said.contains("cannot reach the database server"), "{said}");
}
