//! COPY, in both directions.

use super::building::*;
use crate::proxy::framing::Framing as _;
use crate::proxy::postgres::*;

const COPY: &str = "COPY t FROM STDIN";

/// Sends data of a COPY, all of it, and returns what goes to the server.
fn copy(conversation: &mut Conversation, messages: &[Message]) -> Vec<u8> {
    let (last, others) = messages.split_last().unwrap();
    let mut sent = Vec::new();
    for message in others {
        let data = conversation.client_data(message.clone());
        assert!(!data.is_last, "{message:x?}");
        sent.extend(data.bytes);
    }
    let data = conversation.client_data(last.clone());
    assert!(data.is_last, "{last:x?}");
    sent.extend(data.bytes);
    sent
}

/// Executes COPY with these last messages, and hears that it begins.
fn begin_execution(last: &[Message]) -> Conversation {
    let mut conversation = begin();
    let messages = [&[parse("", COPY), bind(""), execute("")], last].concat();
    let unit = send(&mut conversation, &messages);
    assert_eq!(unit.what, executes(COPY));
    await_client(&mut conversation, &[parsed(), bound(), copy_in()]);
    conversation
}

fn await_client(conversation: &mut Conversation, answer: &[Message]) {
    let (last, others) = answer.split_last().unwrap();
    for message in others {
        assert_eq!(conversation.answer(message), Progress::GoesOn);
    }
    assert_eq!(conversation.answer(last), Progress::AwaitsClient);
}

