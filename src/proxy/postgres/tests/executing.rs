//! Prepared statements, executed alone or several before one Sync.

use super::building::*;
use crate::answer::{Answer, Datum};
use crate::proxy::postgres::*;

/// Prepares, binds, describes and executes a statement.
fn run(text: &str) -> Vec<Message> {
    vec![parse("", text), bind(""), describe_portal(""), execute("")]
}

/// Sends messages of a client that are the beginning of what follows them.
fn send_ahead(conversation: &mut Conversation, messages: &[Message]) {
    for message in messages {
        conversation.client(message.clone());
    }
}

#[test]
fn each_of_three_statements_before_one_sync_has_its_own_answer() {
    let mut conversation = begin();
    let [one, two, three] = ["SELECT 1", "UPDATE t", "SELECT 'x'"].map(run);
    send_ahead(&mut conversation, &[one, two, three, vec![sync()]].concat());

    let unit = conversation.next_unit().unwrap();
    assert_eq!(unit.what, executes("SELECT 1"));
    let answer = [
        parsed(),
        bound(),
        columns(&[("a", INT4)]),
        row(&[Some(b"1")]),
        complete("SELECT 1"),
    ];
    let results = listen(&mut conversation, &answer);
    assert_eq!(results, [rows(&["a"], &[&[Datum::number(1)]])]);

    let unit = conversation.next_unit().unwrap();
    assert_eq!(unit.what, executes("UPDATE t"));
    let answer = [parsed(), bound(), no_data(), complete("UPDATE 4")];
    assert_eq!(listen(&mut conversation, &answer), [done(4)]);

    let unit = conversation.next_unit().unwrap();
    assert_eq!(unit.what, executes("SELECT 'x'"));
    let answer = [
        parsed(),
        bound(),
        columns(&[("b", TEXT)]),
        row(&[Some(b"x")]),
        complete("SELECT 1"),
    ];
    let results = listen(&mut conversation, &answer);
    assert_eq!(results, [rows(&["b"], &[&[Datum::text("x")]])]);

    assert_eq!(conversation.next_unit().unwrap().what, What::Commit);
    assert_eq!(listen(&mut conversation, &[ready(b'I')]), []);
    assert_eq!(conversation.next_unit(), None);
}

#[test]
fn after_an_error_nothing_runs_before_sync() {
    let mut conversation = begin();
    let [one, two, three] = ["UPDATE t", "SELECT 1/0", "DELETE FROM t"].map(run);
    send_ahead(
        &mut conversation,
        &[one, two, three.clone(), vec![sync()]].concat(),
    );

    conversation.next_unit().unwrap();
    listen(
        &mut conversation,
        &[parsed(), bound(), no_data(), complete("UPDATE 4")],
    );
    let unit = conversation.next_unit().unwrap();
    assert_eq!(unit.what, executes("SELECT 1/0"));
    let results = listen(&mut conversation, &[parsed(), error("22012")]);
    assert_eq!(results, [refused("22012")]);
    assert_eq!(conversation.in_transaction(), Some(false));

    let unit = conversation.next_unit().unwrap();
    assert_eq!(unit.what, What::Passes);
    assert_eq!(unit.bytes, bytes_of(&[three, vec![sync()]].concat()));
    assert!(unit.awaits_answer);
    assert_eq!(listen(&mut conversation, &[ready(b'I')]), []);
}

#[test]
fn what_is_skipped_is_not_answered() {
    let mut conversation = begin();
    let messages = [parse("", "SELEC"), bind(""), execute(""), flush()];
    ask(&mut conversation, &messages, &[error("42601")]);
    let skipped = [
        vec![parse("", "SELECT 1"), bind(""), execute(""), flush()],
        vec![query("DELETE FROM t")],
        vec![message(b'F', [0; 10])],
        vec![flush()],
    ];
    for messages in skipped {
        let unit = send(&mut conversation, &messages);
        assert_eq!((unit.what, unit.awaits_answer), (What::Passes, false));
        assert_eq!(unit.bytes, bytes_of(&messages));
    }
    let (what, results) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!((what, results), (What::Passes, vec![]));
    let answer = [complete("DELETE 1"), ready(b'I')];
    let (what, _) = ask(&mut conversation, &[query("DELETE FROM t")], &answer);
    assert_eq!(what, runs("DELETE FROM t"));
}

#[test]
fn a_query_after_a_failed_preparation_is_skipped() {
    let mut conversation = begin();
    let messages = [parse("", "SELEC"), query("DELETE FROM t")];
    let (_, results) = ask(&mut conversation, &messages, &[error("42601")]);
    assert_eq!(results, [refused("42601")]);
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Passes);
}

