//! Builds packets and conversations, and lets them happen.

use crate::answer::{Answer, Datum, DatumKind};
use crate::proxy::mysql::reply::ServerError;
use crate::proxy::mysql::*;

/// What a MySQL server offers and all drivers ask for.
pub(super) const BASE: Capabilities = Capabilities(0x00BF_A20F);

/// Both ways to end definitions and rows.
pub(super) const BOTH_ENDS: [Capabilities; 2] =
    [BASE, Capabilities(BASE.0 | Capabilities::DEPRECATE_EOF.0)];

pub(super) const AUTOCOMMIT: u16 = 0x0002;
pub(super) const IN_TRANSACTION: u16 = 0x0001;
pub(super) const MORE: u16 = 0x0008;
pub(super) const CURSOR: u16 = 0x0040;
pub(super) const LAST_ROW: u16 = 0x0080;
pub(super) const OUT_PARAMETERS: u16 = 0x1000;

pub(super) const LONG: u8 = 0x03;
pub(super) const VARCHAR: u8 = 0xFD;
pub(super) const BLOB: u8 = 0xFC;

pub(super) fn greeting(offered: Capabilities, version: &str) -> Vec<u8> {
    let [low, second, third, high, upper @ ..] = offered.0.to_le_bytes();
    let mut payload = vec![10];
    payload.extend(version.as_bytes());
    payload.extend([0, 7, 0, 0, 0]);
    payload.extend(b"scramble\0");
    payload.extend([low, second, 0xFF, 2, 0, third, high, 21]);
    payload.extend([0; 6]);
    payload.extend(upper);
    payload.extend(b"of-12-bytes!\0caching_sha2_password\0");
    payload
}

/// A response by `app`, who has a password, for the database `shop`.
pub(super) fn response(asked: Capabilities) -> Vec<u8> {
    let [low, second, third, high, upper @ ..] = asked.0.to_le_bytes();
    let mut payload = vec![low, second, third, high, 0, 0, 0, 1, 45];
    payload.extend([0; 19]);
    payload.extend(upper);
    payload.extend(b"app\0\x03\xAA\xBB\xCCshop\0caching_sha2_password\0");
    payload
}

pub(super) fn packet(payload: impl Into<Vec<u8>>) -> Packet {
    Packet {
        sequence: 1,
        payload: payload.into(),
    }
}

/// A conversation that agreed on these, and whose authentication is over.
pub(super) fn begin(agreed: Capabilities) -> Conversation {
    let mut conversation = greet(agreed);
    let progress = conversation.authentication(&packet(ok(AUTOCOMMIT)));
    assert!(matches!(progress, AuthProgress::Done(_)), "{progress:?}");
    conversation
}

/// A conversation whose authentication begins.
pub(super) fn greet(agreed: Capabilities) -> Conversation {
    let shown = Greeting::read(&greeting(agreed, "9.7.4")).unwrap();
    let hello = ClientHello::read(&response(agreed), &shown).unwrap();
    let ClientHello::Response(response) = hello else {
        panic!("{hello:?}");
    };
    Conversation::new(&shown, &response)
}

/// Sends a command, and returns its outcome. The last packet completes the answer, and no other.
pub(super) fn ask(
    conversation: &mut Conversation,
    command: &[u8],
    answer: &[Vec<u8>],
) -> Vec<StatementResult> {
    let command = conversation.command(command);
    assert_eq!(command.answered, Answered::Once, "{command:?}");
    listen(conversation, answer)
}

/// Takes an answer. The last packet completes it, and no other.
pub(super) fn listen(conversation: &mut Conversation, answer: &[Vec<u8>]) -> Vec<StatementResult> {
    let (last, others) = answer.split_last().unwrap();
    for payload in others {
        let progress = conversation.answer(&packet(payload.as_slice()));
        assert_eq!(progress, Progress::GoesOn, "{payload:x?}");
    }
    match conversation.answer(&packet(last.as_slice())) {
        Progress::Done(outcome) => outcome.results,
        other => panic!("{other:?} after {last:x?}"),
    }
}

pub(super) fn query(text: &str) -> Vec<u8> {
    [b"\x03", text.as_bytes()].concat()
}

pub(super) fn ok(flags: u16) -> Vec<u8> {
    ok_of(0, 0, flags)
}

pub(super) fn ok_of(affected_rows: u8, last_insert_id: u8, flags: u16) -> Vec<u8> {
    let [low, high] = flags.to_le_bytes();
    vec![0x00, affected_rows, last_insert_id, low, high, 0, 0]
}

pub(super) fn eof(flags: u16) -> Vec<u8> {
    let [low, high] = flags.to_le_bytes();
    vec![0xFE, 0, 0, low, high]
}

