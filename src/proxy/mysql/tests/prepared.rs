//! Prepared statements, their arguments and their cursors.

use super::building::*;
use crate::answer::Datum;
use crate::proxy::mysql::*;

/// The text, the arguments, and whether a cursor is opened.
fn read_execution(
    conversation: &mut Conversation,
    command: &[u8],
) -> (Option<String>, Vec<Datum>, bool) {
    match conversation.command(command).kind {
        CommandKind::Execute {
            text,
            arguments,
            opens_cursor,
        } => (text.as_deref().map(str::to_owned), arguments, opens_cursor),
        other => panic!("{other:?}"),
    }
}

fn read_arguments(conversation: &mut Conversation, command: &[u8]) -> Vec<Datum> {
    let (_, arguments, _) = read_execution(conversation, command);
    listen(conversation, &[ok(AUTOCOMMIT)]);
    arguments
}

#[test]
fn a_preparation_ends_with_its_last_definition() {
    for agreed in BOTH_ENDS {
        for parameters in [0, 1, 2] {
            for columns in [0, 1, 2] {
                let columns = vec![column("a", LONG); columns];
                let mut conversation = begin_prepared(agreed, "a statement", parameters, &columns);
                ask(&mut conversation, b"\x0e", &[ok(AUTOCOMMIT)]);
            }
        }
    }
}

#[test]
fn a_refused_preparation_is_one_error() {
    let mut conversation = begin(BASE);
    let results = ask(&mut conversation, b"\x16nonsense", &[err(1064)]);
    assert_eq!(results, [refused(1064)]);
    assert_eq!(conversation.status().in_transaction, None);
}

#[test]
fn an_execution_returns_rows_of_the_binary_protocol() {
    for agreed in BOTH_ENDS {
        let columns = [column("id", LONG), column("name", VARCHAR)];
        let mut conversation = begin_prepared(agreed, "SELECT id, name FROM t", 0, &columns);
        let answer = result(
            agreed,
            &columns,
            &[b"\0\0\x05\0\0\0\x01a".to_vec(), b"\0\x04\x01a".to_vec()],
            AUTOCOMMIT,
        );
        let results = ask(&mut conversation, &execute(0, &[]), &answer);
        let first: &[Datum] = &[Datum::number(5), Datum::text("a")];
        let second: &[Datum] = &[Datum::Null, Datum::text("a")];
        assert_eq!(results, [rows(&["id", "name"], &[first, second])]);
    }
}

#[test]
fn a_later_execution_uses_the_types_of_the_earlier_one() {
    let mut conversation = begin_prepared(BASE, "UPDATE t SET a = ? WHERE b = ?", 2, &[]);
    let typed = execute(
        0,
        b"\0\x01\x08\x80\xfd\0\xff\xff\xff\xff\xff\xff\xff\xff\x01x",
    );
    let expected = [Datum::number(u64::MAX), Datum::text("x")];
    assert_eq!(read_arguments(&mut conversation, &typed), expected);
    let untyped = execute(0, b"\x02\0\x07\0\0\0\0\0\0\0");
    let expected = [Datum::number(7), Datum::Null];
    assert_eq!(read_arguments(&mut conversation, &untyped), expected);
}

#[test]
fn arguments_without_any_types_are_not_shown() {
    let mut conversation = begin_prepared(BASE, "SELECT ?", 1, &[]);
    assert_eq!(
        read_arguments(&mut conversation, &execute(0, b"\0\0\x01x")),
        []
    );
}

#[test]
fn a_long_argument_is_joined_and_forgotten_after_its_execution() {
    let mut conversation = begin_prepared(BASE, "INSERT INTO t VALUES (?, ?)", 2, &[]);
    for part in ["hel", "lo"] {
        let command = [b"\x18\x01\0\0\0\0\0", part.as_bytes()].concat();
        assert_eq!(conversation.command(&command).answered, Answered::Never);
    }
    let long = execute(0, b"\0\x01\xfd\0\xfd\0\x01x");
    let expected = [Datum::text("hello"), Datum::text("x")];
    assert_eq!(read_arguments(&mut conversation, &long), expected);
    let short = execute(0, b"\0\0\x01y\x01z");
    let expected = [Datum::text("y"), Datum::text("z")];
    assert_eq!(read_arguments(&mut conversation, &short), expected);
}

