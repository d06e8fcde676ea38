//! What only MariaDB does.

use super::building::*;
use crate::answer::Datum;
use crate::proxy::mysql::*;

const CACHED: Capabilities = Capabilities::CACHE_METADATA;

/// Between MariaDB and its client.
fn agreed(others: Capabilities) -> Capabilities {
    BASE.without(Capabilities::MYSQL) | others
}

/// EXECUTE of the statement that was prepared last, with one argument.
const EXECUTE_LAST: &[u8] = b"\x17\xff\xff\xff\xff\0\x01\0\0\0\0\x01\xfd\0\x02hi";

fn text_of_execution(command: Command) -> Option<String> {
    match command.kind {
        CommandKind::Execute { text, .. } => text.as_deref().map(str::to_owned),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_prepared_statement_needs_no_id() {
    let agreed = agreed(CACHED);
    let mut conversation = begin_prepared(agreed, "SELECT ?", 1, &[]);
    let command = conversation.command(EXECUTE_LAST);
    let expected = CommandKind::Execute {
        text: Some("SELECT ?".into()),
        arguments: vec![Datum::text("hi")],
        opens_cursor: false,
    };
    assert_eq!(command.kind, expected);
    listen(&mut conversation, &[ok(AUTOCOMMIT)]);
    conversation.command(b"\x19\xff\xff\xff\xff");
    assert_eq!(
        text_of_execution(conversation.command(&execute(0, &[]))),
        None
    );
}

#[test]
fn after_a_refused_preparation_there_is_no_last_statement() {
    let agreed = agreed(CACHED);
    let mut conversation = begin_prepared(agreed, "SELECT ?", 1, &[]);
    ask(&mut conversation, b"\x16nonsense", &[err(1064)]);
    assert_eq!(text_of_execution(conversation.command(EXECUTE_LAST)), None);
    assert_eq!(listen(&mut conversation, &[err(1243)]), [refused(1243)]);
}

#[test]
fn definitions_may_be_those_of_the_preparation() {
    for ends in BOTH_ENDS {
        let agreed = agreed(CACHED | ends).without(Capabilities::MYSQL);
        let mut conversation = begin_prepared(
            agreed,
            "SELECT id FROM t WHERE a = ?",
            1,
            &[column("id", LONG)],
        );
        let mut answer = vec![vec![1, 0]];
        if !agreed.has(Capabilities::DEPRECATE_EOF) {
            // It stays, although nothing is before it.
            answer.push(eof(AUTOCOMMIT));
        }
        answer.extend([vec![0, 0, 5, 0, 0, 0], end(agreed, AUTOCOMMIT)]);
        let results = ask(
            &mut conversation,
            &execute(0, b"\0\x01\xfd\0\x014"),
            &answer,
        );
        assert_eq!(results, [rows(&["id"], &[&[Datum::number(5)]])]);
    }
}

#[test]
fn definitions_may_follow_their_number() {
    let agreed = agreed(CACHED | BOTH_ENDS[1]).without(Capabilities::MYSQL);
    let mut conversation = begin(agreed);
    let mut answer = result(
        agreed,
        &[column("a", LONG)],
        &[text_row(&[Some("1")])],
        AUTOCOMMIT,
    );
    answer[0] = vec![1, 1];
    let results = ask(&mut conversation, &query("SELECT a"), &answer);
    assert_eq!(results, [rows(&["a"], &[&[Datum::number(1)]])]);
}

#[test]
fn a_bulk_execution_says_how_many_rows_it_has() {
    const BULK: &[u8] = b"\xfa\x01\0\0\0\x80\0\xfd\0\0\x02aa\x01\0\x03bbb";
    const WITHOUT_TYPES: &[u8] = b"\xfa\x01\0\0\0\0\0\0\x02aa\0\x03bbb";
    let agreed = agreed(CACHED);
    let mut conversation = begin_prepared(agreed, "INSERT INTO t VALUES (?)", 1, &[]);
    for (payload, expected) in [(BULK, 3), (WITHOUT_TYPES, 2)] {
        let CommandKind::Bulk { text, rows } = conversation.command(payload).kind else {
            panic!("no bulk");
        };
        assert_eq!(text.as_deref(), Some("INSERT INTO t VALUES (?)"));
        assert_eq!(rows, Some(expected));
        let results = listen(&mut conversation, &[ok_of(3, 7, AUTOCOMMIT)]);
        assert_eq!(results, [done(3, 7)]);
    }
}

#[test]
fn a_report_of_progress_is_no_error() {
    const REPORT: &[u8] = b"\xff\xff\xff\x01\x01\x02\x05\x0d\0\x11copy to tmp table";
    let mut conversation = begin(agreed(CACHED));
    let answer = [REPORT.to_vec(), REPORT.to_vec(), ok_of(3, 0, AUTOCOMMIT)];
    let results = ask(&mut conversation, &query("ALTER TABLE t FORCE"), &answer);
    assert_eq!(results, [done(3, 0)]);
    assert_eq!(conversation.status().in_transaction, Some(false));
}

#[test]
fn a_definition_may_name_an_extended_type() {
    let agreed = agreed(Capabilities::EXTENDED_METADATA);
    let mut conversation = begin(agreed);
    let mut definition = column("j", VARCHAR);
    let after_names = b"\x03def\0\0\0\x01j\0".len();
    definition.splice(after_names..after_names, *b"\x06\x01\x04json");
    let answer = result(
        agreed,
        &[definition],
        &[text_row(&[Some("[]")])],
        AUTOCOMMIT,
    );
    let results = ask(&mut conversation, &query("SELECT j FROM t"), &answer);
    assert_eq!(results, [rows(&["j"], &[&[Datum::text("[]")]])]);
}
