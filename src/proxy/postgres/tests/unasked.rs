//! What the server says although nothing was asked.

use super::building::*;
use crate::answer::Datum;
use crate::proxy::framing::Framing as _;
use crate::proxy::postgres::*;

#[test]
fn an_idle_client_may_hear_something() {
    let mut conversation = begin();
    let setting = message(b'S', "TimeZone\0UTC\0");
    for message in [notification(), notice(), setting, fatal()] {
        assert_eq!(conversation.answer(&message), Progress::Unasked);
    }
}

#[test]
fn a_notification_within_a_result_is_no_part_of_it() {
    let mut conversation = begin();
    send(&mut conversation, &[query("SELECT a")]);
    let one = row(&[Some(b"1")]);
    let unasked = [notification(), message(b'S', "TimeZone\0UTC\0")];
    let answer = [columns(&[("a", INT4)]), one, complete("SELECT 1")];
    for message in &answer {
        assert_eq!(conversation.answer(message), Progress::GoesOn);
        for unasked in &unasked {
            assert_eq!(conversation.answer(unasked), Progress::Unasked);
        }
    }
    let results = listen(&mut conversation, &[ready(b'I')]);
    assert_eq!(results, [rows(&["a"], &[&[Datum::number(1)]])]);
}

#[test]
fn a_notice_within_an_answer_is_a_part_of_it() {
    let answer = [notice(), complete("DROP TABLE"), notice(), ready(b'I')];
    let (_, results) = ask(&mut begin(), &[query("DROP TABLE IF EXISTS t")], &answer);
    assert_eq!(results, [done(0)]);
}

#[test]
fn a_fatal_error_is_the_whole_answer() {
    for messages in [
        vec![query("SELECT 1")],
        vec![parse("", "SELECT 1"), bind(""), execute(""), sync()],
    ] {
        let mut conversation = begin();
        let (_, results) = ask(&mut conversation, &messages, &[fatal()]);
        let [StatementResult::Refused(error)] = results.as_slice() else {
            panic!("{results:?}");
        };
        assert_eq!(
            (error.code.as_str(), error.severity.as_str()),
            ("57P01", "FATAL")
        );
    }
}

#[test]
fn the_severity_of_an_old_server_is_read_too() {
    let old = message(b'E', "SFATAL\0C57P01\0Mended\0\0");
    let (_, results) = ask(&mut begin(), &[query("SELECT 1")], &[old]);
    assert_eq!(results.len(), 1);
}

#[test]
fn a_message_of_the_server_without_a_length_is_not_understood() {
    let mut reader = MessageReader::default();
    reader.fill(b"Z\0\0\0\x02I");
    let progress = begin().answer(&reader.next_packet().unwrap());
    assert!(
        matches!(progress, Progress::NotUnderstood(_)),
        "{progress:?}"
    );
}
