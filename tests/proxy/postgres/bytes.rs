//! Bytes in are bytes out, but for the Flush with which the proxy asks for an answer.

use crate::support::postgres_wire::{
    FLUSH, Message, RawClient, SSL_REQUEST, V3_0, V3_2, bind, close, copy_data, copy_done,
    copy_fail, cut, describe, error, execute, kinds, message, parse, query, run, startup, sync,
    values,
};
use crate::support::proxied::{Between, Recording, assert_equal_bytes, contains};
use crate::support::{TestEngine, until};

on_engines!(
    postgres:
        statements_as_texts_pass_as_they_are,
        prepared_statements_pass_as_they_are,
        pipelines_pass_as_they_are,
        copies_pass_as_they_are,
        notifications_pass_as_they_are,
        long_messages_pass_as_they_are,
        newer_versions_of_the_protocol_are_the_servers_business;
);

/// What is sent at once, and the kinds of messages in the answer. Several rows are one `D`.
type Exchange = (Vec<u8>, &'static str);

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, v TEXT); \
    CREATE TABLE child (id INT PRIMARY KEY, t INT REFERENCES t DEFERRABLE INITIALLY DEFERRED); \
    CREATE TABLE locked (id INT); \
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
        $$BEGIN RAISE EXCEPTION 'this table is locked'; END$$; \
    CREATE TRIGGER refuse BEFORE INSERT ON locked FOR EACH STATEMENT EXECUTE FUNCTION refuse(); \
    INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 40) i";

/// The last statement of a series, which shows that all before it were answered.
const LAST: &str = "SELECT 'the end of the series'";

async fn statements_as_texts_pass_as_they_are(engine: TestEngine) {
    let series: &[(&str, &str)] = &[
        ("SELECT 1, NULL, 'text', 2.50, '' AS nothing", "TDCZ"),
        ("", "IZ"),
        (" ; -- nothing\n ;", "IZ"),
        ("SELECT v FROM t WHERE id <= 3", "TDCZ"),
        ("SELECT v FROM t WHERE id < 0", "TCZ"),
        ("SELECT * FROM no_such_table", "EZ"),
        (
            "SELECT 1; SELECT 2; SELECT no_column FROM t; SELECT 4",
            "TDCTDCEZ",
        ),
        (
            "UPDATE t SET v = 'x' WHERE id = 1; SELECT 1 / (id - 1) FROM t; SELECT 5",
            "CTDEZ",
        ),
        ("BEGIN", "CZ"),
        ("SELECT no_column FROM t", "EZ"),
        ("SELECT 6", "EZ"),
        ("COMMIT", "CZ"),
        (
            "BEGIN; SAVEPOINT s; SELECT 1; ROLLBACK TO s; COMMIT",
            "CCTDCCCZ",
        ),
        ("SET application_name = 'shop'", "CSZ"),
        ("DO $$BEGIN RAISE NOTICE 'halfway'; END$$", "NCZ"),
        ("PREPARE p AS SELECT 7", "CZ"),
        ("EXECUTE p", "TDCZ"),
        ("DEALLOCATE ALL", "CZ"),
        ("EXECUTE p", "EZ"),
        ("BEGIN; INSERT INTO child VALUES (1, 4711)", "CCZ"),
        ("COMMIT", "EZ"),
        ("INSERT INTO child VALUES (1, 4711)", "EZ"),
        ("VACUUM t", "CZ"),
    ];
    let mut series: Vec<_> = series
        .iter()
        .map(|(sql, kinds)| (query(sql), *kinds))
        .collect();
    // The function int4pl, with two numbers in binary.
    let sum = b"\0\0\0\xb1\0\x01\0\x01\0\x02\0\0\0\x04\0\0\0\x02\0\0\0\x04\0\0\0\x03\0\x01";
    series.push((message(b'F', sum), "VZ"));
    passes(engine, &series).await;
}

