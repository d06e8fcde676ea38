//! Builds messages and conversations, and lets them happen.

use crate::answer::{Answer, Datum, DatumKind};
use crate::proxy::postgres::reply::ServerError;
use crate::proxy::postgres::*;

pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;

/// A message of either side.
pub(super) fn message(tag: u8, body: impl AsRef<[u8]>) -> Message {
    let body = body.as_ref();
    let length = (body.len() as u32 + 4).to_be_bytes();
    Message {
        tag,
        bytes: [&[tag], length.as_slice(), body].concat(),
        is_continued: false,
        continues: false,
    }
}

/// A conversation whose client is in.
pub(super) fn begin() -> Conversation {
    let mut conversation = Conversation::new(&Startup::default());
    assert_eq!(
        conversation.authentication(&ready(b'I')),
        AuthProgress::Done
    );
    conversation
}

/// This message of the server's means nothing here.
pub(super) fn must_not_understand(conversation: &mut Conversation, message: &Message) {
    let progress = conversation.answer(message);
    assert!(
        matches!(progress, Progress::NotUnderstood(_)),
        "{progress:?}"
    );
}

// What a client sends.

pub(super) fn query(text: &str) -> Message {
    message(b'Q', format!("{text}\0"))
}

/// Prepares a statement. The server finds out the types of its arguments.
pub(super) fn parse(name: &str, text: &str) -> Message {
    parse_with(name, text, &[])
}

pub(super) fn parse_with(name: &str, text: &str, types: &[u32]) -> Message {
    let mut body = format!("{name}\0{text}\0").into_bytes();
    body.extend((types.len() as u16).to_be_bytes());
    body.extend(types.iter().flat_map(|it| it.to_be_bytes()));
    message(b'P', body)
}

/// Binds the unnamed portal, without arguments and with texts as its result.
pub(super) fn bind(statement: &str) -> Message {
    bind_with("", statement, &[], &[], &[])
}

pub(super) fn bind_with(
    portal: &str,
    statement: &str,
    formats: &[u16],
    arguments: &[Option<&[u8]>],
    result_formats: &[u16],
) -> Message {
    let counted = |numbers: &[u16]| {
        let all = [&[numbers.len() as u16], numbers].concat();
        all.into_iter()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<_>>()
    };
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    body.extend(counted(formats));
    body.extend(values(arguments));
    body.extend(counted(result_formats));
    message(b'B', body)
}

pub(super) fn describe_statement(name: &str) -> Message {
    message(b'D', format!("S{name}\0"))
}

pub(super) fn describe_portal(name: &str) -> Message {
    message(b'D', format!("P{name}\0"))
}

pub(super) fn close_statement(name: &str) -> Message {
    message(b'C', format!("S{name}\0"))
}

pub(super) fn close_portal(name: &str) -> Message {
    message(b'C', format!("P{name}\0"))
}

pub(super) fn execute(portal: &str) -> Message {
    message(b'E', format!("{portal}\0\0\0\0\0"))
}

pub(super) fn sync() -> Message {
    message(b'S', [])
}

pub(super) fn flush() -> Message {
    message(b'H', [])
}

/// Data of a COPY. The server sends the same.
pub(super) fn data(text: &str) -> Message {
    message(b'd', text)
}

/// The end of a COPY's data. The server sends the same.
pub(super) fn copy_done() -> Message {
    message(b'c', [])
}

// What a server sends.

pub(super) fn ready(state: u8) -> Message {
    message(b'Z', [state])
}

pub(super) fn parsed() -> Message {
    message(b'1', [])
}

pub(super) fn bound() -> Message {
    message(b'2', [])
}

pub(super) fn closed() -> Message {
    message(b'3', [])
}

pub(super) fn no_data() -> Message {
    message(b'n', [])
}

pub(super) fn parameters(types: &[u32]) -> Message {
    let count = (types.len() as u16).to_be_bytes();
    let types = types.iter().flat_map(|it| it.to_be_bytes());
    message(b't', count.into_iter().chain(types).collect::<Vec<_>>())
}

/// Columns whose values are texts.
pub(super) fn columns(columns: &[(&str, u32)]) -> Message {
    columns_as(0, columns)
}

/// Columns whose values have this format.
pub(super) fn columns_as(format: u16, columns: &[(&str, u32)]) -> Message {
    let mut body = (columns.len() as u16).to_be_bytes().to_vec();
    for (name, value_type) in columns {
        body.extend(name.as_bytes());
        body.extend([0; 7]);
        body.extend(value_type.to_be_bytes());
        body.extend([0, 4, 255, 255, 255, 255]);
        body.extend(format.to_be_bytes());
    }
    message(b'T', body)
}

