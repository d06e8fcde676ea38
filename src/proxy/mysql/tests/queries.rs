//! Queries and the other commands of the text protocol.

use super::building::*;
use crate::answer::{Answer, Datum};
use crate::proxy::mysql::capabilities::Status;
use crate::proxy::mysql::*;
use crate::proxy::shown::MOST_TEXT;

#[test]
fn a_result_ends_where_both_sides_agreed() {
    for agreed in BOTH_ENDS {
        let mut conversation = begin(agreed);
        let columns = [column("id", LONG), column("name", VARCHAR)];
        let text = [
            text_row(&[Some("1"), Some("a")]),
            text_row(&[Some("2"), None]),
        ];
        let answer = result(agreed, &columns, &text, AUTOCOMMIT);
        let results = ask(&mut conversation, &query("SELECT * FROM t"), &answer);
        let expected = rows(
            &["id", "name"],
            &[
                &[Datum::number(1), Datum::text("a")],
                &[Datum::number(2), Datum::Null],
            ],
        );
        assert_eq!(results, [expected]);
    }
}

#[test]
fn a_row_may_begin_with_null_or_an_empty_text() {
    for agreed in BOTH_ENDS {
        let mut conversation = begin(agreed);
        let text = [text_row(&[None]), text_row(&[Some("")])];
        let answer = result(agreed, &[column("a", VARCHAR)], &text, AUTOCOMMIT);
        let results = ask(&mut conversation, &query("SELECT a"), &answer);
        let expected = rows(&["a"], &[&[Datum::Null], &[Datum::text("")]]);
        assert_eq!(results, [expected]);
    }
}

#[test]
fn an_old_eof_ends_rows_although_both_sides_agreed_to_do_without() {
    let agreed = BOTH_ENDS[1];
    let mut conversation = begin(agreed);
    let row = text_row(&[Some("1")]);
    let mut answer = result(agreed, &[column("a", LONG)], &[row], AUTOCOMMIT);
    *answer.last_mut().unwrap() = eof(IN_TRANSACTION | AUTOCOMMIT);
    let results = ask(&mut conversation, &query("SELECT a"), &answer);
    assert_eq!(results, [rows(&["a"], &[&[Datum::number(1)]])]);
    assert_eq!(conversation.status().in_transaction, Some(true));
}

#[test]
fn the_ok_after_rows_may_be_longer_than_an_eof() {
    let agreed = BOTH_ENDS[1];
    let mut conversation = begin(agreed);
    let mut answer = result(agreed, &[column("a", LONG)], &[], AUTOCOMMIT);
    // Three bytes of affected rows, then the state of the session.
    *answer.last_mut().unwrap() = b"\xfe\xfc\x2c\x01\0\x03\x40\0\0\0\x05\x02\x03\x01ab".to_vec();
    let results = ask(&mut conversation, &query("SELECT a"), &answer);
    assert_eq!(results, [rows(&["a"], &[])]);
    assert_eq!(conversation.status().in_transaction, Some(true));
}

#[test]
fn a_row_whose_first_value_has_16_mib_is_no_end() {
    for agreed in BOTH_ENDS {
        let mut conversation = begin(agreed);
        conversation.command(&query("SELECT a, b"));
        let columns = [column("a", VARCHAR), column("b", LONG)];
        let answer = result(agreed, &columns, &[], AUTOCOMMIT);
        let (end, head) = answer.split_last().unwrap();
        for payload in head {
            conversation.answer(&packet(payload.as_slice()));
        }
        let mut long = vec![0xFE, 0, 0, 0, 1, 0, 0, 0, 0];
        long.resize(0xFF_FFFF, b'x');
        for payload in [
            long,
            b"xxxxxxxxxx\x011".to_vec(),
            text_row(&[Some("y"), Some("2")]),
        ] {
            assert_eq!(conversation.answer(&packet(payload)), Progress::GoesOn);
        }
        let results = listen(&mut conversation, std::slice::from_ref(end));
        let expected = Answer {
            columns: vec!["a".to_owned(), "b".to_owned()],
            rows: vec![vec![Datum::text("y"), Datum::number(2)]],
            row_count: 2,
        };
        assert_eq!(results, [StatementResult::Rows(expected)]);
    }
}