#[test]
fn a_query_may_copy_in() {
    let mut conversation = begin();
    send(&mut conversation, &[query(COPY)]);
    await_client(&mut conversation, &[copy_in()]);
    let messages = [data("1\n"), sync(), flush(), data("2\n"), copy_done()];
    assert_eq!(copy(&mut conversation, &messages), bytes_of(&messages));
    let answer = [complete("COPY 2"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [done(2)]);
}

#[test]
fn a_query_may_copy_in_twice() {
    let mut conversation = begin();
    send(
        &mut conversation,
        &[query("COPY t FROM STDIN; COPY u FROM STDIN")],
    );
    await_client(&mut conversation, &[copy_in()]);
    copy(&mut conversation, &[data("1\n"), copy_done()]);
    await_client(&mut conversation, &[complete("COPY 1"), copy_in()]);
    copy(&mut conversation, &[copy_done()]);
    let answer = [complete("COPY 0"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [done(1), done(0)]);
}

#[test]
fn the_client_may_give_up() {
    let mut conversation = begin();
    send(&mut conversation, &[query(COPY)]);
    await_client(&mut conversation, &[copy_in()]);
    copy(&mut conversation, &[data("1\n"), message(b'f', "why\0")]);
    let answer = [error("57014"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [refused("57014")]);
}

#[test]
fn the_client_may_give_up_an_execution() {
    let mut conversation = begin_execution(&[sync()]);
    let failure = [message(b'f', "why\0")];
    assert_eq!(copy(&mut conversation, &failure), bytes_of(&failure));
    assert_eq!(
        listen(&mut conversation, &[error("57014")]),
        [refused("57014")]
    );
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Passes);
}

#[test]
fn a_sync_before_the_data_is_not_answered() {
    let mut conversation = begin_execution(&[sync()]);
    let messages = [data("1\n"), copy_done(), sync()];
    assert_eq!(copy(&mut conversation, &messages), bytes_of(&messages));
    let answer = [complete("COPY 1"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [done(1)]);
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Passes);
}

#[test]
fn data_may_come_with_the_statement() {
    let mut conversation = begin();
    for message in [parse("", COPY), bind(""), execute(""), data("1\n")] {
        assert_eq!(conversation.next_unit(), None);
        conversation.client(message);
    }
    assert_eq!(conversation.next_unit().unwrap().what, executes(COPY));
    await_client(&mut conversation, &[parsed(), bound(), copy_in()]);
    let early = conversation.take_early_data();
    assert_eq!(early, Some(data("1\n")));
    assert_eq!(conversation.take_early_data(), None);
    copy(&mut conversation, &[data("2\n"), copy_done(), sync()]);
    let answer = [complete("COPY 2"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [done(2)]);
}

#[test]
fn the_end_of_the_data_waits_for_what_asks_for_the_answer() {
    let mut conversation = begin_execution(&[flush()]);
    let done_with_it = conversation.client_data(copy_done());
    assert_eq!(done_with_it.bytes, b"");
    assert!(!done_with_it.is_last);
    let last = conversation.client_data(sync());
    assert_eq!(last.bytes, bytes_of(&[copy_done(), sync()]));
    assert!(last.is_last);
    let answer = [complete("COPY 0"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [done(0)]);
}

#[test]
fn a_flush_after_the_data_leaves_the_commit_to_sync() {
    let mut conversation = begin_execution(&[flush()]);
    copy(&mut conversation, &[data("1\n"), copy_done(), flush()]);
    assert_eq!(listen(&mut conversation, &[complete("COPY 1")]), [done(1)]);
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Commit);
}

#[test]
fn what_follows_a_copy_is_a_unit_of_its_own() {
    let mut conversation = begin_execution(&[flush()]);
    let sent = copy(&mut conversation, &[copy_done(), query("SELECT 1")]);
    assert_eq!(sent, bytes_of(&[copy_done(), flush()]));
    assert_eq!(listen(&mut conversation, &[complete("COPY 0")]), [done(0)]);
    let unit = conversation.next_unit().unwrap();
    assert_eq!(unit.what, runs("SELECT 1"));
}

#[test]
fn a_copy_that_does_not_begin_answers_both_syncs() {
    let mut conversation = begin();
    let messages = [parse("", COPY), bind(""), execute(""), sync()];
    let answer = [parsed(), bound(), error("42P01"), ready(b'I')];
    let (_, results) = ask(&mut conversation, &messages, &answer);
    assert_eq!(results, [refused("42P01")]);
    for message in [data("1\n"), copy_done()] {
        assert!(!send(&mut conversation, &[message]).awaits_answer);
    }
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Passes);
}

#[test]
fn a_wrong_row_is_answered_with_one_state() {
    let mut conversation = begin_execution(&[sync()]);
    copy(&mut conversation, &[data("x\n"), copy_done(), sync()]);
    let answer = [error("22P02"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [refused("22P02")]);
    let answer = [complete("UPDATE 1"), ready(b'I')];
    let (_, results) = ask(&mut conversation, &[query("UPDATE t")], &answer);
    assert_eq!(results, [done(1)]);
}

#[test]
fn a_copy_that_is_refused_before_its_data_may_answer_both_syncs() {
    let mut conversation = begin_execution(&[sync()]);
    copy(&mut conversation, &[data("x\n"), copy_done(), sync()]);
    let answer = [error("P0001"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [refused("P0001")]);
    // The other one comes while nothing is asked, or before the answer to the next unit.
    send(&mut conversation, &[query("UPDATE t")]);
    assert_eq!(conversation.answer(&ready(b'I')), Progress::Unasked);
    let answer = [complete("UPDATE 1"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [done(1)]);
    must_not_understand(&mut conversation, &ready(b'I'));
}

#[test]
fn an_error_may_come_before_the_data_end() {
    let mut conversation = begin_execution(&[sync()]);
    conversation.client_data(data("x\n"));
    conversation.client_data(copy_done());
    assert_eq!(
        listen(&mut conversation, &[error("22P02")]),
        [refused("22P02")]
    );
    let rest = conversation.next_unit().unwrap();
    assert_eq!((rest.bytes, rest.awaits_answer), (copy_done().bytes, false));
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Passes);
}

#[test]
fn a_query_may_copy_out() {
    let answer = [
        copy_out(),
        data("1\n"),
        data("2\n"),
        copy_done(),
        complete("COPY 2"),
        ready(b'I'),
    ];
    let (_, results) = ask(&mut begin(), &[query("COPY t TO STDOUT")], &answer);
    assert_eq!(results, [done(2)]);
}

#[test]
fn an_execution_may_copy_out() {
    let messages = [parse("", "COPY t TO STDOUT"), bind(""), execute(""), sync()];
    let answer = [
        parsed(),
        bound(),
        copy_out(),
        data("1\n"),
        copy_done(),
        complete("COPY 1"),
        ready(b'I'),
    ];
    let (_, results) = ask(&mut begin(), &messages, &answer);
    assert_eq!(results, [done(1)]);
}

#[test]
fn a_copy_in_both_directions_is_not_understood() {
    let mut conversation = begin();
    send(&mut conversation, &[query("START_REPLICATION")]);
    must_not_understand(&mut conversation, &message(b'W', [0, 0, 0]));
}

#[test]
fn a_message_that_is_no_data_ends_a_copy() {
    for message in [query("SELECT 1"), close_portal(""), execute("")] {
        let mut conversation = begin_execution(&[flush()]);
        let sent = copy(&mut conversation, std::slice::from_ref(&message));
        assert_eq!(sent, message.bytes);
        let results = listen(&mut conversation, &[error("08P01")]);
        assert_eq!(results, [refused("08P01")]);
        assert_eq!(conversation.answer(&fatal()), Progress::Unasked);
    }
}

#[test]
fn data_may_come_in_pieces() {
    let whole = data(&"1\n".repeat(9 * 1024 * 1024));
    let mut conversation = begin_execution(&[sync()]);
    let mut reader = MessageReader::default();
    reader.fill(&whole.bytes);
    let pieces = std::iter::from_fn(|| reader.next_packet()).collect::<Vec<_>>();
    assert_eq!(pieces.len(), 2);
    let end = [copy_done(), sync()];
    let sent = copy(&mut conversation, &[pieces.as_slice(), &end].concat());
    assert!(sent == bytes_of(&[&[whole], end.as_slice()].concat()));
}

#[test]
fn the_rest_of_a_message_that_ended_a_copy_is_not_answered() {
    let whole = query(&format!("SELECT '{}'", "x".repeat(17 * 1024 * 1024)));
    let mut conversation = begin_execution(&[flush()]);
    let mut reader = MessageReader::default();
    reader.fill(&whole.bytes);
    let sent = copy(&mut conversation, &[reader.next_packet().unwrap()]);
    listen(&mut conversation, &[error("08P01")]);
    let rest = send(&mut conversation, &[reader.next_packet().unwrap()]);
    assert_eq!((&rest.what, rest.awaits_answer), (&What::Passes, false));
    assert!([sent, rest.bytes].concat() == whole.bytes);
}

#[test]
fn a_state_that_was_ignored_does_not_come_later() {
    let mut conversation = begin_execution(&[sync()]);
    copy(&mut conversation, &[data("x\n"), copy_done(), sync()]);
    listen(&mut conversation, &[error("22P02"), ready(b'I')]);
    let answer = [complete("UPDATE 1"), ready(b'I')];
    ask(&mut conversation, &[query("UPDATE t")], &answer);
    must_not_understand(&mut conversation, &ready(b'I'));
}

#[test]
fn the_state_after_a_refused_copy_ends_what_is_skipped() {
    let mut conversation = begin_execution(&[sync()]);
    assert_eq!(
        listen(&mut conversation, &[error("P0001")]),
        [refused("P0001")]
    );
    assert_eq!(conversation.answer(&ready(b'I')), Progress::Unasked);
    let unit = send(&mut conversation, &[query("SELECT 1")]);
    assert_eq!((unit.what, unit.awaits_answer), (runs("SELECT 1"), true));
}

#[test]
fn a_sync_within_the_data_of_a_query_may_be_answered() {
    let mut conversation = begin();
    send(&mut conversation, &[query(COPY)]);
    await_client(&mut conversation, &[copy_in()]);
    copy(&mut conversation, &[data("x\n"), sync(), copy_done()]);
    let answer = [error("22P02"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [refused("22P02")]);
    assert_eq!(conversation.answer(&ready(b'I')), Progress::Unasked);
}

#[test]
fn a_copy_that_has_ended_ignored_each_sync() {
    let mut conversation = begin();
    send(&mut conversation, &[query("COPY t FROM STDIN; SELECT 1/0")]);
    await_client(&mut conversation, &[copy_in()]);
    copy(&mut conversation, &[sync(), copy_done()]);
    let answer = [complete("COPY 0"), error("22012"), ready(b'I')];
    assert_eq!(
        listen(&mut conversation, &answer),
        [done(0), refused("22012")]
    );
    must_not_understand(&mut conversation, &ready(b'I'));
}

#[test]
fn the_reason_of_a_failure_may_come_in_pieces() {
    let whole = message(b'f', format!("{}\0", "x".repeat(17 * 1024 * 1024)));
    let mut reader = MessageReader::default();
    reader.fill(&whole.bytes);
    let pieces = std::iter::from_fn(|| reader.next_packet()).collect::<Vec<_>>();
    let mut conversation = begin_execution(&[sync()]);
    assert!(copy(&mut conversation, &pieces) == whole.bytes);
    assert_eq!(
        listen(&mut conversation, &[error("57014")]),
        [refused("57014")]
    );
}