/// What ends rows: an EOF packet, or an OK packet in its place.
pub(super) fn end(agreed: Capabilities, flags: u16) -> Vec<u8> {
    if agreed.has(Capabilities::DEPRECATE_EOF) {
        let [low, high] = flags.to_le_bytes();
        vec![0xFE, 0, 0, low, high, 0, 0]
    } else {
        eof(flags)
    }
}

pub(super) fn err(code: u16) -> Vec<u8> {
    let [low, high] = code.to_le_bytes();
    [&[0xFF, low, high], b"#42000no".as_slice()].concat()
}

pub(super) fn refused(code: u16) -> StatementResult {
    StatementResult::Refused(ServerError {
        code,
        state: Some("42000".to_owned()),
        message: "no".to_owned(),
    })
}

pub(super) fn done(affected_rows: u64, last_insert_id: u64) -> StatementResult {
    StatementResult::Done {
        affected_rows,
        last_insert_id,
    }
}

pub(super) fn rows(columns: &[&str], rows: &[&[Datum]]) -> StatementResult {
    StatementResult::Rows(Answer {
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        rows: rows.iter().map(|row| row.to_vec()).collect(),
        row_count: rows.len() as u64,
    })
}

pub(super) fn bytes(digits: &str) -> Datum {
    Datum::Value {
        text: digits.to_owned(),
        kind: DatumKind::Bytes,
    }
}

pub(super) fn typed(text: &str, name: &str) -> Datum {
    Datum::Value {
        text: text.to_owned(),
        kind: DatumKind::Typed(name.to_owned()),
    }
}

/// A definition of a column, with the collation utf8mb4 unless it is a number or a blob.
pub(super) fn column(name: &str, number: u8) -> Vec<u8> {
    let collation = if matches!(number, VARCHAR | 0xFE) {
        255
    } else {
        63
    };
    column_with(name, number, collation, 0, 0)
}

pub(super) fn column_with(
    name: &str,
    number: u8,
    collation: u8,
    flags: u8,
    decimals: u8,
) -> Vec<u8> {
    let mut payload = b"\x03def\0\0\0".to_vec();
    payload.push(name.len() as u8);
    payload.extend(name.as_bytes());
    payload.extend([
        0, 0x0C, collation, 0, 5, 0, 0, 0, number, flags, 0, decimals, 0, 0,
    ]);
    payload
}

/// A row of the text protocol.
pub(super) fn text_row(values: &[Option<&str>]) -> Vec<u8> {
    let mut payload = Vec::new();
    for value in values {
        match value {
            None => payload.push(0xFB),
            Some(text) => {
                payload.push(text.len() as u8);
                payload.extend(text.as_bytes());
            }
        }
    }
    payload
}

/// A whole result: the number of columns, their definitions, and the rows.
pub(super) fn result(
    agreed: Capabilities,
    columns: &[Vec<u8>],
    rows: &[Vec<u8>],
    flags: u16,
) -> Vec<Vec<u8>> {
    let mut packets = vec![vec![columns.len() as u8]];
    packets.extend(columns.iter().cloned());
    if !agreed.has(Capabilities::DEPRECATE_EOF) {
        packets.push(eof(flags));
    }
    packets.extend(rows.iter().cloned());
    packets.push(end(agreed, flags));
    packets
}

/// The answer to PREPARE of the statement with this id.
pub(super) fn preparation(
    agreed: Capabilities,
    id: u8,
    parameters: &[Vec<u8>],
    columns: &[Vec<u8>],
) -> Vec<Vec<u8>> {
    let counts = [columns.len() as u8, 0, parameters.len() as u8, 0];
    let mut packets = vec![[&[0, id, 0, 0, 0], counts.as_slice(), &[0, 0, 0]].concat()];
    for definitions in [parameters, columns] {
        packets.extend(definitions.iter().cloned());
        if !definitions.is_empty() && !agreed.has(Capabilities::DEPRECATE_EOF) {
            packets.push(eof(AUTOCOMMIT));
        }
    }
    packets
}

/// A conversation in which `text` is prepared as the statement with the id 1, with these parameters
/// and columns.
pub(super) fn begin_prepared(
    agreed: Capabilities,
    text: &str,
    parameters: usize,
    columns: &[Vec<u8>],
) -> Conversation {
    let mut conversation = begin(agreed);
    let command = [b"\x16", text.as_bytes()].concat();
    let parameters = vec![column("?", VARCHAR); parameters];
    let answer = preparation(agreed, 1, &parameters, columns);
    assert_eq!(ask(&mut conversation, &command, &answer), [done(0, 0)]);
    conversation
}

/// EXECUTE of the statement with the id 1.
pub(super) fn execute(flags: u8, arguments: &[u8]) -> Vec<u8> {
    [&[0x17, 1, 0, 0, 0, flags, 1, 0, 0, 0], arguments].concat()
}
