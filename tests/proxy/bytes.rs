//! Bytes in are bytes out, but for the capabilities that the proxy hides.

use crate::support::lab::run_at;
use crate::support::proxied::{Between, Recording, assert_equal_bytes, contains};
use crate::support::wire::{
    ATTRIBUTES, MARIADB, MODERN, OPTIONAL_METADATA, PLAIN, Packet, RawClient, WITH_ATTRIBUTES,
    about, execute, packets, prepare, query,
};
use crate::support::{TestEngine, until};

on_engines!(
    innodb:
        bytes_pass_as_they_are_with_eof_packets,
        bytes_pass_as_they_are_without_eof_packets,
        bytes_pass_as_they_are_if_a_client_asks_for_what_was_not_offered,
        long_packets_pass_as_they_are;
    mysql:
        bytes_pass_as_they_are_with_query_attributes;
    mariadb:
        bytes_pass_as_they_are_with_the_capabilities_of_mariadb;
);

/// What the proxy shows to no client: compression (two kinds), TLS, definitions that may be left
/// out, and several commands in one.
const HIDDEN: u64 = 1 << 5 | 1 << 26 | 1 << 11 | 1 << 25 | 1 << 33;

/// The last statement of a series, which shows that all before it were answered.
const LAST: &str = "SELECT 'the end of the series'";

async fn bytes_pass_as_they_are_with_eof_packets(engine: TestEngine) {
    commands_pass(engine, PLAIN).await;
}

async fn bytes_pass_as_they_are_without_eof_packets(engine: TestEngine) {
    commands_pass(engine, MODERN).await;
}

async fn bytes_pass_as_they_are_with_query_attributes(engine: TestEngine) {
    commands_pass(engine, WITH_ATTRIBUTES).await;
}

async fn bytes_pass_as_they_are_with_the_capabilities_of_mariadb(engine: TestEngine) {
    commands_pass(engine, MARIADB).await;
}

/// As PyMySQL does, for instance.
async fn bytes_pass_as_they_are_if_a_client_asks_for_what_was_not_offered(engine: TestEngine) {
    commands_pass(engine, PLAIN | OPTIONAL_METADATA).await;
}

async fn commands_pass(engine: TestEngine, capabilities: u64) {
    let pair = Pair::before(engine).await;
    let mut client = pair.client(capabilities).await;
    let table = text(TABLE, capabilities);
    client.ask(&table).await;
    let mut ids = [0; 5];
    for (id, sql) in ids.iter_mut().zip(PREPARED) {
        *id = client.prepare(sql, capabilities).await;
    }
    let answers = pair.passes(client, &commands(capabilities, ids)).await;
    let codes: Vec<_> = answers.iter().filter_map(error_code).collect();
    // No such column, table, prepared statement and command.
    for code in [1054, 1146, 1243, 1047] {
        assert!(codes.contains(&code), "{code} in {codes:?}");
    }
    for value in ["second result", "row 40", "long data in two parts"] {
        let is_there = |it: &Packet| contains(&it.1, value);
        assert!(answers.iter().any(is_there), "{value}: {codes:?}");
    }
}

/// Rows and statements around the longest packet.
async fn long_packets_pass_as_they_are(engine: TestEngine) {
    const LONGEST: usize = 0xFF_FFFF;
    let fresh = engine.fresh().await;
    run_at(&fresh.address, "SET GLOBAL max_allowed_packet = 67108864").await;
    let mut sent = Vec::new();
    // A row has the lengths of its values, of four bytes, before them.
    for length in [LONGEST - 5, LONGEST - 4, LONGEST - 3, 20_000_000] {
        let sql = format!("SELECT REPEAT('x', {length})");
        sent.extend(packets(0, &query(&sql)));
    }
    for length in [LONGEST - 1, LONGEST, LONGEST + 1] {
        let start = "SELECT LENGTH('";
        let text = "y".repeat(length - start.len() - 3);
        let sql = format!("{start}{text}')");
        sent.extend(packets(0, &query(&sql)));
    }
    sent.extend(packets(0, &query(LAST)));
    let pair = Pair::before(engine).await;
    let client = pair.client(PLAIN).await;
    let answers = pair.passes(client, &sent).await;
    let longest = answers.iter().filter(|it| it.1.len() == LONGEST).count();
    assert_eq!(longest, 3);
    assert!(answers.iter().any(|it| contains(&it.1, "16777197")));
}

