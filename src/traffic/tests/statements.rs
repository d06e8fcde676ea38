//! What becomes of each statement, and what is said of it.

use super::Traffic;
use crate::answer::{Datum, DatumKind};
use crate::engine::Fault;
use crate::proxy::Gap;

#[test]
fn arguments_are_literals_in_the_engines_spelling() {
    let mut traffic = Traffic::new();
    let heard = traffic.sends(
        1,
        "UPDATE doc SET text = ?, due = ? WHERE id = ? -- by an ORM",
    );
    heard.sent.arguments = vec![
        Datum::text(r"it's a \ "),
        Datum::Value {
            text: "2026-01-02".to_owned(),
            kind: DatumKind::Typed("date".to_owned()),
        },
        Datum::number(-5),
    ];
    let expected =
        "UPDATE doc SET text = 'it''s a \\\\ ', due = DATE'2026-01-02' WHERE id = (-5);\n";
    assert_eq!(traffic.scripts(), [expected]);
}

#[test]
fn what_toml_cannot_hold_as_it_is_is_escaped() {
    let mut traffic = Traffic::new();
    let heard = traffic.sends(1, "UPDATE doc SET text = ? WHERE a = '\\\\'");
    heard.sent.arguments = vec![Datum::text("'\r\u{1}\"'")];
    let text = traffic.written().text;
    let expected = r#"text = '''\r"#.replace(r"\r", "\\u000D\\u0001\\\"''' WHERE a = '\\\\\\\\';");
    assert!(text.contains(&expected), "{expected}\n{text}");
}

#[test]
fn a_transaction_without_autocommit_gets_its_begin_and_commit() {
    let mut traffic = Traffic::new();
    traffic.sends(1, "SET NAMES utf8mb4");
    traffic.sends(1, "SET autocommit = 0");
    traffic.reads(1, "SELECT @@version", &["@@version"], &[&["9"]]);
    traffic.sends(1, "UPDATE wallet SET balance = 1 WHERE id = 1");
    traffic.sends(1, "SET autocommit = 1");
    traffic.sends(1, "ROLLBACK");
    let expected = "BEGIN;\nUPDATE wallet SET balance = 1 WHERE id = 1;\nCOMMIT;\n";
    assert_eq!(traffic.scripts(), [expected]);
    let head = "# Left out are statements of drivers: 2 to set up a session, 1 to ask what is in no \
                table, 1 to\n# end a transaction that was not open.";
    assert!(
        traffic.written().text.contains(head),
        "{}",
        traffic.written().text
    );
}

