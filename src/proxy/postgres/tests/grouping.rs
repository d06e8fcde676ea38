//! Which messages go to the server together.

use super::building::*;
use crate::proxy::framing::Framing as _;
use crate::proxy::postgres::*;

/// The units that these messages make, each answered as the server does: with the results of
/// executions, and the state after a Sync.
fn units(messages: &[Message]) -> Vec<(Vec<u8>, What)> {
    let mut conversation = begin();
    let mut units = Vec::new();
    for message in messages {
        conversation.client(message.clone());
        while let Some(unit) = conversation.next_unit() {
            if unit.awaits_answer {
                answer_all(&mut conversation, &unit.bytes);
            }
            units.push((unit.bytes, unit.what));
        }
    }
    units
}

/// Answers each message of a unit.
fn answer_all(conversation: &mut Conversation, bytes: &[u8]) {
    let mut reader = MessageReader::default();
    reader.fill(bytes);
    let mut answers = Vec::new();
    while let Some(message) = reader.next_packet() {
        answers.extend(match message.tag {
            b'P' => vec![parsed()],
            b'B' => vec![bound()],
            b'C' => vec![closed()],
            b'D' => vec![no_data()],
            b'E' => vec![complete("UPDATE 1")],
            b'S' => vec![ready(b'I')],
            b'F' => vec![message_of_function(), ready(b'I')],
            b'Q' => vec![complete("UPDATE 1"), ready(b'I')],
            _ => vec![],
        });
    }
    listen(conversation, &answers);
}

fn message_of_function() -> Message {
    message(b'V', [255; 4])
}

/// The tags of the messages of each unit.
fn tags(messages: &[Message]) -> Vec<String> {
    let tags = units(messages).into_iter().map(|(bytes, _)| {
        let mut reader = MessageReader::default();
        reader.fill(&bytes);
        let messages = std::iter::from_fn(|| reader.next_packet());
        messages.map(|it| char::from(it.tag)).collect()
    });
    tags.collect()
}

#[test]
fn an_execution_goes_with_what_prepares_it_and_its_sync() {
    let messages = [
        parse("", "DELETE FROM t"),
        bind(""),
        describe_portal(""),
        execute(""),
        sync(),
    ];
    let expected = (bytes_of(&messages), executes("DELETE FROM t"));
    assert_eq!(units(&messages), [expected]);
}

#[test]
fn what_runs_nothing_passes() {
    let prepares = [parse("a", "SELECT 1"), describe_statement("a"), sync()];
    assert_eq!(units(&prepares), [(bytes_of(&prepares), What::Passes)]);
    let closes = [close_statement("a"), close_portal("b"), flush()];
    assert_eq!(units(&closes), [(bytes_of(&closes), What::Passes)]);
}

#[test]
fn each_execution_of_a_pipeline_is_a_unit_and_so_is_its_sync() {
    let messages = [
        parse("", "DELETE FROM a"),
        bind(""),
        execute(""),
        parse("", "DELETE FROM b"),
        bind(""),
        execute(""),
        close_portal(""),
        sync(),
    ];
    assert_eq!(tags(&messages), ["PBEH", "PBEH", "CS"]);
    let units = units(&messages);
    assert_eq!(units[0].0, bytes_of(&[&messages[..3], &[flush()]].concat()));
    assert_eq!(units[0].1, executes("DELETE FROM a"));
    assert_eq!(
        units[1].0,
        bytes_of(&[&messages[3..6], &[flush()]].concat())
    );
    assert_eq!(units[1].1, executes("DELETE FROM b"));
    assert_eq!(units[2], (bytes_of(&messages[6..]), What::Commit));
}

#[test]
fn a_sync_after_the_last_execution_of_a_block_goes_with_it() {
    let messages = [
        [parse("", "BEGIN"), bind(""), execute("")],
        [parse("", "DELETE FROM b"), bind(""), execute("")],
    ];
    let mut conversation = begin();
    send(&mut conversation, &[&messages[0][..], &[sync()]].concat());
    let answer = [parsed(), bound(), complete("BEGIN"), ready(b'T')];
    listen(&mut conversation, &answer);
    let last = [&messages[1][..], &[sync()]].concat();
    let unit = send(&mut conversation, &last);
    assert_eq!(unit.bytes, bytes_of(&last));
}

#[test]
fn an_execution_waits_for_what_follows_it() {
    let mut conversation = begin();
    for message in [
        parse("", "SELECT 1"),
        bind(""),
        execute(""),
        close_portal(""),
    ] {
        conversation.client(message);
        assert_eq!(conversation.next_unit(), None);
    }
    conversation.client(sync());
    assert!(conversation.next_unit().is_some());
}