#[test]
fn an_error_before_sync_is_the_answer_of_the_same_unit() {
    let mut conversation = begin();
    let messages = [run("SELECT 1/0"), vec![sync()]].concat();
    let answer = [parsed(), error("22012"), ready(b'I')];
    let (what, results) = ask(&mut conversation, &messages, &answer);
    assert_eq!(
        (what, results),
        (executes("SELECT 1/0"), vec![refused("22012")])
    );
    let answer = [
        parsed(),
        bound(),
        no_data(),
        complete("UPDATE 1"),
        ready(b'I'),
    ];
    let messages = [run("UPDATE t"), vec![sync()]].concat();
    let (_, results) = ask(&mut conversation, &messages, &answer);
    assert_eq!(results, [done(1)]);
}

#[test]
fn sync_itself_may_be_refused() {
    let mut conversation = begin();
    let messages = [run("INSERT INTO t"), vec![sync()]].concat();
    let answer = [
        parsed(),
        bound(),
        no_data(),
        complete("INSERT 0 1"),
        error("23503"),
        ready(b'I'),
    ];
    let (_, results) = ask(&mut conversation, &messages, &answer);
    assert_eq!(results, [done(1), refused("23503")]);
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Passes);
}

#[test]
fn a_sync_alone_commits_what_ran_before_it() {
    let mut conversation = begin();
    let messages = [parse("", "INSERT INTO t"), bind(""), execute(""), flush()];
    let answer = [parsed(), bound(), complete("INSERT 0 1")];
    assert_eq!(ask(&mut conversation, &messages, &answer).1, [done(1)]);
    assert_eq!(conversation.in_transaction(), Some(true));
    let answer = [error("40001"), ready(b'I')];
    let (what, results) = ask(&mut conversation, &[sync()], &answer);
    assert_eq!((what, results), (What::Commit, vec![refused("40001")]));
    assert_eq!(conversation.in_transaction(), Some(false));
}

#[test]
fn two_executions_before_one_sync_are_one_transaction() {
    let mut conversation = begin();
    for text in ["UPDATE a", "UPDATE b"] {
        let messages = [parse("", text), bind(""), execute(""), flush()];
        let answer = [parsed(), bound(), complete("UPDATE 1")];
        ask(&mut conversation, &messages, &answer);
        assert_eq!(conversation.in_transaction(), Some(true));
    }
    let messages = [close_portal(""), sync()];
    let (what, _) = ask(&mut conversation, &messages, &[closed(), ready(b'I')]);
    assert_eq!(what, What::Commit);
}

#[test]
fn a_sync_within_a_block_passes() {
    let mut conversation = begin();
    let cases = [
        ("BEGIN", b'T', What::Passes),
        ("UPDATE t", b'T', What::Passes),
        ("COMMIT", b'I', What::Passes),
        ("UPDATE t", b'I', What::Commit),
    ];
    for (text, state, expected) in cases {
        let messages = [parse("", text), bind(""), execute(""), flush()];
        ask(
            &mut conversation,
            &messages,
            &[parsed(), bound(), complete(text)],
        );
        assert_eq!(
            conversation.in_transaction(),
            Some(text != "COMMIT"),
            "{text}"
        );
        let (what, _) = ask(&mut conversation, &[sync()], &[ready(state)]);
        assert_eq!(what, expected, "{text}");
    }
}

#[test]
fn a_block_may_go_on_after_a_rollback() {
    for text in ["ROLLBACK TO SAVEPOINT a", "ROLLBACK AND CHAIN"] {
        let mut conversation = begin();
        ask(
            &mut conversation,
            &[query("BEGIN")],
            &[complete("BEGIN"), ready(b'T')],
        );
        let messages = [parse("", text), bind(""), execute(""), flush()];
        ask(
            &mut conversation,
            &messages,
            &[parsed(), bound(), complete("ROLLBACK")],
        );
        assert_eq!(conversation.in_transaction(), Some(true), "{text}");
    }
}

#[test]
fn a_query_in_place_of_sync_is_answered_with_one_state() {
    let mut conversation = begin();
    send_ahead(
        &mut conversation,
        &[run("UPDATE t"), vec![query("SELECT 1")]].concat(),
    );
    let unit = conversation.next_unit().unwrap();
    assert_eq!(unit.what, executes("UPDATE t"));
    let answer = [parsed(), bound(), no_data(), complete("UPDATE 1")];
    assert_eq!(listen(&mut conversation, &answer), [done(1)]);
    let unit = conversation.next_unit().unwrap();
    assert_eq!(unit.what, runs("SELECT 1"));
    let answer = [columns(&[("a", INT4)]), complete("SELECT 0"), ready(b'I')];
    assert_eq!(listen(&mut conversation, &answer), [rows(&["a"], &[])]);
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Passes);
}

#[test]
fn an_empty_statement_runs_nothing() {
    let mut conversation = begin();
    let messages = [parse("", ""), bind(""), execute(""), flush()];
    let answer = [parsed(), bound(), nothing_to_run()];
    assert_eq!(ask(&mut conversation, &messages, &answer).1, [done(0)]);
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Passes);
}