/// A proxy between two recorders.
struct Pair(Between);

impl Pair {
    async fn before(engine: TestEngine) -> Self {
        Self(Between::before(engine).await)
    }

    async fn client(&self, capabilities: u64) -> RawClient {
        RawClient::log_in(self.0.outer.address, self.0.lab.name(), capabilities).await
    }

    /// Sends all this at once, and compares what both recorders have seen.
    async fn passes(&self, client: RawClient, sent: &[u8]) -> Vec<Packet> {
        let quit = packets(0, b"\x01");
        let answers = client.pipeline(&[sent, &quit].concat()).await;
        let Between {
            inner,
            proxy,
            outer,
            ..
        } = &self.0;
        until("both recorders have seen the same", || async {
            outer.lengths() == inner.lengths()
        })
        .await;
        assert_eq!(proxy.remarks(), Vec::<String>::new());
        let is_last = |it: &Packet| contains(&it.1, "the end of the series");
        assert!(answers.iter().any(is_last), "{:?}", answers.last());
        assert_same(outer.take(), inner.take());
        answers
    }
}

/// Compares what the client's side and the server's side have seen.
fn assert_same(mut outer: Recording, inner: Recording) {
    let (shown, offered) = (&mut outer.from_server, &inner.from_server);
    let places = places_in_greeting(offered);
    let hidden = capabilities(offered, &places) & !HIDDEN;
    assert_eq!(capabilities(shown, &places), hidden, "the greeting");
    copy(shown, offered, &places);

    let (asked, got) = (&mut outer.from_client, &inner.from_client);
    let places = places_in_response(asked);
    let hidden = capabilities(asked, &places) & !HIDDEN;
    assert_eq!(capabilities(got, &places), hidden, "the client's response");
    copy(asked, got, &places);

    assert_equal_bytes("the client's bytes", &outer.from_client, &inner.from_client);
    assert_equal_bytes("the server's bytes", &outer.from_server, &inner.from_server);
}

/// Where the capabilities are in a greeting: their bytes, the lowest first.
fn places_in_greeting(bytes: &[u8]) -> Vec<usize> {
    let version = bytes.iter().skip(5).position(|it| *it == 0).unwrap() + 5;
    let low = version + 1 + 13;
    let mut places = vec![low, low + 1, low + 5, low + 6];
    if bytes[low] & 1 == 0 {
        places.extend(low + 14..low + 18);
    }
    places
}

/// The same in a client's response.
fn places_in_response(bytes: &[u8]) -> Vec<usize> {
    let mut places: Vec<usize> = (4..8).collect();
    if bytes[4] & 1 == 0 {
        places.extend(32..36);
    }
    places
}

fn capabilities(bytes: &[u8], places: &[usize]) -> u64 {
    let bytes = places.iter().rev().map(|place| bytes[*place]);
    bytes.fold(0, |all, byte| all << 8 | u64::from(byte))
}

fn copy(to: &mut [u8], from: &[u8], places: &[usize]) {
    for place in places {
        to[*place] = from[*place];
    }
}

/// A query, without attributes.
fn text(sql: &str, capabilities: u64) -> Vec<u8> {
    match capabilities & ATTRIBUTES {
        0 => query(sql),
        // No attributes, and one set of them.
        _ => [b"\x03\0\x01", sql.as_bytes()].concat(),
    }
}

/// One command of each kind, as it is sent. `ids` are the numbers of the prepared statements.
fn commands(capabilities: u64, ids: [u32; 5]) -> Vec<u8> {
    let text = |sql: &str| text(sql, capabilities);
    let mut commands: Vec<Vec<u8>> = SERIES.iter().map(|sql| text(sql)).collect();
    if capabilities & ATTRIBUTES != 0 {
        // One attribute: a text, "shop", with the value "tea".
        commands.push(b"\x03\x01\x01\0\x01\xfe\0\x04shop\x03teaSELECT 5".to_vec());
    }
    commands.extend(executions(capabilities, ids));
    commands.push(text("SELECT v FROM t"));
    commands.extend(others());
    commands.push(text(LAST));
    commands.iter().flat_map(|it| packets(0, it)).collect()
}

const TABLE: &str = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200))";