#[test]
fn a_level_that_was_set_is_the_clients() {
    let mut traffic = Traffic::new();
    traffic.sends(1, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    traffic.withdraws(1, 250, 190);
    let text = traffic.written().text;
    assert!(
        text.contains("count = 2\nisolation = \"read-committed\"\nscript"),
        "{text}"
    );
}

#[test]
fn a_branch_is_told() {
    let mut traffic = Traffic::new();
    let query = "SELECT used FROM doc WHERE code = 'v'";
    traffic.sends(1, "BEGIN");
    traffic.reads(1, query, &["used"], &[&["0"]]);
    traffic.sends(1, "UPDATE doc SET used = used + 1 WHERE code = 'v'");
    traffic.sends(1, "COMMIT");
    traffic.pause();
    traffic.sends(1, "BEGIN");
    traffic.reads(1, query, &["used"], &[&["1"]]);
    traffic.sends(1, "ROLLBACK");
    let written = traffic.written();
    assert!(written.cannot_be_right);
    let expected = "cannot be right: another client began alike and went on in another way: \
                    `UPDATE doc SET used = used + 1 WHERE code = 'v'` was sent here, and \
                    `ROLLBACK` there; statement 2 was answered 0 here and 1 there. If both are the \
                    same request, this is a branch: write it with \\if";
    assert_eq!(written.doubts[0], expected);
    let comment = "-- cannot be right: another client began alike";
    let place = written.text.find(comment).unwrap();
    assert!(written.text[place..].contains("\nUPDATE doc SET used = used + 1"));
}

#[test]
fn two_requests_that_begin_a_transaction_alike_are_no_branch() {
    let mut traffic = Traffic::new();
    for text in ["UPDATE doc SET used = 1", "UPDATE wallet SET balance = 1"] {
        traffic.sends(1, "BEGIN");
        traffic.sends(1, text);
        traffic.sends(1, "COMMIT");
        traffic.pause();
    }
    assert!(!traffic.written().cannot_be_right);
}

#[test]
fn an_error_ends_the_client_unless_the_application_went_on() {
    let refused = || {
        Err(Fault::of_another_client(
            1062,
            Some("23000"),
            "Duplicate entry",
        ))
    };
    let mut traffic = Traffic::new();
    traffic.sends(1, "BEGIN");
    traffic.sends(1, "INSERT INTO doc VALUES (1)").answer = refused();
    traffic.sends(1, "ROLLBACK");
    assert_eq!(traffic.scripts(), ["BEGIN;\nINSERT INTO doc VALUES (1);\n"]);

    let mut traffic = Traffic::new();
    traffic.sends(1, "INSERT INTO doc VALUES (1)").answer = refused();
    traffic.sends(1, "UPDATE doc SET used = 1");
    let expected =
        "INSERT INTO doc VALUES (1);\n\\set was_refused :ERROR\nUPDATE doc SET used = 1;\n";
    assert_eq!(traffic.scripts(), [expected]);
    assert!(
        traffic.written().doubts[0].contains("was refused when it was recorded (unique_violation)")
    );
}

#[test]
fn what_is_not_whole_is_left_out() {
    for gap in [Gap::Unknown, Gap::Cut, Gap::Bulk, Gap::File] {
        let mut traffic = Traffic::new();
        traffic
            .sends(1, "LOAD DATA LOCAL INFILE 'f' INTO TABLE doc")
            .sent
            .gap = Some(gap);
        traffic.sends(1, "UPDATE doc SET used = 1");
        let written = traffic.written();
        let expected = format!(
            "`LOAD DATA LOCAL INFILE 'f' INTO TABLE doc` is left out, because {}",
            gap.in_words()
        );
        assert_eq!(written.doubts[0], format!("cannot be right: {expected}"));
        assert_eq!(traffic.scripts(), ["UPDATE doc SET used = 1;\n"]);
    }
}

#[test]
fn several_statements_in_one_query_and_an_open_end_are_told() {
    let mut traffic = Traffic::new();
    traffic.sends(1, "BEGIN");
    traffic.sends(1, "UPDATE doc SET used = 1; UPDATE doc SET used = 2");
    let written = traffic.written();
    let says = |words: &str| written.doubts.iter().any(|it| it.contains(words));
    assert!(
        says("was sent as one query with several statements"),
        "{:?}",
        written.doubts
    );
    assert!(
        says("the recording ended in a transaction"),
        "{:?}",
        written.doubts
    );
}

#[test]
fn what_drivers_send_for_themselves_is_left_out_and_nothing_else() {
    const LEFT_OUT: [&str; 9] = [
        "/* ping */",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET sql_mode = (SELECT CONCAT(@@sql_mode, ',NO_ENGINE_SUBSTITUTION'))",
        "SELECT 1",
        "SELECT @@session.auto_increment_increment, DATABASE()",
        "SHOW WARNINGS",
        "SELECT table_name FROM information_schema.tables",
        "COMMIT",
        "USE shop",
    ];
    const KEPT: [&str; 7] = [
        "SET @a = 1",
        "PREPARE p FROM 'UPDATE doc SET used = ?'",
        "EXECUTE p USING @a",
        "SELECT LAST_INSERT_ID()",
        "SELECT GET_LOCK('a', 1)",
        "LOCK TABLES doc WRITE",
        "UPDATE doc SET used = 1",
    ];
    let mut traffic = Traffic::new();
    for text in LEFT_OUT.iter().chain(&KEPT) {
        traffic.sends(1, text);
    }
    let expected = KEPT.join(";\n") + ";\n";
    assert_eq!(traffic.scripts(), [expected]);
}
