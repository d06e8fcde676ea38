//! What a session has set: levels, settings, and what pools do to it.

use super::Traffic;
use crate::engine::{Excerpt, Fault, TableExcerpt};
use crate::proxy::Gap;
use crate::traffic::Each;

const UPDATE: &str = "UPDATE doc SET used = 1";

fn says(traffic: &Traffic, words: &str) -> bool {
    let doubts = traffic.written().doubts;
    doubts.iter().any(|it| it.contains(words))
}

#[test]
fn a_level_that_is_set_in_a_transaction_of_postgres_is_the_clients() {
    let mut traffic = Traffic::on_postgres();
    for text in [
        "BEGIN",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        UPDATE,
        "COMMIT",
    ] {
        traffic.sends(1, text);
    }
    let text = traffic.written().text;
    let expected = "count = 2\nisolation = \"serializable\"\nscript = '''\nBEGIN;\n\
                    UPDATE doc SET used = 1;\nCOMMIT;\n";
    assert!(text.contains(expected), "{text}");
    assert!(!says(&traffic, "several isolation levels"));
}

#[test]
fn a_begin_that_names_its_level_has_no_other_one() {
    let mut traffic = Traffic::on_postgres();
    for text in [
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        UPDATE,
        "COMMIT",
        "BEGIN ISOLATION LEVEL READ COMMITTED",
        UPDATE,
        "COMMIT",
    ] {
        traffic.sends(1, text);
    }
    assert!(!says(&traffic, "several isolation levels"));
    let text = traffic.written().text;
    assert!(text.contains("\nBEGIN ISOLATION LEVEL READ COMMITTED;\n"));

    let mut traffic = Traffic::new();
    for level in ["SERIALIZABLE", "READ COMMITTED"] {
        traffic.sends(1, &format!("SET TRANSACTION ISOLATION LEVEL {level}"));
        traffic.sends(1, "BEGIN");
        traffic.sends(1, UPDATE);
        traffic.sends(1, "COMMIT");
    }
    let told = "its transactions had several isolation levels. Here all have SERIALIZABLE";
    assert!(says(&traffic, told));
}

#[test]
fn what_a_transaction_sets_stays_in_it() {
    let texts = [
        "BEGIN",
        "SET LOCAL search_path TO doc",
        "SET CONSTRAINTS ALL DEFERRED",
        UPDATE,
        "COMMIT",
    ];
    let mut traffic = Traffic::on_postgres();
    for text in texts {
        traffic.sends(1, text);
    }
    assert_eq!(traffic.scripts(), [texts.join(";\n") + ";\n"]);
}

#[test]
fn what_a_session_has_set_is_set_in_each_of_its_clients() {
    let mut traffic = Traffic::on_postgres();
    traffic.sends(1, "SET client_encoding TO 'UTF8'");
    traffic.sends(1, "SET search_path TO a");
    traffic.sends(1, UPDATE);
    traffic.pause();
    traffic.sends(1, UPDATE);
    traffic.sends(2, "UPDATE item SET used = 1");
    let set = "SET search_path TO a;\nUPDATE doc SET used = 1;\n";
    let expected = [
        set.to_owned(),
        format!("{set}RESET search_path;\nUPDATE item SET used = 1;\n"),
    ];
    assert_eq!(traffic.scripts(), expected);
}

#[test]
fn what_was_set_in_a_transaction_holds_if_that_commits() {
    for (end, expected) in [("COMMIT", "SET search_path TO a;\n"), ("ROLLBACK", "")] {
        let mut traffic = Traffic::on_postgres();
        for text in ["BEGIN", "SET search_path TO a", end] {
            traffic.sends(1, text);
        }
        traffic.pause();
        traffic.sends(1, UPDATE);
        traffic.pause();
        traffic.sends(1, UPDATE);
        assert_eq!(
            traffic.scripts(),
            [format!("{expected}{UPDATE};\n")],
            "{end}"
        );
    }
}

#[test]
fn what_cannot_be_set_in_a_script_is_named() {
    let mut traffic = Traffic::on_postgres();
    traffic.sends(1, "SET ROLE teller");
    traffic.sends(1, "BEGIN");
    traffic.sends(1, "SET LOCAL lock_timeout = '2s'");
    traffic.sends(1, UPDATE);
    traffic.sends(1, "COMMIT");
    let expected = "BEGIN;\nUPDATE doc SET used = 1;\nCOMMIT;\n";
    assert_eq!(traffic.scripts(), [expected]);
    let doubts = traffic.written().doubts;
    for expected in [
        "cannot be right: `SET ROLE teller` is left out, because roles and their rights are not in \
         the file",
        "`SET LOCAL lock_timeout = '2s'` is left out, because in a schedule a statement waits until \
         another client goes on",
    ] {
        assert!(doubts.iter().any(|it| it == expected), "{doubts:?}");
    }
}

