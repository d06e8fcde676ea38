//! Whose a statement is, and what the set-up of a file has.

use super::{FLAVOUR, PAUSE, Traffic};
use crate::engine::{Excerpt, Isolation};
use crate::traffic::{Each, Listing, Nothing, Recording};

/// How many clients there are.
fn recorded(traffic: &Traffic) -> usize {
    traffic.written().recorded
}

#[test]
fn a_client_is_what_came_between_two_pauses_on_any_connection() {
    let mut traffic = Traffic::new();
    traffic.sends(1, "UPDATE doc SET used = 1");
    traffic.sends(2, "UPDATE item SET used = 1");
    traffic.pause();
    // A pause in a transaction is none.
    traffic.sends(2, "BEGIN");
    traffic.sends(2, "UPDATE item SET used = 2");
    traffic.pause();
    traffic.sends(2, "COMMIT");
    let expected = [
        "UPDATE doc SET used = 1;\nUPDATE item SET used = 1;\n",
        "BEGIN;\nUPDATE item SET used = 2;\nCOMMIT;\n",
    ];
    assert_eq!(traffic.scripts(), expected);
}

#[test]
fn connections_that_are_at_work_at_once_are_clients_of_their_own() {
    let mut traffic = Traffic::new();
    traffic.sends(1, "BEGIN");
    traffic.sends(2, "BEGIN");
    traffic.sends(1, "UPDATE doc SET used = 1");
    traffic.sends(2, "UPDATE item SET used = 1");
    traffic.sends(2, "COMMIT");
    traffic.sends(1, "COMMIT");
    let expected = [
        "BEGIN;\nUPDATE doc SET used = 1;\nCOMMIT;\n",
        "BEGIN;\nUPDATE item SET used = 1;\nCOMMIT;\n",
    ];
    assert_eq!(traffic.scripts(), expected);
}

#[test]
fn a_client_has_one_name_in_the_file_and_in_the_listing() {
    let names = |each: Each| {
        let mut traffic = Traffic::new();
        traffic.each = each;
        traffic.sends(7, "UPDATE doc SET used = 1");
        traffic.pause();
        traffic.sends(7, "BEGIN");
        traffic.sends(8, "BEGIN");
        traffic.sends(7, "UPDATE doc SET used = 1");
        traffic.sends(8, "UPDATE item SET used = 1");
        traffic.sends(7, "COMMIT");
        traffic.sends(8, "COMMIT");
        let text = traffic.written().text;
        let mut listing = Listing::new(FLAVOUR, each, false);
        let shown: String = traffic.heard.iter().map(|it| listing.lines(it)).collect();
        let names = text.lines().filter_map(|it| it.strip_prefix("name = "));
        let names: Vec<_> = names.map(|it| it.trim_matches('"').to_owned()).collect();
        (names, shown)
    };
    let (pauses, shown) = names(Each::Pause(PAUSE));
    assert_eq!(pauses, ["client 2, connection 7", "client 2, connection 8"]);
    assert!(pauses.iter().all(|it| shown.contains(&format!("\n{it}\n"))));
    let (connections, shown) = names(Each::Connection);
    assert_eq!(connections, ["connection 7", "connection 8"]);
    assert!(
        connections
            .iter()
            .all(|it| shown.contains(&format!("\n{it}\n")))
    );
    let (transactions, _) = names(Each::Transaction);
    let expected = ["connection 7, transaction 1", "connection 8, transaction 1"];
    assert_eq!(transactions, expected);
}

#[test]
fn a_client_can_be_a_connection_or_a_transaction() {
    let mut traffic = Traffic::new();
    for connection in [1, 2, 1] {
        traffic.withdraws(connection, 250, 190);
    }
    assert_eq!(recorded(&traffic), 3);
    traffic.each = Each::Connection;
    assert_eq!(recorded(&traffic), 2);
    traffic.each = Each::Transaction;
    traffic.sends(1, "UPDATE doc SET used = 1");
    assert_eq!(recorded(&traffic), 4);
}

#[test]
fn what_others_have_changed_before_is_in_the_set_up() {
    let mut traffic = Traffic::new();
    traffic.reads(1, "SELECT id FROM doc", &["id"], &[&["1"]]);
    traffic.sends(1, "INSERT INTO doc VALUES (7)");
    traffic.pause();
    traffic.reads(1, "SELECT id FROM item", &["id"], &[&["1"]]);
    traffic.pause();
    traffic.withdraws(1, 250, 190);
    traffic.withdraws(1, 190, 130);
    let written = traffic.written();
    let setup = "setup = '''\nSET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n\
                 CREATE TABLE doc (id INT PRIMARY KEY);\nINSERT INTO doc (id) VALUES (1);\n\
                 CREATE TABLE wallet (id INT PRIMARY KEY);\nINSERT INTO wallet (id) VALUES (1);\n\
                 -- What was sent before:\nSET foreign_key_checks = 1, sql_mode = DEFAULT;\n\
                 INSERT INTO doc VALUES (7);\n'''\n";
    assert!(written.text.contains(setup), "{}", written.text);
    let says = |words: &str| written.doubts.iter().any(|it| it == words);
    assert!(says("what 1 client sent before is a part of the set-up"));
    assert!(says(
        "1 client changed nothing that counts here and is left out"
    ));
    assert!(
        written
            .text
            .contains("title = \"Recorded: 2 clients on doc, wallet\"")
    );
}

#[test]
fn a_table_that_is_not_there_as_it_was_cannot_be_right() {
    let mut traffic = Traffic::new();
    traffic.tables.tables[0].has_more_rows = true;
    traffic.tables.tables[0].left_out = vec!["wallet has a trigger, t".to_owned()];
    traffic.withdraws(1, 250, 190);
    traffic.withdraws(1, 190, 130);
    traffic.sends(1, "UPDATE elsewhere SET a = 1");
    let doubts = traffic.written().doubts;
    for expected in [
        "cannot be right: the table wallet has more than 1 rows, and only these are in the file. \
         --rows takes more",
        "cannot be right: wallet has a trigger, t, which is not in the file",
        "cannot run: `UPDATE elsewhere SET a = 1` names no table that was there when the \
         recording began",
    ] {
        assert!(
            doubts.iter().any(|it| it == expected),
            "{expected}\n{doubts:?}"
        );
    }
}

#[test]
fn a_table_that_was_made_before_is_there() {
    let mut traffic = Traffic::new();
    traffic.tables = Excerpt::default();
    traffic.sends(1, "CREATE TABLE IF NOT EXISTS wallet (id INT, balance INT)");
    traffic.pause();
    traffic.withdraws(1, 250, 190);
    traffic.withdraws(1, 190, 130);
    let written = traffic.written();
    assert!(!written.cannot_be_right, "{:?}", written.doubts);
    assert!(
        written
            .text
            .contains("\nCREATE TABLE IF NOT EXISTS wallet (id INT, balance INT);\n")
    );
}

#[test]
fn nothing_but_noise_is_no_recording() {
    let mut traffic = Traffic::new();
    traffic.sends(1, "SET NAMES utf8mb4");
    let recording = Recording {
        heard: &traffic.heard,
        each: traffic.each,
        clients: 2,
        engine: String::new(),
        flavour: FLAVOUR,
        level: Isolation::RepeatableRead,
        database: "shop",
        tables: Err("why"),
        unseen: &[],
        under_way: &[],
    };
    assert_eq!(recording.write(), Err(Nothing::Came));
}