#[test]
fn a_reset_statement_forgets_its_long_argument() {
    let mut conversation = begin_prepared(BASE, "INSERT INTO t VALUES (?)", 1, &[]);
    conversation.command(b"\x18\x01\0\0\0\0\0long");
    ask(&mut conversation, b"\x1a\x01\0\0\0", &[ok(AUTOCOMMIT)]);
    let short = execute(0, b"\0\x01\xfd\0\x01y");
    assert_eq!(
        read_arguments(&mut conversation, &short),
        [Datum::text("y")]
    );
}

#[test]
fn a_long_argument_is_cut() {
    let mut conversation = begin_prepared(BASE, "INSERT INTO t VALUES (?)", 1, &[]);
    let part = [b"\x18\x01\0\0\0\0\0", [b'x'; 1000].as_slice()].concat();
    conversation.command(&part);
    conversation.command(&part);
    let arguments = read_arguments(&mut conversation, &execute(0, b"\0\x01\xfd\0"));
    assert_eq!(arguments, [Datum::text("x".repeat(1024) + "…")]);
}

#[test]
fn attributes_of_an_execution_are_no_arguments() {
    let agreed = BASE | Capabilities::QUERY_ATTRIBUTES;
    let mut conversation = begin_prepared(agreed, "SELECT ?", 1, &[]);
    let one_more = b"\x02\0\x01\x08\0\0\xfd\0\x04name\x07\0\0\0\0\0\0\0\x05value";
    let arguments = read_arguments(&mut conversation, &execute(8, one_more));
    assert_eq!(arguments, [Datum::number(7)]);
}

/// MySQL 9.7 reads it so, and refuses an execution without the count and the names.
#[test]
fn the_count_of_arguments_needs_no_flag() {
    let agreed = BASE | Capabilities::QUERY_ATTRIBUTES;
    let mut conversation = begin_prepared(agreed, "SELECT ?", 1, &[]);
    let arguments = b"\x01\0\x01\xfd\0\0\x01x";
    let arguments = read_arguments(&mut conversation, &execute(0, arguments));
    assert_eq!(arguments, [Datum::text("x")]);
}

#[test]
fn rows_of_a_cursor_wait_for_fetch() {
    for agreed in BOTH_ENDS {
        let columns = [column("id", LONG)];
        let mut conversation = begin_prepared(agreed, "SELECT id FROM t", 0, &columns);
        let read = read_execution(&mut conversation, &execute(1, &[]));
        assert_eq!(
            read,
            (Some("SELECT id FROM t".to_owned()), Vec::new(), true)
        );
        let opened = [
            vec![1],
            column("id", LONG),
            end(agreed, AUTOCOMMIT | CURSOR),
        ];
        assert_eq!(listen(&mut conversation, &opened), [rows(&["id"], &[])]);
        let fetch = b"\x1c\x01\0\0\0\x02\0\0\0";
        for (row, flags) in [(5, CURSOR), (6, CURSOR | LAST_ROW)] {
            let answer = [vec![0, 0, row, 0, 0, 0], end(agreed, AUTOCOMMIT | flags)];
            let results = ask(&mut conversation, fetch, &answer);
            assert_eq!(results, [rows(&["id"], &[&[Datum::number(row)]])]);
        }
    }
}

#[test]
fn a_server_may_ignore_the_wish_for_a_cursor() {
    for agreed in BOTH_ENDS {
        let columns = [column("id", LONG)];
        let mut conversation = begin_prepared(agreed, "SELECT id FROM t", 0, &columns);
        let answer = result(agreed, &columns, &[vec![0, 0, 5, 0, 0, 0]], AUTOCOMMIT);
        let results = ask(&mut conversation, &execute(1, &[]), &answer);
        assert_eq!(results, [rows(&["id"], &[&[Datum::number(5)]])]);
    }
}

#[test]
fn an_execution_shows_the_columns_as_they_are_now() {
    let mut conversation = begin_prepared(BASE, "SELECT ?", 1, &[column("?", VARCHAR)]);
    let changed = result(
        BASE,
        &[column("?", LONG)],
        &[vec![0, 0, 5, 0, 0, 0]],
        AUTOCOMMIT,
    );
    let command = execute(0, b"\0\x01\x03\0\x05\0\0\0");
    let results = ask(&mut conversation, &command, &changed);
    assert_eq!(results, [rows(&["?"], &[&[Datum::number(5)]])]);
}