pub(super) fn row(row: &[Option<&[u8]>]) -> Message {
    message(b'D', values(row))
}

pub(super) fn complete(tag: &str) -> Message {
    message(b'C', format!("{tag}\0"))
}

pub(super) fn suspended() -> Message {
    message(b's', [])
}

pub(super) fn nothing_to_run() -> Message {
    message(b'I', [])
}

pub(super) fn copy_in() -> Message {
    message(b'G', [0, 0, 0])
}

pub(super) fn copy_out() -> Message {
    message(b'H', [0, 0, 0])
}

pub(super) fn notice() -> Message {
    message(b'N', "SNOTICE\0C00000\0Mhear\0\0")
}

pub(super) fn notification() -> Message {
    message(b'A', "\0\0\0\x07channel\0payload\0")
}

pub(super) fn error(code: &str) -> Message {
    message(b'E', format!("SFEHLER\0VERROR\0C{code}\0Mno\0\0"))
}

pub(super) fn fatal() -> Message {
    message(b'E', "SFATAL\0VFATAL\0C57P01\0Mended\0\0")
}

fn values(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = (values.len() as u16).to_be_bytes().to_vec();
    for value in values {
        let length = value.map_or(-1, |it| it.len() as i32);
        body.extend(length.to_be_bytes());
        body.extend(value.unwrap_or_default());
    }
    body
}

// What happens.

/// Sends these messages, and returns the only unit that they complete.
pub(super) fn send(conversation: &mut Conversation, messages: &[Message]) -> Unit {
    for message in messages {
        assert_eq!(conversation.next_unit(), None, "before {message:x?}");
        conversation.client(message.clone());
    }
    let unit = conversation.next_unit();
    unit.unwrap_or_else(|| panic!("nothing goes to the server"))
}

/// Takes an answer. The last message completes it, and no other.
pub(super) fn listen(conversation: &mut Conversation, answer: &[Message]) -> Vec<StatementResult> {
    let (last, others) = answer.split_last().unwrap();
    for message in others {
        let progress = conversation.answer(message);
        assert_eq!(progress, Progress::GoesOn, "{message:x?}");
    }
    match conversation.answer(last) {
        Progress::Done(outcome) => outcome.results,
        other => panic!("{other:?} after {last:x?}"),
    }
}

/// Sends one unit, and takes its answer.
pub(super) fn ask(
    conversation: &mut Conversation,
    messages: &[Message],
    answer: &[Message],
) -> (What, Vec<StatementResult>) {
    let unit = send(conversation, messages);
    assert!(unit.awaits_answer, "{unit:?}");
    (unit.what, listen(conversation, answer))
}

/// Prepares a statement with the types of its arguments, and describes it.
pub(super) fn prepare(
    conversation: &mut Conversation,
    name: &str,
    text: &str,
    types: &[u32],
    described: Message,
) {
    let messages = [parse(name, text), describe_statement(name), sync()];
    let answer = [parsed(), parameters(types), described, ready(b'I')];
    assert_eq!(
        ask(conversation, &messages, &answer),
        (What::Passes, vec![])
    );
}

/// The bytes of these messages.
pub(super) fn bytes_of(messages: &[Message]) -> Vec<u8> {
    let messages = messages.iter().map(|it| it.bytes.as_slice());
    messages.collect::<Vec<_>>().concat()
}

// What is expected.

pub(super) fn runs(text: &str) -> What {
    What::Query {
        text: text.to_owned(),
    }
}

pub(super) fn executes(text: &str) -> What {
    executes_with(text, &[])
}

pub(super) fn executes_with(text: &str, arguments: &[Datum]) -> What {
    What::Execute {
        text: Some(text.to_owned()),
        arguments: arguments.to_vec(),
    }
}

pub(super) fn done(affected_rows: u64) -> StatementResult {
    StatementResult::Done { affected_rows }
}

pub(super) fn refused(code: &str) -> StatementResult {
    StatementResult::Refused(ServerError {
        code: code.to_owned(),
        severity: "ERROR".to_owned(),
        message: "no".to_owned(),
        detail: None,
        hint: None,
    })
}

pub(super) fn rows(columns: &[&str], rows: &[&[Datum]]) -> StatementResult {
    StatementResult::Rows(Answer {
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        rows: rows.iter().map(|row| row.to_vec()).collect(),
        row_count: rows.len() as u64,
    })
}

pub(super) fn value(text: &str, kind: DatumKind) -> Datum {
    Datum::Value {
        text: text.to_owned(),
        kind,
    }
}