#[test]
fn a_flush_of_the_client_ends_a_unit() {
    let messages = [
        parse("", "SELECT 1"),
        bind(""),
        execute(""),
        flush(),
        sync(),
    ];
    assert_eq!(tags(&messages), ["PBEH", "S"]);
}

#[test]
fn whatever_follows_an_execution_is_a_unit_of_its_own() {
    let executes = [parse("", "SELECT 1"), bind(""), execute("")];
    let cases = [
        (query("SELECT 2"), "Q"),
        (message(b'F', [0; 10]), "F"),
        (message(b'X', []), "X"),
    ];
    for (message, tag) in cases {
        let messages = [executes.as_slice(), &[message]].concat();
        assert_eq!(tags(&messages), ["PBEH", tag]);
    }
}

#[test]
fn a_query_goes_with_what_was_prepared_before_it() {
    let messages = [parse("a", "SELECT 1"), query("SELECT 2")];
    assert_eq!(units(&messages), [(bytes_of(&messages), runs("SELECT 2"))]);
}

#[test]
fn a_flush_that_asks_for_nothing_is_not_answered() {
    let unit = send(&mut begin(), &[flush()]);
    assert_eq!((unit.what, unit.awaits_answer), (What::Passes, false));
}

#[test]
fn data_of_a_copy_that_is_over_is_not_answered() {
    for message in [data("1\n"), copy_done(), message(b'f', "no\0")] {
        let unit = send(&mut begin(), std::slice::from_ref(&message));
        assert!(!unit.awaits_answer);
        assert_eq!((unit.bytes, unit.what), (message.bytes, What::Passes));
    }
}

#[test]
fn a_function_is_named_by_its_number() {
    let body = [0, 0, 6, 62, 0, 0, 0, 0, 0, 0];
    let messages = [message(b'F', body)];
    assert_eq!(
        units(&messages),
        [(bytes_of(&messages), runs("SELECT function 1598"))]
    );
}

#[test]
fn the_end_of_the_connection_is_not_answered() {
    let unit = send(&mut begin(), &[message(b'X', [])]);
    assert_eq!((unit.what, unit.awaits_answer), (What::Terminate, false));
}

#[test]
fn a_long_message_is_joined_again() {
    let whole = query(&format!("SELECT '{}'", "x".repeat(17 * 1024 * 1024)));
    let mut reader = MessageReader::default();
    reader.fill(&whole.bytes);
    let mut conversation = begin();
    let first = reader.next_packet().unwrap();
    assert!(first.is_continued);
    conversation.client(first);
    assert_eq!(conversation.next_unit(), None);
    conversation.client(reader.next_packet().unwrap());
    let unit = conversation.next_unit().unwrap();
    assert!(unit.bytes == whole.bytes);
    let What::Query { text } = unit.what else {
        panic!("{:?}", unit.what);
    };
    assert_eq!(text.chars().count(), 64 * 1024 + 1);
    assert!(text.ends_with("x…"));
}

#[test]
fn what_is_not_understood_is_only_forwarded() {
    for unknown in [message(b'p', "password\0"), message(b'!', [])] {
        let mut conversation = begin();
        conversation.client(parse("", "SELECT 1"));
        conversation.client(unknown.clone());
        conversation.client(sync());
        let unit = conversation.next_unit().unwrap();
        assert!(matches!(unit.what, What::Opaque(_)), "{:?}", unit.what);
        let expected = bytes_of(&[parse("", "SELECT 1"), unknown, sync()]);
        assert_eq!((unit.bytes, unit.awaits_answer), (expected, false));
        let unit = send(&mut conversation, &[sync()]);
        assert!(matches!(unit.what, What::Opaque(_)), "{:?}", unit.what);
    }
}

#[test]
fn a_message_without_a_length_is_only_forwarded() {
    let mut reader = MessageReader::default();
    reader.fill(b"Q\0\0\0\x03SELECT 1\0");
    let broken = reader.next_packet().unwrap();
    let unit = send(&mut begin(), std::slice::from_ref(&broken));
    assert!(matches!(unit.what, What::Opaque(_)), "{:?}", unit.what);
    assert_eq!(unit.bytes, broken.bytes);
}

#[test]
fn what_was_not_sent_can_be_taken_back() {
    let mut conversation = begin();
    let messages = [parse("", "SELECT 1"), bind("")];
    for message in &messages {
        conversation.client(message.clone());
    }
    assert_eq!(conversation.take_held(), bytes_of(&messages));
    assert_eq!(conversation.take_held(), b"");
}
