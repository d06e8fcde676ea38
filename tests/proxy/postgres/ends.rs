//! Connections that end, on either side, and many at once.

use std::net::SocketAddr;

use crate::proxy::both_ways;
use crate::support::postgres_wire::{
    Message, RawClient, V3_0, V3_2, cancel, error, kinds, query, run, startup, sync,
};
use crate::support::proxied::{
    Proxied, must_serve_a_hundred, postgres_options_at, proxy_before, server_of,
};
use crate::support::{Lab, TestEngine, until};

on_engines!(
    postgres:
        a_client_whose_idle_connection_is_ended_is_told_what_it_would_be_told_directly,
        a_client_whose_connection_is_ended_amid_an_answer_is_told_what_it_would_be_told_directly,
        a_statement_is_cancelled_through_the_proxy,
        a_wrong_key_cancels_nothing,
        a_client_that_leaves_idle_takes_its_connection_with_it,
        a_client_that_leaves_amid_an_answer_takes_its_connection_with_it,
        a_client_that_leaves_amid_a_statement_takes_its_connection_with_it,
        a_client_that_leaves_amid_a_transaction_leaves_no_lock,
        a_client_that_leaves_amid_a_pipeline_leaves_no_lock,
        a_hundred_connections_at_once_are_served,
        a_server_that_stops_ends_its_connections;
);

async fn a_client_whose_idle_connection_is_ended_is_told_what_it_would_be_told_directly(
    engine: TestEngine,
) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| ended_idle(&lab, at)).await;
    assert_eq!(error(&direct[0]).0, "57P01");
    assert_eq!(direct, through);
}

/// The server's last messages to a connection that it ends.
async fn ended_idle(lab: &Lab, at: SocketAddr) -> Vec<Message> {
    let mut client = RawClient::log_in(at, lab.name()).await;
    client.execute("SELECT 1").await;
    lab.kill(i64::from(client.process).into()).await;
    client.rest().await
}

async fn a_client_whose_connection_is_ended_amid_an_answer_is_told_what_it_would_be_told_directly(
    engine: TestEngine,
) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| ended_amid_an_answer(&lab, at)).await;
    assert_eq!(kinds(&direct), "TDCTE");
    assert_eq!(direct, through);
}

async fn ended_amid_an_answer(lab: &Lab, at: SocketAddr) -> Vec<Message> {
    let mut client = RawClient::log_in(at, lab.name()).await;
    client
        .send(&query("SELECT 'first'; SELECT pg_sleep(1000)"))
        .await;
    until_it_sleeps(lab, client.process).await;
    lab.kill(i64::from(client.process).into()).await;
    client.rest().await
}

/// What the server runs on this connection. Nothing, if it is idle or gone.
pub async fn running(lab: &Lab, process: i32) -> String {
    let running = format!(
        "SELECT CAST(COALESCE(MAX(query), '') AS TEXT) FROM pg_stat_activity \
         WHERE pid = {process} AND state = 'active'"
    );
    let rows = lab.database.rows(&running, &[]).await.unwrap();
    rows[0].text(0).unwrap()
}

async fn until_it_sleeps(lab: &Lab, process: i32) {
    until("the statement is under way", || async {
        running(lab, process).await.contains("pg_sleep")
    })
    .await;
}

async fn is_there(lab: &Lab, process: i32) -> bool {
    let query = format!("SELECT COUNT(*) FROM pg_stat_activity WHERE pid = {process}");
    let rows = lab.database.rows(&query, &[]).await.unwrap();
    rows[0].integer(0).unwrap() == 1
}

async fn until_gone(lab: &Lab, process: i32) {
    until("the server has ended the connection", || async {
        !is_there(lab, process).await
    })
    .await;
}

/// The key is the server's own, and longer than four bytes if the server's protocol is newer.
async fn a_statement_is_cancelled_through_the_proxy(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let at = proxied.proxy.address();
    for version in [V3_0, V3_2] {
        let mut client = RawClient::connect(at).await;
        let named = [("user", "postgres"), ("database", proxied.lab.name())];
        client.send(&startup(version, &named)).await;
        let is_older = client.begin().await.contains('v');
        assert!(
            client.key.len() == 4 || version == V3_2 && !is_older,
            "{:?}",
            client.key
        );
        client.send(&query("SELECT pg_sleep(1000)")).await;
        until_it_sleeps(&proxied.lab, client.process).await;
        let mut other = RawClient::connect(at).await;
        other.send(&cancel(client.process, &client.key)).await;
        assert_eq!(other.rest().await, []);
        let answer = client.until_ready().await;
        let refused = answer.iter().find(|it| it.0 == b'E').unwrap();
        assert_eq!(error(refused).0, "57014");
        client.execute("SELECT 1").await;
    }
    // A client that cancels is none that uses the database.
    assert_eq!(proxied.proxy.connections(), 2);
    proxied.must_have_nothing_to_say();
}

