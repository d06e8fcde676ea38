//! The server counts the statements that the client has sent: the proxy adds and loses none.

use std::collections::BTreeMap;

use racy::engine::local::{Folder, LocalServer};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use crate::support::lab::{Fresh, run_at};
use crate::support::postgres_wire::{RawClient, kinds, query, run, sync};
use crate::support::proxied::{Recorder, postgres_options_at, proxy_before, server_of};
use crate::support::{Lab, TestEngine, open_folder};

on_engines!(
    postgres:
        the_server_counts_the_same_statements;
);

/// Each statement, without its values, and how often it ran.
type Counts = BTreeMap<String, i64>;

/// A server that counts statements, which it has to be told before it starts.
async fn counting_server(engine: TestEngine, folder: Folder) -> LocalServer {
    let binary = engine.binary();
    let server = LocalServer::start(&binary, folder.clone()).await.unwrap();
    let fresh = Fresh::on(&server).await;
    let count = "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'";
    run_at(&fresh.address, count).await;
    server.stop().await.unwrap();
    LocalServer::start(&binary, folder).await.unwrap()
}

async fn the_server_counts_the_same_statements(engine: TestEngine) {
    let folder = open_folder();
    let server = counting_server(engine, Folder::Kept(folder.path().to_owned())).await;
    let lab = Lab::at(Fresh::on(&server).await, racy::engine::Settings::default()).await;
    lab.run_in_database("CREATE EXTENSION pg_stat_statements")
        .await;
    let direct = Recorder::before(server_of(&lab.database)).await;
    let proxy = proxy_before(engine, server_of(&lab.database)).await;
    let direct = counts(&lab, direct.address).await;
    let through = counts(&lab, proxy.address()).await;
    let expected = [
        ("BEGIN", 2),
        ("COMMIT", 1),
        ("ROLLBACK", 1),
        (
            "UPDATE accounts SET balance = balance + $1 WHERE id = $2",
            2,
        ),
        ("SELECT balance FROM accounts WHERE id = $1", 5),
        ("SELECT $1", 3),
        ("DELETE FROM accounts WHERE id = $1", 1),
    ];
    for (sql, count) in expected {
        assert_eq!(direct.get(sql), Some(&count), "{sql} in {direct:#?}");
    }
    assert_eq!(direct, through);
    lab.database.close().await;
    server.stop().await.unwrap();
}

/// What the server counts while a known series is sent.
async fn counts(lab: &Lab, at: std::net::SocketAddr) -> Counts {
    lab.run_in_database("SELECT pg_stat_statements_reset()")
        .await;
    let mut connection = postgres_options_at(&lab.database, at)
        .connect()
        .await
        .unwrap();
    send_series(&mut connection).await;
    connection.close().await.unwrap();
    send_pipelines(lab, at).await;
    // A statement whose values have other types is another one.
    let counted = "SELECT query, CAST(SUM(calls) AS BIGINT) FROM pg_stat_statements \
                   WHERE query NOT LIKE '%pg_stat_statements%' GROUP BY query";
    let mut other = postgres_options_at(&lab.database, at)
        .connect()
        .await
        .unwrap();
    let rows = sqlx::query_as(counted).fetch_all(&mut other).await;
    other.close().await.unwrap();
    rows.unwrap().into_iter().collect()
}

/// As text, and prepared.
async fn send_series(connection: &mut PgConnection) {
    for sql in [
        "BEGIN",
        "UPDATE accounts SET balance = balance + 1 WHERE id = 1",
        "ROLLBACK",
        "SELECT 1; SELECT 2; SELECT 3",
    ] {
        sqlx::raw_sql(sql).execute(&mut *connection).await.unwrap();
    }
    for id in 1..=5 {
        let read = AssertSqlSafe("SELECT balance FROM accounts WHERE id = $1");
        let query = sqlx::query(read).bind(id);
        connection.execute(query).await.unwrap();
    }
    let refused = connection.execute("SELECT * FROM no_such_table").await;
    assert!(refused.is_err());
}

/// One that is committed, and one whose second statement is refused.
async fn send_pipelines(lab: &Lab, at: std::net::SocketAddr) {
    let mut client = RawClient::log_in(at, lab.name()).await;
    let committed = [
        run("BEGIN", &[]),
        run(
            "UPDATE accounts SET balance = balance + $1 WHERE id = $2",
            &["1", "1"],
        ),
        run("COMMIT", &[]),
        sync(),
    ];
    assert_eq!(kinds(&client.ask(&committed.concat()).await), "12C12C12CZ");
    let refused = [
        run("DELETE FROM accounts WHERE id = $1", &["4711"]),
        run("SELECT * FROM no_such_table", &[]),
        run("DELETE FROM accounts WHERE id > $1", &["0"]),
        sync(),
    ];
    assert_eq!(kinds(&client.ask(&refused.concat()).await), "12CEZ");
    assert_eq!(kinds(&client.ask(&query("")).await), "IZ");
}
