//! Names of statements, their arguments and their columns.

use super::building::*;
use crate::answer::{Datum, DatumKind};
use crate::proxy::postgres::*;

/// What is executed of a statement with this name.
fn executed(conversation: &mut Conversation, name: &str) -> What {
    let unit = send(conversation, &[bind(name), execute(""), sync()]);
    let answer = [bound(), complete("SELECT 0"), ready(b'I')];
    listen(conversation, &answer);
    unit.what
}

fn unknown() -> What {
    What::Execute {
        text: None,
        arguments: vec![],
    }
}

#[test]
fn a_statement_is_known_by_its_name() {
    let mut conversation = begin();
    prepare(&mut conversation, "a", "SELECT 1", &[], no_data());
    prepare(&mut conversation, "b", "SELECT 2", &[], no_data());
    assert_eq!(executed(&mut conversation, "a"), executes("SELECT 1"));
    assert_eq!(executed(&mut conversation, "b"), executes("SELECT 2"));
    assert_eq!(executed(&mut conversation, "c"), unknown());
}

#[test]
fn the_unnamed_statement_is_replaced() {
    let mut conversation = begin();
    for text in ["SELECT 1", "SELECT 2"] {
        prepare(&mut conversation, "", text, &[], no_data());
        assert_eq!(executed(&mut conversation, ""), executes(text));
    }
}

#[test]
fn the_unnamed_statement_ends_with_a_query_or_a_refusal() {
    let refused = [parse("", "SELEC"), sync()];
    let cases = [
        (
            vec![query("SELECT 2")],
            vec![complete("SELECT 1"), ready(b'I')],
        ),
        (refused.to_vec(), vec![error("42601"), ready(b'I')]),
    ];
    for (messages, answer) in cases {
        let mut conversation = begin();
        prepare(&mut conversation, "", "SELECT 1", &[], no_data());
        prepare(&mut conversation, "a", "SELECT 3", &[], no_data());
        ask(&mut conversation, &messages, &answer);
        assert_eq!(executed(&mut conversation, ""), unknown());
        assert_eq!(executed(&mut conversation, "a"), executes("SELECT 3"));
    }
}

#[test]
fn a_name_that_is_taken_keeps_its_statement() {
    let mut conversation = begin();
    prepare(&mut conversation, "a", "SELECT 1", &[], no_data());
    let answer = [error("42P05"), ready(b'I')];
    ask(
        &mut conversation,
        &[parse("a", "SELECT 2"), sync()],
        &answer,
    );
    assert_eq!(executed(&mut conversation, "a"), executes("SELECT 1"));
}

#[test]
fn a_closed_statement_is_not_known() {
    let mut conversation = begin();
    prepare(&mut conversation, "a", "SELECT 1", &[], no_data());
    let messages = [close_statement("a"), bind("a"), execute(""), sync()];
    let unit = send(&mut conversation, &messages);
    assert_eq!(unit.what, unknown());
    listen(&mut conversation, &[closed(), error("26000"), ready(b'I')]);
    assert_eq!(executed(&mut conversation, "a"), unknown());
}

#[test]
fn a_statement_may_be_deallocated_by_name() {
    let mut conversation = begin();
    for name in ["a", "B", "c"] {
        prepare(&mut conversation, name, "SELECT 1", &[], no_data());
    }
    let text = "DEALLOCATE A; DEALLOCATE PREPARE \"B\"";
    let answer = [complete("DEALLOCATE"), complete("DEALLOCATE"), ready(b'I')];
    ask(&mut conversation, &[query(text)], &answer);
    assert_eq!(executed(&mut conversation, "a"), unknown());
    assert_eq!(executed(&mut conversation, "B"), unknown());
    assert_eq!(executed(&mut conversation, "c"), executes("SELECT 1"));
}

#[test]
fn a_refused_deallocation_forgets_nothing() {
    let mut conversation = begin();
    prepare(&mut conversation, "a", "SELECT 1", &[], no_data());
    let answer = [error("25P02"), ready(b'I')];
    ask(&mut conversation, &[query("DEALLOCATE a")], &answer);
    assert_eq!(executed(&mut conversation, "a"), executes("SELECT 1"));
}

#[test]
fn all_statements_may_be_deallocated() {
    for text in ["DEALLOCATE ALL", "DISCARD ALL"] {
        let by_query = (vec![query(text)], vec![complete(text), ready(b'I')]);
        let by_execution = (
            vec![parse("", text), bind(""), execute(""), sync()],
            vec![parsed(), bound(), complete(text), ready(b'I')],
        );
        for (messages, answer) in [by_query, by_execution] {
            let mut conversation = begin();
            prepare(&mut conversation, "a", "SELECT 1", &[], no_data());
            ask(&mut conversation, &messages, &answer);
            assert_eq!(executed(&mut conversation, "a"), unknown(), "{text}");
        }
    }
}

#[test]
fn a_statement_of_sql_is_no_statement_of_a_message() {
    let mut conversation = begin();
    let answer = [complete("PREPARE"), ready(b'I')];
    ask(
        &mut conversation,
        &[query("PREPARE a AS SELECT 1")],
        &answer,
    );
    assert_eq!(executed(&mut conversation, "a"), unknown());
}