async fn a_wrong_key_cancels_nothing(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    let wrong: Vec<u8> = client.key.iter().map(|it| !it).collect();
    // It waits for a lock that the test holds.
    let mut holder = proxied.postgres_client().await;
    holder.execute("SELECT pg_advisory_lock(1)").await;
    client.send(&query("SELECT pg_advisory_lock(1)")).await;
    until("the statement is under way", || async {
        running(&proxied.lab, client.process)
            .await
            .contains("advisory")
    })
    .await;
    let mut other = RawClient::connect(proxied.proxy.address()).await;
    other.send(&cancel(client.process, &wrong)).await;
    assert_eq!(other.rest().await, []);
    holder.execute("SELECT pg_advisory_unlock(1)").await;
    assert_eq!(kinds(&client.until_ready().await), "TDCZ");
}

async fn a_client_that_leaves_idle_takes_its_connection_with_it(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let client = proxied.postgres_client().await;
    let process = client.process;
    assert!(is_there(&proxied.lab, process).await);
    drop(client);
    until_gone(&proxied.lab, process).await;
}

/// The server cannot send on, so it notices at once.
async fn a_client_that_leaves_amid_an_answer_takes_its_connection_with_it(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    let process = client.process;
    let endless = "SELECT repeat('x', 100000) FROM pg_class a, pg_class b, pg_class c";
    client.send(&query(endless)).await;
    client.until_kind(b'D').await;
    drop(client);
    until_gone(&proxied.lab, process).await;
}

/// A server that is told so looks whether a sleeper's client is still there.
async fn a_client_that_leaves_amid_a_statement_takes_its_connection_with_it(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    let process = client.process;
    client
        .execute("SET client_connection_check_interval = '100ms'")
        .await;
    client.send(&query("SELECT pg_sleep(1000)")).await;
    until_it_sleeps(&proxied.lab, process).await;
    drop(client);
    until_gone(&proxied.lab, process).await;
}

const UPDATE: &str = "UPDATE accounts SET balance = 5 WHERE id = 1";

async fn a_client_that_leaves_amid_a_transaction_leaves_no_lock(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    client.execute("BEGIN").await;
    client.execute(UPDATE).await;
    must_leave_no_lock(&proxied, client).await;
}

/// Its statement has run, and no Sync has committed it.
async fn a_client_that_leaves_amid_a_pipeline_leaves_no_lock(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    client
        .send(&[run(UPDATE, &[]), run("SELECT 1", &[])].concat())
        .await;
    assert_eq!(kinds(&client.until_kind(b'C').await), "12C");
    must_leave_no_lock(&proxied, client).await;
    let mut next = proxied.postgres_client().await;
    assert_eq!(
        kinds(&next.ask(&[run(UPDATE, &[]), sync()].concat()).await),
        "12CZ"
    );
}

async fn must_leave_no_lock(proxied: &Proxied, client: RawClient) {
    assert!(proxied.lab.has_open_transactions().await);
    let process = client.process;
    drop(client);
    proxied.lab.until_nothing_is_open().await;
    until_gone(&proxied.lab, process).await;
    assert_eq!(proxied.lab.account().await.balance, 0);
}

async fn a_hundred_connections_at_once_are_served(engine: TestEngine) {
    must_serve_a_hundred(engine, postgres_options_at, async |connection, number| {
        let asked = sqlx::query_scalar("SELECT $1 + 1").bind(number);
        asked.fetch_one(connection).await.unwrap()
    })
    .await;
}

async fn a_server_that_stops_ends_its_connections(engine: TestEngine) {
    let (server, lab) = engine.lab_alone(racy::engine::Settings::default()).await;
    let proxy = proxy_before(engine, server_of(&lab.database)).await;
    let mut client = RawClient::log_in(proxy.address(), lab.name()).await;
    lab.database.close().await;
    server.stop().await.unwrap();
    // It may say why it ends the connection.
    assert!(client.rest().await.len() <= 1);
    let late = RawClient::connect(proxy.address()).await.rest().await;
    let (_, said) = error(&late[0]);
    assert!(said.contains("cannot reach the database server"), "{said}");
}