#[test]
fn a_reset_of_the_session_is_no_client_and_ends_what_was_set() {
    let mut traffic = Traffic::on_postgres();
    traffic.sends(1, "SET search_path TO a");
    traffic.sends(1, UPDATE);
    traffic.pause();
    for text in [
        "DISCARD ALL",
        "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL",
        "ROLLBACK",
        "SET search_path TO b",
    ] {
        traffic.sends(1, text);
    }
    traffic.pause();
    // The connection itself is reset, which is no statement.
    let reset = traffic.sends(1, UPDATE);
    reset.before.number = 1;
    reset.after.number = 1;
    let written = traffic.written();
    assert_eq!(written.recorded, 2);
    let expected = [
        format!("SET search_path TO a;\n{UPDATE};\n"),
        format!("{UPDATE};\n"),
    ];
    assert_eq!(traffic.scripts(), expected);
    let left_out = "# Left out are statements of drivers: 5 to reset a session, 1 to end a transaction \
                    that was not\n# open.";
    assert!(written.text.contains(left_out), "{}", written.text);
}

#[test]
fn each_statement_of_one_query_counts() {
    let mut traffic = Traffic::on_postgres();
    traffic.sends(1, "UPDATE doc SET used = 1; UPDATE elsewhere SET a = 1;");
    let expected = "BEGIN;\nUPDATE doc SET used = 1;\nUPDATE elsewhere SET a = 1;\nCOMMIT;\n";
    assert_eq!(traffic.scripts(), [expected]);
    let told = "cannot run: `UPDATE elsewhere SET a = 1` names no table that was there";
    assert!(says(&traffic, told));

    let mut traffic = Traffic::new();
    traffic.each = Each::Connection;
    traffic.sends(1, "BEGIN; UPDATE item SET used = 1; COMMIT");
    let expected = "BEGIN;\nUPDATE item SET used = 1;\nCOMMIT;\n";
    assert_eq!(traffic.scripts(), [expected]);
    assert!(traffic.written().text.contains("CREATE TABLE item"));
    assert!(!says(&traffic, "no client has changed anything"));
    assert!(says(
        &traffic,
        "was sent as one query with several statements"
    ));
}

#[test]
fn a_refused_preparation_is_told() {
    let mut traffic = Traffic::new();
    traffic.sends(1, "BEGIN");
    let heard = traffic.sends(1, "UPDATE doc SET gone = ? WHERE id = ?");
    heard.sent.gap = Some(Gap::Unprepared);
    heard.answer = Err(Fault::of_another_client(
        1054,
        Some("42S22"),
        "Unknown column",
    ));
    traffic.sends(1, "ROLLBACK");
    let expected = "`UPDATE doc SET gone = ? WHERE id = ?` is left out, because the server has \
                    refused to prepare it";
    assert!(says(&traffic, expected));
    assert_eq!(traffic.scripts(), ["BEGIN;\nROLLBACK;\n"]);
    assert!(says(&traffic, "no client has changed anything"));
}

#[test]
fn a_statement_that_is_under_way_at_the_end_is_named() {
    let mut traffic = Traffic::new();
    traffic.sends(1, UPDATE);
    traffic.under_way = vec![(7.into(), "UPDATE doc SET used = 2".to_owned())];
    let expected = "cannot be right: `UPDATE doc SET used = 2` is left out: it was not answered yet \
                    on connection 7";
    assert!(says(&traffic, expected));
}

#[test]
fn clients_that_change_nothing_are_told() {
    let mut traffic = Traffic::new();
    traffic.reads(1, "SELECT id FROM doc", &["id"], &[&["1"]]);
    assert!(says(
        &traffic,
        "no client has changed anything, so nothing can be lost here"
    ));
    traffic.sends(1, UPDATE);
    assert!(!says(&traffic, "no client has changed anything"));
}

#[test]
fn what_a_file_cannot_run_without_is_told() {
    let mut traffic = Traffic::new();
    traffic.sends(1, UPDATE);
    assert!(!traffic.written().cannot_run);
    traffic.tables = Excerpt {
        tables: vec![TableExcerpt {
            name: "doc".to_owned(),
            left_out: vec!["doc is a view".to_owned()],
            ..TableExcerpt::default()
        }],
        ..Excerpt::default()
    };
    assert!(traffic.written().cannot_run);
    assert!(says(
        &traffic,
        "cannot run: doc is a view, which is not in the file"
    ));

    let mut traffic = Traffic::new();
    traffic.tables.tables[2].missing = vec!["doc calls the function f()".to_owned()];
    traffic.tables.routines = vec!["pay".to_owned()];
    traffic.sends(1, "UPDATE doc SET used = Pay(1)");
    for expected in [
        "cannot run: doc calls the function f(), which is not in the file",
        "cannot run: `UPDATE doc SET used = Pay(1)` calls Pay, a routine of the database, which is \
         not in the file",
    ] {
        assert!(says(&traffic, expected), "{expected}");
    }
}

#[test]
fn names_are_looked_up_where_the_database_does() {
    let mut traffic = Traffic::on_postgres();
    traffic.tables.beginning = Some("SET search_path = shop".to_owned());
    traffic.tables.tables[2].before = vec!["CREATE SCHEMA IF NOT EXISTS shop".to_owned()];
    traffic.sends(1, "UPDATE shop.\"doc\" SET used = 1");
    let expected = "SET search_path = shop;\nUPDATE shop.\"doc\" SET used = 1;\n";
    assert_eq!(traffic.scripts(), [expected]);
    let setup = "setup = '''\nCREATE SCHEMA IF NOT EXISTS shop;\nCREATE TABLE doc";
    assert!(traffic.written().text.contains(setup));
    assert!(!traffic.written().cannot_run);
}
