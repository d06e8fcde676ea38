//! The server counts the statements that the client has sent: the proxy adds and loses none.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sqlx::{ConnectOptions as _, Connection as _, Executor as _, MySqlConnection, Row as _};

use super::both_ways;
use crate::support::proxied::options_at;
use crate::support::{Lab, TestEngine};

on_engines!(
    innodb:
        a_session_counts_the_same_commands;
    mysql:
        the_performance_schema_counts_the_same_statements;
);

type Counts = BTreeMap<String, i64>;

/// Sends a known series: as text, and prepared.
async fn send_series(connection: &mut MySqlConnection) {
    for sql in [
        "SET @a = 1",
        "START TRANSACTION",
        "UPDATE accounts SET balance = balance + 1 WHERE id = 1",
        "ROLLBACK",
        "SELECT 1; SELECT 2; SELECT 3",
    ] {
        sqlx::raw_sql(sql).execute(&mut *connection).await.unwrap();
    }
    for id in 1..=5 {
        let query = sqlx::query("SELECT balance FROM accounts WHERE id = ?").bind(id);
        connection.execute(query).await.unwrap();
    }
    let refused = connection.execute("SELECT * FROM no_such_table").await;
    assert!(refused.is_err());
    connection.ping().await.unwrap();
}

async fn a_session_counts_the_same_commands(engine: TestEngine) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| commands(&lab, at)).await;
    let expected = [
        ("Com_begin", 1),
        ("Com_rollback", 1),
        ("Com_update", 1),
        ("Com_stmt_execute", 5),
        ("Com_stmt_prepare", 1),
        ("Com_admin_commands", 1),
    ];
    for (name, count) in expected {
        assert_eq!(direct.get(name), Some(&count), "{name}");
    }
    assert_eq!(direct, through);
}

/// What the session itself says. Asking is counted as well, on both ways.
async fn commands(lab: &Lab, at: SocketAddr) -> Counts {
    let mut connection = options_at(&lab.database, at).connect().await.unwrap();
    send_series(&mut connection).await;
    let counters = "SHOW SESSION STATUS LIKE 'Com\\_%'";
    let rows = sqlx::raw_sql(counters).fetch_all(&mut connection).await;
    connection.close().await.unwrap();
    let rows = rows.unwrap();
    let counts = rows.iter().filter_map(|row| {
        let value: String = row.get(1);
        Some((row.get(0), value.parse().ok()?))
    });
    counts.filter(|(_, count)| *count > 0).collect()
}

async fn the_performance_schema_counts_the_same_statements(engine: TestEngine) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| events(&lab, at)).await;
    let expected = [
        ("statement/com/Prepare", 1),
        ("statement/com/Execute", 5),
        ("statement/com/Ping", 1),
        ("statement/sql/begin", 1),
        ("statement/sql/update", 1),
        ("statement/sql/rollback", 1),
        // Three in one query, the one that is refused, and that which asks for the number.
        ("statement/sql/select", 5),
    ];
    for (name, count) in expected {
        assert_eq!(direct.get(name), Some(&count), "{name} in {direct:#?}");
    }
    assert_eq!(direct, through);
}

/// What another session says of the one that sends the series.
async fn events(lab: &Lab, at: SocketAddr) -> Counts {
    let mut connection = options_at(&lab.database, at).connect().await.unwrap();
    send_series(&mut connection).await;
    let id = sqlx::raw_sql("SELECT CONNECTION_ID()");
    let id: u64 = id.fetch_one(&mut connection).await.unwrap().get(0);
    let mut other = options_at(&lab.database, at).connect().await.unwrap();
    let counts = "SELECT event_name, CAST(count_star AS SIGNED) \
                  FROM performance_schema.events_statements_summary_by_thread_by_event_name \
                  JOIN performance_schema.threads USING (thread_id) \
                  WHERE processlist_id = ? AND count_star > 0";
    let rows = sqlx::query_as(counts).bind(id).fetch_all(&mut other).await;
    other.close().await.unwrap();
    connection.close().await.unwrap();
    rows.unwrap().into_iter().collect()
}