#[test]
fn the_result_of_a_call_follows_its_out_parameters() {
    for agreed in BOTH_ENDS {
        let mut conversation = begin_prepared(agreed, "CALL p(?)", 1, &[]);
        let flags = AUTOCOMMIT | MORE | OUT_PARAMETERS;
        let mut answer = result(
            agreed,
            &[column("y", LONG)],
            &[vec![0, 0, 5, 0, 0, 0]],
            flags,
        );
        if !agreed.has(Capabilities::DEPRECATE_EOF) {
            // MySQL's EOF after the rows does not say that more follows.
            *answer.last_mut().unwrap() = eof(AUTOCOMMIT);
        }
        answer.push(ok(AUTOCOMMIT));
        let command = execute(0, b"\0\x01\x03\0\x05\0\0\0");
        let results = ask(&mut conversation, &command, &answer);
        assert_eq!(results, [rows(&["y"], &[&[Datum::number(5)]]), done(0, 0)]);
    }
}

#[test]
fn a_closed_statement_is_not_known() {
    let mut conversation = begin_prepared(BASE, "SELECT 1", 0, &[]);
    conversation.command(b"\x19\x01\0\0\0");
    let (text, ..) = read_execution(&mut conversation, &execute(0, &[]));
    assert_eq!(text, None);
    assert_eq!(listen(&mut conversation, &[err(1243)]), [refused(1243)]);
}

#[test]
fn a_new_session_has_no_prepared_statements() {
    let reset = |conversation: &mut Conversation| {
        ask(conversation, b"\x1f", &[ok(AUTOCOMMIT)]);
    };
    let change_user = |conversation: &mut Conversation| {
        let command = conversation.command(b"\x11app\0\0shop\0");
        assert_eq!(command.answered, Answered::Authentication);
        let switch = conversation.authentication(&packet(b"\xfeplugin\0data\0".as_slice()));
        assert_eq!(switch, AuthProgress::GoesOn);
        let progress = conversation.authentication(&packet(ok(AUTOCOMMIT)));
        assert!(matches!(progress, AuthProgress::Done(_)), "{progress:?}");
    };
    let begins: [&dyn Fn(&mut Conversation); 2] = [&reset, &change_user];
    for begin_session in begins {
        let mut conversation = begin_prepared(BASE, "SELECT 1", 0, &[]);
        begin_session(&mut conversation);
        let (text, ..) = read_execution(&mut conversation, &execute(0, &[]));
        assert_eq!(text, None);
    }
}

#[test]
fn a_refused_reset_forgets_nothing() {
    let mut conversation = begin_prepared(BASE, "SELECT 1", 0, &[]);
    ask(&mut conversation, b"\x1f", &[err(1047)]);
    let (text, ..) = read_execution(&mut conversation, &execute(0, &[]));
    assert_eq!(text.as_deref(), Some("SELECT 1"));
}

#[test]
fn rows_of_a_cursor_have_the_columns_of_the_execution() {
    let mut conversation = begin_prepared(BASE, "SELECT ?", 1, &[column("?", VARCHAR)]);
    let command = execute(1, b"\0\x01\x03\0\x05\0\0\0");
    let opened = [vec![1], column("?", LONG), eof(AUTOCOMMIT | CURSOR)];
    ask(&mut conversation, &command, &opened);
    let answer = [vec![0, 0, 5, 0, 0, 0], eof(AUTOCOMMIT | LAST_ROW)];
    let results = ask(&mut conversation, b"\x1c\x01\0\0\0\x02\0\0\0", &answer);
    assert_eq!(results, [rows(&["?"], &[&[Datum::number(5)]])]);
}

#[test]
fn a_fetch_has_one_result_whatever_its_flags_say() {
    let mut conversation = begin_prepared(BASE, "SELECT id FROM t", 0, &[column("id", LONG)]);
    let fetch = b"\x1c\x01\0\0\0\x02\0\0\0";
    let results = ask(&mut conversation, fetch, &[eof(AUTOCOMMIT | MORE)]);
    assert_eq!(results, [rows(&["id"], &[])]);
}