/// Statements as text.
const SERIES: [&str; 8] = [
    "SELECT 1, NULL, 'text', 2.50, '' AS nothing",
    "INSERT INTO t (v) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
     WHERE i < 40) SELECT CONCAT('row ', i) FROM n",
    "SELECT 'first result'; SELECT 'second result'; SELECT no_column FROM t; SELECT 'never'",
    "CREATE PROCEDURE p (IN a INT, OUT b INT) BEGIN SELECT a; SELECT a + 1, NULL; SET b = 7; END",
    "CALL p(1, @b); SELECT @b",
    "SET autocommit = 0; UPDATE t SET v = 'x' WHERE id = 1; ROLLBACK; SET autocommit = 1",
    "SELECT * FROM no_such_table",
    "SELECT * FROM t",
];

/// Statements that are prepared.
const PREPARED: [&str; 5] = [
    "SELECT id, v FROM t WHERE id > ?",
    "INSERT INTO t (v) VALUES (?)",
    "DO 1",
    "SELECT NULL, 1",
    "SELECT ?, ?",
];

/// The types of an INT and of a text, as arguments have them.
const INT: [u8; 2] = [0x03, 0];
const TEXT: [u8; 2] = [0xFD, 0];

/// The arguments of an execution, none of them NULL. Without types, those of the last one count.
fn arguments(capabilities: u64, count: u8, types: &[[u8; 2]], values: &[u8]) -> Vec<u8> {
    let has_attributes = capabilities & ATTRIBUTES != 0;
    let mut bytes = Vec::new();
    if has_attributes {
        bytes.push(count);
    }
    bytes.extend([0, u8::from(!types.is_empty())]);
    for of in types {
        bytes.extend(of);
        if has_attributes {
            // An argument has no name.
            bytes.push(0);
        }
    }
    bytes.extend(values);
    bytes
}

/// Commands about prepared statements.
fn executions(capabilities: u64, ids: [u32; 5]) -> Vec<Vec<u8>> {
    const CURSOR: u8 = 1;
    let [rows, insert, nothing, constant, two] = ids;
    let with = |types: &[[u8; 2]], values: &[u8]| arguments(capabilities, 1, types, values);
    let fetch = |count: u32| about(0x1C, rows, &count.to_le_bytes());
    vec![
        execute(rows, 0, &with(&[INT], b"\x02\0\0\0")),
        execute(rows, 0, &with(&[], b"\x03\0\0\0")),
        execute(rows, CURSOR, &with(&[], b"\x03\0\0\0")),
        fetch(1),
        fetch(2),
        fetch(100),
        about(0x1A, rows, &[]),
        about(0x18, insert, b"\0\0long data "),
        about(0x18, insert, b"\0\0in two parts"),
        execute(insert, 0, &with(&[TEXT], b"")),
        execute(insert, 0, &with(&[TEXT], b"\x04here")),
        execute(nothing, 0, &[]),
        execute(constant, 0, &[]),
        execute(
            two,
            0,
            &arguments(capabilities, 2, &[INT, TEXT], b"\x07\0\0\0\x03two"),
        ),
        prepare("SELECT * FROM no_such_table"),
        prepare("SELECT 'prepared last'"),
        // The statement that was prepared last, as MariaDB's clients name it.
        execute(u32::MAX, 0, &[]),
        // MariaDB's bulk execution of two rows, with types.
        about(0xFA, insert, b"\x80\0\xfe\0\0\x01a\0\x01b"),
        about(0x19, rows, &[]),
        execute(rows, 0, &with(&[INT], b"\x02\0\0\0")),
    ]
}

/// Commands of other kinds.
fn others() -> Vec<Vec<u8>> {
    vec![
        b"\x0e".to_vec(),
        b"\x09".to_vec(),
        b"\x02mysql".to_vec(),
        b"\x02no_such_database".to_vec(),
        b"\x04user\0".to_vec(),
        b"\x1b\x01\0".to_vec(),
        b"\x1b\0\0".to_vec(),
        b"\x0d".to_vec(),
        b"\x0a".to_vec(),
        b"\x0c\xff\xff\xff\x7f".to_vec(),
        b"\x77".to_vec(),
        b"\x1f".to_vec(),
        execute(1, 0, &[]),
    ]
}

fn error_code(packet: &Packet) -> Option<u16> {
    match packet.1[..] {
        [0xFF, low, high, b'#', ..] => Some(u16::from_le_bytes([low, high])),
        _ => None,
    }
}