async fn prepared_statements_pass_as_they_are(engine: TestEngine) {
    let select = "SELECT id, v FROM t WHERE id > $1";
    let series = [
        // As most drivers do: a statement, then what it returns, then its rows.
        (
            [
                parse("", select),
                bind("", "", &["38"]),
                describe(b'P', ""),
                execute("", 0),
                sync(),
            ]
            .concat(),
            "12TDCZ",
        ),
        (
            [parse("named", select), describe(b'S', "named"), sync()].concat(),
            "1tTZ",
        ),
        (
            [bind("", "named", &["39"]), execute("", 0), sync()].concat(),
            "2DCZ",
        ),
        (
            [bind("", "named", &["no number"]), execute("", 0), sync()].concat(),
            "EZ",
        ),
        ([run("", &[]), sync()].concat(), "12IZ"),
        (
            [
                parse("write", "UPDATE t SET v = $1 WHERE id = 2"),
                describe(b'S', "write"),
                FLUSH.to_vec(),
                bind("", "write", &["changed"]),
                describe(b'P', ""),
                execute("", 0),
                sync(),
            ]
            .concat(),
            "1tn2nCZ",
        ),
        // A portal whose rows come in parts.
        (query("BEGIN"), "CZ"),
        (
            [
                bind("rows", "named", &["30"]),
                execute("rows", 4),
                FLUSH.to_vec(),
            ]
            .concat(),
            "2Ds",
        ),
        ([execute("rows", 4), sync()].concat(), "DsZ"),
        (
            [execute("rows", 100), close(b'P', "rows"), sync()].concat(),
            "DC3Z",
        ),
        ([execute("rows", 1), sync()].concat(), "EZ"),
        (query("ROLLBACK"), "CZ"),
        ([close(b'S', "write"), sync()].concat(), "3Z"),
        (query("DEALLOCATE named"), "CZ"),
        (
            [bind("", "named", &["39"]), execute("", 0), sync()].concat(),
            "EZ",
        ),
        ([parse("again", select), sync()].concat(), "1Z"),
        ([parse("again", select), sync()].concat(), "EZ"),
        ([run("DISCARD ALL", &[]), sync()].concat(), "12CZ"),
        (
            [bind("", "again", &["39"]), execute("", 0), sync()].concat(),
            "EZ",
        ),
    ];
    passes(engine, &series).await;
}

async fn pipelines_pass_as_they_are(engine: TestEngine) {
    let insert = "INSERT INTO t VALUES ($1, 'in a pipeline')";
    let series = [
        // Three different statements with one Sync. Then an error in the second.
        (
            [
                run(insert, &["100"]),
                run("UPDATE t SET v = 'x' WHERE id < $1", &["5"]),
                run("SELECT v FROM t WHERE id = $1", &["100"]),
                sync(),
            ]
            .concat(),
            "12C12C12DCZ",
        ),
        (
            [
                run("UPDATE t SET v = 'lost' WHERE id = $1", &["3"]),
                run(insert, &["100"]),
                run("DELETE FROM t WHERE id = $1", &["3"]),
                sync(),
            ]
            .concat(),
            "12C12EZ",
        ),
        (
            [run("SELECT v FROM t WHERE id = $1", &["3"]), sync()].concat(),
            "12DCZ",
        ),
        // A text stands for a Sync.
        (
            [run(insert, &["101"]), query("SELECT count(*) FROM t")].concat(),
            "12CTDCZ",
        ),
        // What is skipped after an error: also a text, and a Flush.
        (
            [
                run(insert, &["101"]),
                query("SELECT 1"),
                FLUSH.to_vec(),
                sync(),
            ]
            .concat(),
            "12EZ",
        ),
        // Two states.
        ([run(insert, &["102"]), sync(), sync()].concat(), "12CZZ"),
        (
            [
                run("BEGIN", &[]),
                run(insert, &["103"]),
                run("COMMIT", &[]),
                sync(),
            ]
            .concat(),
            "12C12C12CZ",
        ),
        // A key that is missing is noticed by the Sync.
        (
            [
                run("INSERT INTO child VALUES (1, 4711)", &[]),
                run("INSERT INTO child VALUES (2, 1)", &[]),
                sync(),
            ]
            .concat(),
            "12C12CEZ",
        ),
        (
            [run("INSERT INTO child VALUES (1, 4711)", &[]), sync()].concat(),
            "12CEZ",
        ),
        (query("SELECT 1 WHERE EXISTS (SELECT FROM child)"), "TCZ"),
    ];
    passes(engine, &series).await;
}

