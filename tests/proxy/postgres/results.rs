//! sqlx gets the same results through the proxy as directly.

use std::net::SocketAddr;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgQueryResult, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Either, PgConnection,
    Row as _, TypeInfo as _,
};

use crate::proxy::both_ways;
use crate::support::proxied::postgres_options_at;
use crate::support::{Lab, TestEngine};

on_engines!(
    postgres:
        statements_have_the_same_results,
        a_long_result_is_the_same,
        a_transaction_holds_its_locks_through_the_proxy;
);

/// Statements as text.
const TEXTS: [&str; 14] = [
    "CREATE TABLE t (id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n BIGINT, i INT UNIQUE, \
     d NUMERIC(20,4), f FLOAT8, g FLOAT4, v VARCHAR(200), b BYTEA, ts TIMESTAMPTZ, da DATE, \
     ti TIME(3), iv INTERVAL, u UUID, a INT[], j JSONB, y BOOLEAN)",
    "INSERT INTO t (n, i, d, f, g, v, b, ts, da, ti, iv, u, a, j, y) VALUES \
     (9223372036854775807, -2147483648, -1234567890123456.7891, 1.5e300, 0.25, 'čaj 🫖', \
     '\\x00FF10FE', '2026-01-02 03:04:05.678901+02', '2026-02-03', '01:02:03.456', \
     '1 month -2 days', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,NULL,3}', \
     '{\"a\": [1, null]}', true)",
    "INSERT INTO t (i) VALUES (NULL), (7), (8)",
    "SELECT * FROM t ORDER BY id",
    "SELECT NULL, '', 0, 1.0, 'x'::bytea, NULL",
    "INSERT INTO t (i) VALUES (7)",
    "SELECT FROM nowhere",
    "BEGIN",
    "UPDATE t SET v = 'changed' WHERE i >= 7 RETURNING id, v",
    "ROLLBACK",
    "SELECT id, v FROM t WHERE i >= 7",
    "SELECT 1 AS one; SELECT 2 AS two; DO $$BEGIN END$$",
    "INSERT INTO t (i) VALUES (7), (9) ON CONFLICT DO NOTHING",
    "SELECT",
];

/// Prepared statements, each with its argument.
const PREPARED: [(&str, i64); 6] = [
    ("SELECT * FROM t WHERE id >= $1 ORDER BY id", 1),
    ("SELECT * FROM t WHERE id >= $1 ORDER BY id", 3),
    ("SELECT id FROM t WHERE i = $1", 12345),
    ("INSERT INTO t (i) VALUES ($1)", 7),
    (
        "UPDATE t SET n = i + $1 WHERE i IS NOT NULL AND i > 0 RETURNING id, n",
        5,
    ),
    ("SELECT v FROM no_such_table WHERE id = $1", 1),
];

async fn statements_have_the_same_results(engine: TestEngine) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| all_results(&lab, at)).await;
    assert!(direct.iter().any(|it| it.contains("TIMESTAMPTZ")));
    let errors = direct.iter().filter(|it| it.starts_with("error")).count();
    assert_eq!(errors, 4, "{direct:#?}");
    assert_eq!(direct, through);
}

async fn all_results(lab: &Lab, at: SocketAddr) -> Vec<String> {
    lab.run_in_database("DROP TABLE IF EXISTS t").await;
    let options = postgres_options_at(&lab.database, at);
    let mut connection = options.connect().await.unwrap();
    let mut results = Vec::new();
    for sql in TEXTS {
        let statement = sqlx::raw_sql(sql);
        let answers = statement.fetch_many(&mut connection);
        let answers = answers.map_ok(shown).try_collect::<Vec<_>>().await;
        results.extend(answers.unwrap_or_else(|error| vec![words(&error)]));
    }
    for (sql, argument) in PREPARED {
        let statement = sqlx::query(AssertSqlSafe(sql)).bind(argument);
        #[expect(
            deprecated,
            reason = "nothing else returns rows and counts of a prepared statement"
        )]
        let answers = statement.fetch_many(&mut connection);
        let answers = answers.map_ok(shown).try_collect::<Vec<_>>().await;
        results.extend(answers.unwrap_or_else(|error| vec![words(&error)]));
    }
    connection.close().await.unwrap();
    results
}

fn words(error: &sqlx::Error) -> String {
    format!("error {error:?}")
}

/// What sqlx was given: the types and bytes of all values, or the counts.
fn shown(answer: Either<PgQueryResult, PgRow>) -> String {
    match answer {
        Either::Left(done) => format!("done {}", done.rows_affected()),
        Either::Right(row) => {
            let values = row.columns().iter().enumerate().map(|(index, column)| {
                let value = row.try_get_raw(index).unwrap();
                let value = value.as_bytes().ok();
                format!("{} {} {value:?}", column.name(), column.type_info().name())
            });
            values.collect::<Vec<_>>().join(", ")
        }
    }
}

async fn a_long_result_is_the_same(engine: TestEngine) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| long_result(&lab, at)).await;
    assert_eq!(direct, (40, 20_000_000, 20_000_000));
    assert_eq!(direct, through);
}

/// How many rows a result of 20 MB has, and how many bytes as text and prepared.
async fn long_result(lab: &Lab, at: SocketAddr) -> (usize, usize, usize) {
    const LONG: &str = "SELECT repeat(chr(64 + i), 500000) FROM generate_series(1, 40) i";
    let options = postgres_options_at(&lab.database, at);
    let mut connection = options.connect().await.unwrap();
    let text = sqlx::raw_sql(LONG)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let prepared = sqlx::query(LONG).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    (text.len(), bytes_of(&text), bytes_of(&prepared))
}

/// The bytes of the first column. The row with the number n is full of its letter.
fn bytes_of(rows: &[PgRow]) -> usize {
    let mut bytes = 0;
    for (letter, row) in (b'A'..).zip(rows) {
        let value: String = row.get(0);
        assert!(value.bytes().all(|it| it == letter));
        bytes += value.len();
    }
    bytes
}

async fn a_transaction_holds_its_locks_through_the_proxy(engine: TestEngine) {
    let lab = engine.lab().await;
    let (direct, through) = both_ways(engine, &lab, |at| refused_lock(&lab, at)).await;
    assert!(direct.contains("55P03"), "{direct}");
    assert_eq!(direct, through);
    lab.until_nothing_is_open().await;
}

/// What another connection is told while a transaction holds a row.
async fn refused_lock(lab: &Lab, at: SocketAddr) -> String {
    let options = postgres_options_at(&lab.database, at);
    let mut holder = options.connect().await.unwrap();
    let mut other: PgConnection = options.connect().await.unwrap();
    let lock = "SELECT balance FROM accounts WHERE id = 1 FOR UPDATE NOWAIT";
    let mut transaction = holder.begin().await.unwrap();
    sqlx::query(lock).execute(&mut *transaction).await.unwrap();
    let refused = sqlx::query(lock).execute(&mut other).await.unwrap_err();
    transaction.rollback().await.unwrap();
    sqlx::query(lock).execute(&mut other).await.unwrap();
    holder.close().await.unwrap();
    other.close().await.unwrap();
    format!("{refused:?}")
}