#[test]
fn the_empty_rest_of_a_long_row_is_no_row() {
    let agreed = BOTH_ENDS[1];
    let mut conversation = begin(agreed);
    conversation.command(&query("SELECT a"));
    conversation.answer(&packet([1]));
    conversation.answer(&packet(column("a", VARCHAR)));
    let mut long = vec![0xFD, 0xFB, 0xFF, 0xFF];
    long.resize(0xFF_FFFF, b'x');
    assert_eq!(conversation.answer(&packet(long)), Progress::GoesOn);
    assert_eq!(conversation.answer(&packet([])), Progress::GoesOn);
    let results = listen(&mut conversation, &[end(agreed, AUTOCOMMIT)]);
    let expected = Answer {
        columns: vec!["a".to_owned()],
        rows: Vec::new(),
        row_count: 1,
    };
    assert_eq!(results, [StatementResult::Rows(expected)]);
}

#[test]
fn rows_beyond_the_most_are_counted() {
    let mut conversation = begin(BASE);
    let text = vec![text_row(&[Some("1")]); 101];
    let answer = result(BASE, &[column("a", LONG)], &text, AUTOCOMMIT);
    let results = ask(&mut conversation, &query("SELECT a"), &answer);
    let [StatementResult::Rows(answer)] = results.as_slice() else {
        panic!("{results:?}");
    };
    assert_eq!((answer.rows.len(), answer.row_count), (100, 101));
}

#[test]
fn an_error_ends_several_statements() {
    for agreed in BOTH_ENDS {
        let mut conversation = begin(agreed);
        let row = text_row(&[Some("1")]);
        let mut answer = vec![ok_of(2, 9, AUTOCOMMIT | MORE)];
        answer.extend(result(
            agreed,
            &[column("1", LONG)],
            &[row],
            AUTOCOMMIT | MORE,
        ));
        answer.push(err(1064));
        let text = query("UPDATE t SET a = 1; SELECT 1; nonsense; SELECT 2");
        let results = ask(&mut conversation, &text, &answer);
        let selected = rows(&["1"], &[&[Datum::number(1)]]);
        assert_eq!(results, [done(2, 9), selected, refused(1064)]);
    }
}

#[test]
fn an_error_may_come_between_rows() {
    for agreed in BOTH_ENDS {
        let mut conversation = begin(agreed);
        let row = text_row(&[Some("1")]);
        let mut answer = result(agreed, &[column("a", LONG)], &[row], AUTOCOMMIT);
        *answer.last_mut().unwrap() = err(1317);
        let results = ask(&mut conversation, &query("SELECT a"), &answer);
        assert_eq!(results, [refused(1317)]);
    }
}

#[test]
fn a_call_returns_its_results_and_then_ok() {
    for agreed in BOTH_ENDS {
        let mut conversation = begin(agreed);
        let row = text_row(&[Some("5")]);
        let flags = AUTOCOMMIT | MORE;
        let mut answer = result(agreed, &[column("one", LONG)], &[row], flags);
        answer.extend(result(agreed, &[column("two", VARCHAR)], &[], flags));
        answer.push(ok(AUTOCOMMIT));
        let results = ask(&mut conversation, &query("CALL p(5)"), &answer);
        let one = rows(&["one"], &[&[Datum::number(5)]]);
        assert_eq!(results, [one, rows(&["two"], &[]), done(0, 0)]);
    }
}

