//! Queries: everything in a single message.

use super::building::*;
use crate::answer::{Answer, Datum};
use crate::proxy::framing::Framing as _;
use crate::proxy::postgres::*;

#[test]
fn a_query_is_done_when_the_server_waits_for_the_client() {
    let mut conversation = begin();
    let answer = [
        columns(&[("id", INT4), ("name", TEXT)]),
        row(&[Some(b"1"), Some(b"a")]),
        row(&[Some(b"2"), None]),
        complete("SELECT 2"),
        ready(b'I'),
    ];
    let text = "SELECT * FROM t";
    let (what, results) = ask(&mut conversation, &[query(text)], &answer);
    assert_eq!(what, runs(text));
    let two: [&[Datum]; 2] = [
        &[Datum::number(1), Datum::text("a")],
        &[Datum::number(2), Datum::Null],
    ];
    assert_eq!(results, [rows(&["id", "name"], &two)]);
}

#[test]
fn the_server_counts_what_was_changed() {
    const CASES: [(&str, u64); 7] = [
        ("INSERT 0 3", 3),
        ("UPDATE 12", 12),
        ("DELETE 0", 0),
        ("COPY 5", 5),
        ("SELECT 7", 7),
        ("CREATE TABLE", 0),
        ("MERGE 2", 2),
    ];
    for (tag, affected_rows) in CASES {
        let answer = [complete(tag), ready(b'I')];
        let (_, results) = ask(&mut begin(), &[query("…")], &answer);
        assert_eq!(results, [done(affected_rows)], "{tag}");
    }
}

#[test]
fn rows_that_an_insert_returns_are_rows() {
    let answer = [
        columns(&[("id", INT4)]),
        row(&[Some(b"5")]),
        complete("INSERT 0 1"),
        ready(b'I'),
    ];
    let (_, results) = ask(&mut begin(), &[query("INSERT …")], &answer);
    assert_eq!(results, [rows(&["id"], &[&[Datum::number(5)]])]);
}

#[test]
fn each_statement_of_a_query_has_a_result() {
    let answer = [
        complete("UPDATE 1"),
        columns(&[("a", INT4)]),
        complete("SELECT 0"),
        complete("UPDATE 2"),
        ready(b'I'),
    ];
    let text = "UPDATE t; SELECT a FROM t; UPDATE u";
    let (what, results) = ask(&mut begin(), &[query(text)], &answer);
    assert_eq!(what, runs(text));
    assert_eq!(results, [done(1), rows(&["a"], &[]), done(2)]);
}

#[test]
fn an_error_ends_a_query_of_several_statements() {
    let mut conversation = begin();
    let answer = [
        complete("UPDATE 1"),
        columns(&[("a", INT4)]),
        row(&[Some(b"1")]),
        error("22012"),
        ready(b'I'),
    ];
    let (_, results) = ask(&mut conversation, &[query("UPDATE t; SELECT 1/b")], &answer);
    assert_eq!(results, [done(1), refused("22012")]);
    let answer = [complete("UPDATE 3"), ready(b'I')];
    let (_, results) = ask(&mut conversation, &[query("UPDATE t")], &answer);
    assert_eq!(results, [done(3)]);
}

#[test]
fn an_empty_query_runs_nothing() {
    let answer = [nothing_to_run(), ready(b'I')];
    let (_, results) = ask(&mut begin(), &[query("")], &answer);
    assert_eq!(results, [done(0)]);
}

#[test]
fn the_state_says_whether_a_transaction_is_open() {
    let mut conversation = begin();
    let cases = [
        ("BEGIN", b'T', true, false),
        ("SELEC", b'E', true, true),
        ("ROLLBACK", b'I', false, false),
    ];
    for (text, state, is_open, has_failed) in cases {
        let answer = [complete(text), ready(state)];
        ask(&mut conversation, &[query(text)], &answer);
        assert_eq!(conversation.in_transaction(), Some(is_open), "{text}");
        assert_eq!(conversation.has_failed(), has_failed, "{text}");
    }
}

#[test]
fn an_error_in_a_block_fails_it() {
    let mut conversation = begin();
    let answer = [complete("BEGIN"), ready(b'T')];
    ask(&mut conversation, &[query("BEGIN")], &answer);
    let unit = send(&mut conversation, &[query("SELEC")]);
    assert!(unit.awaits_answer);
    assert_eq!(conversation.answer(&error("42601")), Progress::GoesOn);
    assert!(conversation.has_failed());
    listen(&mut conversation, &[ready(b'E')]);
    assert!(conversation.has_failed());
}

#[test]
fn rows_beyond_the_most_are_counted() {
    let row = row(&[Some(b"1")]);
    let end = [complete("SELECT 101"), ready(b'I')];
    let answer = [vec![columns(&[("a", INT4)])], vec![row; 101], end.to_vec()].concat();
    let (_, results) = ask(&mut begin(), &[query("SELECT a")], &answer);
    let [
        StatementResult::Rows(Answer {
            rows, row_count, ..
        }),
    ] = results.as_slice()
    else {
        panic!("{results:?}");
    };
    assert_eq!((rows.len(), *row_count), (100, 101));
}

#[test]
fn a_row_that_is_too_long_is_counted() {
    let mut conversation = begin();
    send(&mut conversation, &[query("SELECT a")]);
    let long = vec![b'x'; 17 * 1024 * 1024];
    let mut reader = MessageReader::default();
    reader.fill(&bytes_of(&[
        columns(&[("a", TEXT)]),
        row(&[Some(&long)]),
        row(&[Some(b"y")]),
        complete("SELECT 2"),
        ready(b'I'),
    ]));
    let answer = std::iter::from_fn(|| reader.next_packet()).collect::<Vec<_>>();
    assert_eq!(answer.len(), 6);
    let results = listen(&mut conversation, &answer);
    let expected = Answer {
        columns: vec!["a".to_owned()],
        rows: vec![vec![Datum::text("y")]],
        row_count: 2,
    };
    assert_eq!(results, [StatementResult::Rows(expected)]);
}

#[test]
fn the_result_of_a_function_is_not_kept() {
    let mut conversation = begin();
    let call = message(b'F', [0, 0, 6, 62, 0, 0, 0, 0, 0, 0]);
    let result = message(b'V', [0, 0, 0, 1, b'7']);
    let answer = [result, ready(b'I')];
    let (_, results) = ask(&mut conversation, std::slice::from_ref(&call), &answer);
    assert_eq!(results, [done(0)]);
    let answer = [error("42883"), ready(b'I')];
    let (_, results) = ask(&mut conversation, &[call], &answer);
    assert_eq!(results, [refused("42883")]);
}

#[test]
fn an_answer_to_nothing_is_not_understood() {
    let mut conversation = begin();
    must_not_understand(&mut conversation, &complete("SELECT 1"));
    let unit = send(&mut conversation, &[query("SELECT 1")]);
    assert!(matches!(unit.what, What::Opaque(_)), "{:?}", unit.what);
}

#[test]
fn the_state_does_not_come_before_a_result() {
    let mut conversation = begin();
    send(&mut conversation, &[query("SELECT 1")]);
    must_not_understand(&mut conversation, &ready(b'I'));
}