async fn copies_pass_as_they_are(engine: TestEngine) {
    let into = |table: &str| format!("COPY {table} FROM STDIN");
    let good = [
        copy_data("201\tone\n202\t"),
        copy_data("two\n"),
        copy_done(),
    ]
    .concat();
    let more = [copy_data("203\tthree\n"), copy_done()].concat();
    let bad = [
        copy_data("no number\tx\n"),
        copy_data("204\tx\n"),
        copy_done(),
    ]
    .concat();
    let aborted = [copy_data("205\tx\n"), copy_fail("the file ends early")].concat();
    let row_of_one = [copy_data("1\n"), copy_done()].concat();
    let early =
        |table: &str, data: &[u8]| [&run(&into(table), &[])[..], &sync(), data, &sync()].concat();
    let late = |table: &str, data: &[u8]| [&run(&into(table), &[])[..], data, &sync()].concat();
    let series = [
        ([query(&into("t")), good].concat(), "GCZ"),
        ([query(&into("t")), aborted.clone()].concat(), "GEZ"),
        ([query(&into("t")), bad.clone()].concat(), "GEZ"),
        ([query(&into("no_such_table")), more.clone()].concat(), "EZ"),
        ([query(&into("locked")), row_of_one.clone()].concat(), "GEZ"),
        (
            [query("SELECT 1; COPY t FROM STDIN; SELECT 2"), copy_done()].concat(),
            "TDCGCTDCZ",
        ),
        // Prepared, with a Sync after the data, and with one before them as well.
        (late("t", &more), "12GCZ"),
        (late("t", &bad), "12GEZ"),
        (late("t", &aborted), "12GEZ"),
        (late("locked", &row_of_one), "12GEZ"),
        (late("no_such_table", &more), "12EZ"),
        (
            early("t", &[copy_data("206\tx\n"), copy_done()].concat()),
            "12GCZ",
        ),
        (early("t", &bad), "12GEZ"),
        (early("t", &aborted), "12GEZ"),
        // The server has not read the first Sync when it refuses, and answers both.
        (early("locked", &row_of_one), "12GEZZ"),
        (early("no_such_table", &more), "12EZZ"),
        (query("COPY t TO STDOUT"), "HdcCZ"),
        (
            [run("COPY (SELECT 1 UNION SELECT 2) TO STDOUT", &[]), sync()].concat(),
            "12HdcCZ",
        ),
        (query("SELECT id FROM t WHERE id > 200 ORDER BY id"), "TDCZ"),
    ];
    let answers = passes(engine, &series).await;
    // The last value shows the end of the series.
    let copied = values(&answers);
    let copied = &copied[copied.len() - 5..copied.len() - 1];
    assert_eq!(copied, ["201", "202", "203", "206"]);
}

/// Those of its own come with its answers, and those of others while it is idle.
async fn notifications_pass_as_they_are(engine: TestEngine) {
    let pair = Pair::before(engine).await;
    let mut client = pair.client().await;
    client.execute("LISTEN shop").await;
    assert_eq!(kinds(&client.execute("NOTIFY shop, 'mine'").await), "CAZ");
    pair.0
        .lab
        .run_in_database("NOTIFY shop, 'while it is idle'")
        .await;
    let (kind, body) = client.message().await.unwrap();
    assert_eq!(kind, b'A');
    assert!(contains(&body, "while it is idle"), "{body:?}");
    // Between the answers of a pipeline.
    let two = [
        run("NOTIFY shop, 'first'", &[]),
        sync(),
        run("SELECT 1", &[]),
        sync(),
    ];
    let answers = pair.passes(client, &two.concat()).await;
    assert_eq!(kinds(&answers), "12CAZ12DCZTDCZ");
}

/// Messages of both sides that come in several pieces.
async fn long_messages_pass_as_they_are(engine: TestEngine) {
    const LENGTH: usize = 20_000_000;
    let text = "y".repeat(LENGTH);
    let series = [
        (query(&format!("SELECT repeat('x', {LENGTH})")), "TDCZ"),
        (query(&format!("SELECT length('{text}')")), "TDCZ"),
        (
            [run("SELECT length($1)", &[&text]), sync()].concat(),
            "12DCZ",
        ),
        (
            [
                query("COPY t FROM STDIN"),
                copy_data(&format!("300\t{text}\n")),
                copy_done(),
            ]
            .concat(),
            "GCZ",
        ),
        (
            query("COPY (SELECT v FROM t WHERE id = 300) TO STDOUT"),
            "HdcCZ",
        ),
    ];
    let answers = passes(engine, &series).await;
    let lengths = answers.iter().filter(|it| it.1.len() > LENGTH).count();
    assert_eq!(lengths, 2);
}