#[test]
fn a_portal_whose_rows_are_limited_is_executed_again() {
    let mut conversation = begin();
    let messages = [
        parse("", "SELECT a FROM t"),
        bind_with("p", "", &[], &[], &[]),
        describe_portal("p"),
        execute("p"),
        flush(),
    ];
    let answer = [
        parsed(),
        bound(),
        columns(&[("a", INT4)]),
        row(&[Some(b"1")]),
        row(&[Some(b"2")]),
        suspended(),
    ];
    let (what, results) = ask(&mut conversation, &messages, &answer);
    assert_eq!(what, executes("SELECT a FROM t"));
    let two: [&[Datum]; 2] = [&[Datum::number(1)], &[Datum::number(2)]];
    assert_eq!(results, [rows(&["a"], &two)]);
    let answer = [row(&[Some(b"3")]), complete("SELECT 1")];
    let (what, results) = ask(&mut conversation, &[execute("p"), flush()], &answer);
    assert_eq!(what, executes("SELECT a FROM t"));
    assert_eq!(results, [rows(&["a"], &[&[Datum::number(3)]])]);
}

#[test]
fn rows_that_were_limited_are_committed_as_well() {
    let mut conversation = begin();
    let messages = [parse("", "SELECT a FROM t"), bind(""), execute(""), flush()];
    ask(
        &mut conversation,
        &messages,
        &[parsed(), bound(), suspended()],
    );
    assert_eq!(conversation.in_transaction(), Some(true));
    let (what, _) = ask(&mut conversation, &[sync()], &[ready(b'I')]);
    assert_eq!(what, What::Commit);
}

#[test]
fn a_portal_ends_with_its_transaction() {
    for (state, text) in [(b'T', Some("SELECT 1")), (b'I', None), (b'E', None)] {
        let mut conversation = begin();
        let messages = [
            parse("", "SELECT 1"),
            bind_with("p", "", &[], &[], &[]),
            sync(),
        ];
        ask(
            &mut conversation,
            &messages,
            &[parsed(), bound(), ready(state)],
        );
        let unit = send(&mut conversation, &[execute("p"), sync()]);
        let expected = What::Execute {
            text: text.map(str::to_owned),
            arguments: vec![],
        };
        assert_eq!(unit.what, expected);
    }
}

/// What is executed of this portal.
fn executed(conversation: &mut Conversation, portal: &str) -> What {
    send(conversation, &[execute(portal), sync()]).what
}

/// Begins a block, and binds this portal in it.
fn begin_with_portal(portal: &str) -> Conversation {
    let mut conversation = begin();
    ask(
        &mut conversation,
        &[query("BEGIN")],
        &[complete("BEGIN"), ready(b'T')],
    );
    let messages = [
        parse("a", "SELECT 1"),
        bind_with(portal, "a", &[], &[], &[]),
        sync(),
    ];
    ask(
        &mut conversation,
        &messages,
        &[parsed(), bound(), ready(b'T')],
    );
    conversation
}

#[test]
fn a_portal_may_be_closed_earlier() {
    let unknown = What::Execute {
        text: None,
        arguments: vec![],
    };
    let mut conversation = begin_with_portal("p");
    let messages = [close_portal("p"), execute("p"), sync()];
    assert_eq!(send(&mut conversation, &messages).what, unknown);

    let mut conversation = begin_with_portal("p");
    let messages = [parse("", "COMMIT"), bind(""), execute(""), flush()];
    ask(
        &mut conversation,
        &messages,
        &[parsed(), bound(), complete("COMMIT")],
    );
    assert_eq!(executed(&mut conversation, "p"), unknown);

    for (portal, expected) in [("", unknown), ("p", executes("SELECT 1"))] {
        let mut conversation = begin_with_portal(portal);
        ask(
            &mut conversation,
            &[query("SELECT 2")],
            &[complete("SELECT 1"), ready(b'T')],
        );
        assert_eq!(executed(&mut conversation, portal), expected);
    }
}

#[test]
fn rows_whose_columns_are_not_known_are_counted() {
    let messages = [parse("", "SELECT 1"), bind(""), execute(""), sync()];
    let answer = [
        parsed(),
        bound(),
        row(&[Some(b"1")]),
        complete("SELECT 1"),
        ready(b'I'),
    ];
    let (_, results) = ask(&mut begin(), &messages, &answer);
    let expected = Answer {
        row_count: 1,
        ..Answer::default()
    };
    assert_eq!(results, [StatementResult::Rows(expected)]);
}

#[test]
fn an_answer_to_something_else_is_not_understood() {
    for wrong in [bound(), ready(b'I'), row(&[]), columns(&[])] {
        let mut conversation = begin();
        send(&mut conversation, &[parse("", "SELECT 1"), sync()]);
        let progress = conversation.answer(&wrong);
        assert!(matches!(progress, Progress::NotUnderstood(_)), "{wrong:?}");
    }
}