/// The arguments of an execution with these types, all in this format.
fn arguments(types: &[u32], format: u16, values: &[Option<&[u8]>]) -> Vec<Datum> {
    let messages = [
        parse_with("", "SELECT $1", types),
        bind_with("", "", &[format], values, &[]),
        execute(""),
        sync(),
    ];
    match send(&mut begin(), &messages).what {
        What::Execute { arguments, .. } => arguments,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_types_of_arguments_may_come_with_the_statement() {
    let values: [Option<&[u8]>; 3] = [Some(b"5"), None, Some(b"x")];
    let expected = [Datum::number(5), Datum::Null, Datum::text("x")];
    assert_eq!(arguments(&[INT4, INT4, TEXT], 0, &values), expected);
}

#[test]
fn an_argument_of_an_unknown_type_is_a_text_or_bytes() {
    assert_eq!(arguments(&[], 0, &[Some(b"5")]), [Datum::text("5")]);
    let bytes = value("05", DatumKind::Bytes);
    assert_eq!(arguments(&[], 1, &[Some(b"\x05")]), [bytes]);
}

#[test]
fn each_argument_may_have_a_format() {
    let mut conversation = begin();
    let messages = [
        parse_with("", "SELECT $1, $2", &[INT4, INT4]),
        bind_with("", "", &[0, 1], &[Some(b"5"), Some(&[0, 0, 0, 6])], &[]),
        execute(""),
        sync(),
    ];
    let expected = executes_with("SELECT $1, $2", &[Datum::number(5), Datum::number(6)]);
    assert_eq!(send(&mut conversation, &messages).what, expected);
}

#[test]
fn the_server_may_say_the_types_of_arguments() {
    let mut conversation = begin();
    prepare(&mut conversation, "a", "SELECT $1", &[INT4], no_data());
    let messages = [
        bind_with("", "a", &[1], &[Some(&[0, 0, 0, 7])], &[]),
        execute(""),
        sync(),
    ];
    let expected = executes_with("SELECT $1", &[Datum::number(7)]);
    assert_eq!(send(&mut conversation, &messages).what, expected);
}

#[test]
fn arguments_that_cannot_be_read_are_left_out() {
    let mut conversation = begin();
    let messages = [
        parse("", "SELECT $1"),
        message(b'B', b"\0\0\0\0\0\x01\0\0\0\x09short"),
        execute(""),
        sync(),
    ];
    assert_eq!(
        send(&mut conversation, &messages).what,
        executes("SELECT $1")
    );
}

#[test]
fn a_long_argument_is_cut() {
    let long = "ä".repeat(1000);
    let expected = Datum::text(format!("{}…", "ä".repeat(512)));
    assert_eq!(arguments(&[TEXT], 0, &[Some(long.as_bytes())]), [expected]);
}

#[test]
fn columns_are_remembered_with_the_statement() {
    let mut conversation = begin();
    let described = columns(&[("a", INT4), ("b", TEXT)]);
    prepare(&mut conversation, "s", "SELECT a, b", &[], described);
    let cases: [(&[u16], &[u8]); 4] = [
        (&[], b"5"),
        (&[0], b"5"),
        (&[1], &[0, 0, 0, 5]),
        (&[1, 0], &[0, 0, 0, 5]),
    ];
    for (formats, five) in cases {
        let messages = [bind_with("", "s", &[], &[], formats), execute(""), sync()];
        let answer = [
            bound(),
            row(&[Some(five), Some(b"x")]),
            complete("SELECT 1"),
            ready(b'I'),
        ];
        let (_, results) = ask(&mut conversation, &messages, &answer);
        let expected: &[Datum] = &[Datum::number(5), Datum::text("x")];
        assert_eq!(results, [rows(&["a", "b"], &[expected])], "{formats:?}");
    }
}

#[test]
fn a_portal_has_the_formats_that_the_server_says() {
    let messages = [
        parse("", "SELECT a"),
        bind_with("", "", &[], &[], &[1]),
        describe_portal(""),
        execute(""),
        sync(),
    ];
    let answer = [
        parsed(),
        bound(),
        columns_as(1, &[("a", INT4)]),
        row(&[Some(&[0, 0, 0, 5])]),
        complete("SELECT 1"),
        ready(b'I'),
    ];
    let (_, results) = ask(&mut begin(), &messages, &answer);
    assert_eq!(results, [rows(&["a"], &[&[Datum::number(5)]])]);
}

#[test]
fn a_row_with_other_columns_is_counted() {
    let mut conversation = begin();
    prepare(
        &mut conversation,
        "s",
        "SELECT a",
        &[],
        columns(&[("a", INT4)]),
    );
    let messages = [bind("s"), execute(""), sync()];
    let answer = [
        bound(),
        row(&[Some(b"1"), Some(b"2")]),
        complete("SELECT 1"),
        ready(b'I'),
    ];
    let (_, results) = ask(&mut conversation, &messages, &answer);
    let [StatementResult::Rows(answer)] = results.as_slice() else {
        panic!("{results:?}");
    };
    assert_eq!((answer.rows.len(), answer.row_count), (0, 1));
}