#[test]
fn the_state_follows_the_server_and_not_the_text() {
    let mut conversation = begin(BASE);
    ask(
        &mut conversation,
        &query("/* */ BEGIN"),
        &[ok(IN_TRANSACTION | AUTOCOMMIT)],
    );
    assert_eq!(conversation.status().in_transaction, Some(true));
    ask(
        &mut conversation,
        &query("SELECT 1 FROM t FOR UPDATE"),
        &[err(1213)],
    );
    let unknown = Status {
        in_transaction: None,
        autocommit: true,
    };
    assert_eq!(conversation.status(), unknown);
    ask(&mut conversation, &query("SET autocommit = 0"), &[ok(0)]);
    let known = Status {
        in_transaction: Some(false),
        autocommit: false,
    };
    assert_eq!(conversation.status(), known);
}

#[test]
fn a_file_ends_with_an_empty_packet() {
    let mut conversation = begin(BASE);
    conversation.command(&query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t"));
    let asked = conversation.answer(&packet(b"\xfbf".as_slice()));
    assert_eq!(asked, Progress::AwaitsClient);
    assert!(!conversation.client_data(&packet(b"1\n".as_slice())));
    assert!(!conversation.client_data(&packet(vec![b'x'; 0xFF_FFFF])));
    assert!(!conversation.client_data(&packet([])));
    assert!(conversation.client_data(&packet([])));
    let results = listen(&mut conversation, &[ok_of(2, 0, AUTOCOMMIT)]);
    assert_eq!(results, [done(2, 0)]);
}

#[test]
fn a_file_may_be_empty_or_refused() {
    let mut conversation = begin(BASE);
    for (answer, expected) in [(ok(AUTOCOMMIT), done(0, 0)), (err(1148), refused(1148))] {
        conversation.command(&query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t"));
        conversation.answer(&packet(b"\xfbf".as_slice()));
        assert!(conversation.client_data(&packet([])));
        assert_eq!(listen(&mut conversation, &[answer]), [expected]);
    }
}

#[test]
fn a_file_may_be_one_of_several_statements() {
    let mut conversation = begin(BASE);
    conversation.command(&query(
        "SET @a = 1; LOAD DATA LOCAL INFILE 'f' INTO TABLE t; DO 1",
    ));
    conversation.answer(&packet(ok(AUTOCOMMIT | MORE)));
    conversation.answer(&packet(b"\xfbf".as_slice()));
    conversation.client_data(&packet([]));
    let answer = [ok_of(3, 0, AUTOCOMMIT | MORE), ok(AUTOCOMMIT)];
    let results = listen(&mut conversation, &answer);
    assert_eq!(results, [done(0, 0), done(3, 0), done(0, 0)]);
}

#[test]
fn attributes_are_no_part_of_the_text() {
    const CASES: [&[u8]; 3] = [
        b"\x03\0\x01SELECT 1",
        // An integer, a NULL and a text.
        b"\x03\x03\x01\x02\x01\x03\0\x01n\x06\0\x01z\xfd\0\x01s\x07\0\0\0\x05helloSELECT 1",
        // A client that sends none, although it said so: the text is taken as it is.
        b"\x03\xffSELECT 1",
    ];
    let texts = CASES.map(|payload| {
        let mut conversation = begin(BASE | Capabilities::QUERY_ATTRIBUTES);
        match conversation.command(payload).kind {
            CommandKind::Query { text } => text,
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(texts, ["SELECT 1", "SELECT 1", "\u{FFFD}SELECT 1"]);
}

#[test]
fn a_long_text_is_cut_at_a_whole_character() {
    let mut conversation = begin(BASE);
    let text = "é".repeat(MOST_TEXT);
    let command = conversation.command(&query(&format!("x{text}")));
    let CommandKind::Query { text } = command.kind else {
        panic!("{command:?}");
    };
    assert_eq!(text.len(), MOST_TEXT - 1 + "…".len());
    assert!(text.ends_with("é…"));
}

#[test]
fn commands_without_results_are_answered_once_or_never() {
    const CASES: [(&[u8], CommandKind, Answered); 9] = [
        (b"\x01", CommandKind::Quit, Answered::Never),
        (b"\x0e", CommandKind::Ping, Answered::Once),
        (b"\x1b\0\0", CommandKind::SetOption, Answered::Once),
        (
            b"\x18\x01\0\0\0\0\0x",
            CommandKind::LongData,
            Answered::Never,
        ),
        (
            b"\x19\x01\0\0\0",
            CommandKind::CloseStatement,
            Answered::Never,
        ),
        (
            b"\x11app\0",
            CommandKind::ChangeUser,
            Answered::Authentication,
        ),
        (b"\x12", CommandKind::Replication, Answered::Endless),
        (b"\x77", CommandKind::Unknown(0x77), Answered::Once),
        (b"", CommandKind::Unknown(0), Answered::Once),
    ];
    for (payload, kind, answered) in CASES {
        let command = begin(BASE).command(payload);
        assert_eq!(command, Command { kind, answered }, "{payload:?}");
    }
    let command = begin(BASE).command(b"\x02shop");
    assert_eq!(command.kind, CommandKind::InitDb("shop".to_owned()));
}

#[test]
fn each_of_ok_eof_and_err_answers_a_simple_command() {
    for agreed in BOTH_ENDS {
        let mut conversation = begin(agreed);
        for command in [b"\x0e".as_slice(), b"\x1b\0\0", b"\x02shop", b"\x0d"] {
            for answer in [ok(AUTOCOMMIT), eof(AUTOCOMMIT), end(agreed, AUTOCOMMIT)] {
                assert_eq!(ask(&mut conversation, command, &[answer]), [done(0, 0)]);
            }
            let results = ask(&mut conversation, command, &[err(1049)]);
            assert_eq!(results, [refused(1049)]);
        }
    }
}

#[test]
fn statistics_are_one_text_and_fields_end_with_eof() {
    for agreed in BOTH_ENDS {
        let mut conversation = begin(agreed);
        let text = b"Uptime: 1  Threads: 2".to_vec();
        assert_eq!(ask(&mut conversation, b"\x09", &[text]), [done(0, 0)]);
        let answer = [
            column("a", LONG),
            column("b", LONG),
            end(agreed, AUTOCOMMIT),
        ];
        assert_eq!(ask(&mut conversation, b"\x04t\0", &answer), [done(0, 0)]);
        assert_eq!(
            ask(&mut conversation, b"\x04t\0", &[err(1146)]),
            [refused(1146)]
        );
    }
}

#[test]
fn what_follows_a_misunderstanding_is_not_understood() {
    let mut conversation = begin(BASE);
    conversation.command(&query("SELECT 1"));
    let first = conversation.answer(&packet([0xFE]));
    assert!(matches!(first, Progress::NotUnderstood(_)), "{first:?}");
    conversation.command(b"\x0e");
    let second = conversation.answer(&packet(ok(AUTOCOMMIT)));
    assert!(matches!(second, Progress::NotUnderstood(_)), "{second:?}");
}

#[test]
fn a_server_may_end_an_idle_connection_with_an_error() {
    let mut conversation = begin(BASE);
    assert_eq!(listen(&mut conversation, &[err(4031)]), [refused(4031)]);
    let unasked = conversation.answer(&packet(ok(AUTOCOMMIT)));
    assert!(matches!(unasked, Progress::NotUnderstood(_)), "{unasked:?}");
}

#[test]
fn an_eof_is_not_read_as_ok() {
    // As OK, 252 warnings would be the beginning of a longer number of rows.
    const MANY_WARNINGS: [u8; 5] = [0xFE, 0xFC, 0, 0x03, 0];
    for agreed in BOTH_ENDS {
        let mut conversation = begin(agreed);
        let mut answer = result(agreed, &[column("a", LONG)], &[], AUTOCOMMIT);
        *answer.last_mut().unwrap() = MANY_WARNINGS.to_vec();
        let results = ask(&mut conversation, &query("SELECT a"), &answer);
        assert_eq!(results, [rows(&["a"], &[])]);
        assert_eq!(conversation.status().in_transaction, Some(true));
    }
}