/// PostgreSQL before version 18 negotiates. A client may ask for a version that does not exist, and
/// for what no server knows.
async fn newer_versions_of_the_protocol_are_the_servers_business(engine: TestEngine) {
    for (version, negotiates) in [(V3_0, false), (V3_2, true), (V3_0 | 9999, true)] {
        let pair = Pair::before(engine).await;
        let mut client = RawClient::connect(pair.0.outer.address).await;
        let mut named = vec![("user", "postgres"), ("database", pair.0.lab.name())];
        if version != V3_0 {
            named.push(("_pq_.no_such_thing", "x"));
        }
        client.send(&startup(version, &named)).await;
        let begins = client.begin().await;
        assert_eq!(begins.contains('v'), negotiates, "{begins}");
        let answers = pair.passes(client, &[]).await;
        assert_eq!(kinds(&answers), "TDCZ");
    }
}

/// Sends a series twice: each exchange by itself, and all at once.
async fn passes(engine: TestEngine, series: &[Exchange]) -> Vec<Message> {
    let pair = Pair::before(engine).await;
    let mut client = pair.client().await;
    for (sent, expected) in series {
        client.send(sent).await;
        let mut answer = Vec::new();
        while kinds(&answer).len() < expected.len() {
            let next = client.message().await;
            answer.push(next.unwrap_or_else(|| panic!("the server ends: {answer:?}")));
        }
        let words = answer.iter().filter(|it| it.0 == b'E').map(error);
        let words: Vec<_> = words.collect();
        let begin = String::from_utf8_lossy(&sent[..sent.len().min(80)]);
        assert_eq!(kinds(&answer), *expected, "{begin:?}: {words:?}");
    }
    pair.passes(client, &[]).await;

    let pair = Pair::before(engine).await;
    let client = pair.client().await;
    let sent: Vec<u8> = series.iter().flat_map(|it| it.0.clone()).collect();
    let expected: String = series.iter().map(|it| it.1).collect();
    let answers = pair.passes(client, &sent).await;
    assert_eq!(kinds(&answers), format!("{expected}TDCZ"));
    answers
}

/// A proxy between two recorders.
struct Pair(Between);

impl Pair {
    async fn before(engine: TestEngine) -> Self {
        let between = Between::before(engine).await;
        between.lab.run_in_database(TABLE).await;
        Self(between)
    }

    async fn client(&self) -> RawClient {
        RawClient::log_in(self.0.outer.address, self.0.lab.name()).await
    }

    /// Sends all this at once, and compares what both recorders have seen.
    async fn passes(&self, client: RawClient, sent: &[u8]) -> Vec<Message> {
        let answers = client.pipeline(&[sent, &query(LAST)].concat()).await;
        let last = answers.iter().rfind(|it| it.0 == b'D');
        let is_last = last.is_some_and(|it| contains(&it.1, "the end of the series"));
        assert!(is_last, "{:?}", answers.last());
        let Between {
            inner,
            proxy,
            outer,
            ..
        } = &self.0;
        until("both recorders have seen all", || async {
            outer.lengths().1 == inner.lengths().1
        })
        .await;
        assert_eq!(proxy.remarks(), Vec::<String>::new());
        assert_same(&outer.take(), &inner.take());
        answers
    }
}

/// Compares what the client's side and the server's side have seen.
fn assert_same(outer: &Recording, inner: &Recording) {
    assert_equal_bytes("the server's bytes", &outer.from_server, &inner.from_server);
    let (asked, got) = (
        messages_of(&outer.from_client),
        messages_of(&inner.from_client),
    );
    let got = without_own_flushes(got, &asked);
    assert_equal_bytes("the client's bytes", &joined(&asked), &joined(&got));
}

/// What a client has sent, without its first message.
fn messages_of(bytes: &[u8]) -> Vec<Message> {
    let bytes = bytes.strip_prefix(&SSL_REQUEST).unwrap_or(bytes);
    let length = u32::from_be_bytes(bytes[..4].try_into().unwrap());
    cut(&bytes[usize::try_from(length).unwrap()..])
}

/// What the server got, without each Flush that the client has not sent there.
fn without_own_flushes(got: Vec<Message>, asked: &[Message]) -> Vec<Message> {
    let mut kept = Vec::new();
    for message in got {
        let is_flush = message.0 == FLUSH[0];
        let is_asked = asked.get(kept.len()) == Some(&message);
        if !is_flush || is_asked {
            kept.push(message);
        }
    }
    kept
}

fn joined(messages: &[Message]) -> Vec<u8> {
    let bytes = messages
        .iter()
        .flat_map(|(kind, body)| message(*kind, body));
    bytes.collect()
}
