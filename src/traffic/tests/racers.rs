//! Who races.

use super::Traffic;
use crate::answer::Answer;
use crate::traffic::{Nothing, Written};

const READ: &str = "SELECT tickets FROM item WHERE id = 1";

impl Traffic {
    /// Makes a table, in a client of its own.
    fn sets_up(&mut self) {
        self.sends(1, "DROP TABLE IF EXISTS item");
        self.sends(1, "CREATE TABLE item (id INT PRIMARY KEY, tickets INT)");
        self.sends(1, "INSERT INTO item VALUES (1, 1)");
        self.pause();
    }

    /// Takes a ticket that is there.
    fn takes_a_ticket(&mut self) {
        self.sends(2, "BEGIN");
        self.reads(2, READ, &["tickets"], &[&["1"]]);
        self.sends(2, "UPDATE item SET tickets = tickets - 1 WHERE id = 1");
        self.sends(2, "COMMIT");
        self.pause();
    }

    /// Wants a ticket, and there is none.
    fn is_declined(&mut self) {
        self.sends(2, "BEGIN");
        self.reads(2, READ, &["tickets"], &[&["0"]]);
        self.sends(2, "ROLLBACK");
        self.pause();
    }
}

fn says(written: &Written, words: &str) -> bool {
    written.doubts.iter().any(|it| it == words)
}

#[test]
fn a_client_that_makes_tables_is_set_up_and_never_races() {
    let mut traffic = Traffic::new();
    traffic.sets_up();
    traffic.takes_a_ticket();
    let written = traffic.written();
    let setup = "-- What was sent before:\nSET foreign_key_checks = 1, sql_mode = DEFAULT;\n\
                 DROP TABLE IF EXISTS item;\n\
                 CREATE TABLE item (id INT PRIMARY KEY, tickets INT);\n\
                 INSERT INTO item VALUES (1, 1);\n";
    assert!(written.text.contains(setup), "{}", written.text);
    let client = "[[client]]\ncount = 2\nscript = '''\nBEGIN;\n";
    assert!(written.text.contains(client), "{}", written.text);
    for words in [
        "client 1 has made, changed or dropped tables: it does not race, and is a part of the \
         set-up",
        "client 2 is alone, so it races with itself",
    ] {
        assert!(says(&written, words), "{:?}", written.doubts);
    }
    assert!(!written.cannot_run);
}

#[test]
fn tables_that_are_dropped_at_the_end_are_left_out() {
    let mut traffic = Traffic::new();
    traffic.takes_a_ticket();
    traffic.takes_a_ticket();
    traffic.sends(1, "TRUNCATE item");
    let written = traffic.written();
    let words = "client 3 has made, changed or dropped tables: it does not race, and is left out, \
                 because it came later";
    assert!(says(&written, words), "{:?}", written.doubts);
    assert!(!written.text.contains("TRUNCATE"), "{}", written.text);
}

#[test]
fn a_request_whose_twin_was_declined_races_with_itself() {
    // Rows that another client has made before would race otherwise.
    for makes_tables in [true, false] {
        let mut traffic = Traffic::new();
        if makes_tables {
            traffic.sets_up();
        } else {
            traffic.sends(1, "INSERT INTO item VALUES (1, 1)");
            traffic.pause();
        }
        traffic.takes_a_ticket();
        traffic.is_declined();
        let written = traffic.written();
        let words = "client 3 began like client 2 and changed nothing. So client 2 races with \
                     itself";
        assert!(says(&written, words), "{:?}", written.doubts);
        let words = "one recording alone does not tell what was read from what was known before: \
                     send the same request twice, with enough there for both";
        assert!(says(&written, words), "{:?}", written.doubts);
        let branch = "cannot be right: another client began alike and went on in another way";
        assert!(
            written.doubts.iter().any(|it| it.starts_with(branch)),
            "{:?}",
            written.doubts
        );
        let script = "BEGIN;\nSELECT tickets FROM item WHERE id = 1;\n\
                      UPDATE item SET tickets = tickets - 1 WHERE id = 1;\nCOMMIT;\n";
        assert_eq!(traffic.scripts(), [script]);
        let head = "3 clients, of which client 2 is here.";
        let text = written.text.replace("\n# ", " ");
        assert!(
            text.contains(head) && text.contains("count = 2\n"),
            "{text}"
        );
    }
}

#[test]
fn a_declined_request_is_not_missed_if_two_were_not_declined() {
    let mut traffic = Traffic::new();
    traffic.takes_a_ticket();
    traffic.takes_a_ticket();
    traffic.is_declined();
    let written = traffic.written();
    assert!(
        says(
            &written,
            "1 client changed nothing that counts here and is left out"
        ),
        "{:?}",
        written.doubts
    );
    let text = written.text.replace("\n# ", " ");
    let head = "3 clients, of which client 1 and client 2 are here.";
    assert!(text.contains(head), "{text}");
}

#[test]
fn two_different_requests_race_with_each_other_although_one_was_declined_later() {
    let mut traffic = Traffic::new();
    traffic.takes_a_ticket();
    traffic.sends(2, "UPDATE doc SET used = 1");
    traffic.pause();
    traffic.is_declined();
    let text = traffic.written().text;
    assert!(text.contains("name = \"client 1\""), "{text}");
    assert!(text.contains("name = \"client 2\""), "{text}");
    assert_eq!(traffic.scripts().len(), 2);
}

#[test]
fn nothing_races_if_each_client_makes_tables() {
    let mut traffic = Traffic::new();
    traffic.sets_up();
    assert_eq!(traffic.refused(), Nothing::Races);
}

#[test]
fn two_requests_without_a_pause_between_them_are_doubted() {
    let doubt = "a question: client 1 has two transactions with the same statements: requests \
                 that follow each other within 0.3 s count as one. If these are two, wait longer \
                 between them, or take `--each transaction`";
    for is_declined in [false, true] {
        let mut traffic = Traffic::new();
        traffic.takes_a_ticket();
        traffic.now -= super::PAUSE;
        if is_declined {
            traffic.is_declined();
        } else {
            traffic.takes_a_ticket();
        }
        let written = traffic.written();
        assert_eq!(written.recorded, 1);
        assert!(says(&written, doubt), "{:?}", written.doubts);
        let head = written.text.replace("\n# ", " ");
        let comment = "A question: client 1 has two transactions";
        assert!(head.contains(comment), "{head}");
    }
    let mut traffic = Traffic::new();
    traffic.takes_a_ticket();
    traffic.takes_a_ticket();
    assert!(!says(&traffic.written(), doubt));
}

#[test]
fn a_value_on_which_nothing_depends_is_asked_about_once() {
    let mut traffic = Traffic::new();
    for _ in 0..2 {
        traffic.sends(1, "BEGIN");
        for id in ["1", "2"] {
            let query = format!("SELECT tickets FROM item WHERE id = {id}");
            traffic.reads(1, &query, &["tickets"], &[&["5"]]);
        }
        traffic.sends(1, "UPDATE item SET tickets = tickets - 1 WHERE id = 1");
        traffic.reads(1, "SELECT used FROM doc", &["used"], &[&["9"]]);
        traffic.sends(1, "COMMIT");
        traffic.pause();
    }
    let written = traffic.written();
    let questions: Vec<_> = written
        .doubts
        .iter()
        .filter(|it| it.starts_with("a question"))
        .collect();
    let expected = "a question: tickets was read by `SELECT tickets FROM item WHERE id = ?`, and \
                    nothing that was sent depends on it: does the application decide by it? If it \
                    does, write that branch with \\if";
    assert_eq!(questions, [expected]);
    let script = written.text.split("script = '''\n").nth(1).unwrap();
    assert!(script.starts_with("BEGIN;\n-- a question: tickets was read by "));
}

#[test]
fn what_is_used_what_has_no_rows_and_what_no_table_has_is_not_asked_about() {
    let mut traffic = Traffic::new();
    traffic.withdraws(1, 250, 190);
    traffic.sends(1, "BEGIN");
    traffic.reads(1, "SELECT GET_LOCK('a', 1)", &["l"], &[&["1"]]);
    traffic.sends(1, READ).answer = Ok(Answer {
        columns: vec!["tickets".to_owned()],
        ..Answer::default()
    });
    traffic.sends(1, "UPDATE doc SET used = 1");
    traffic.sends(1, "COMMIT");
    let doubts = traffic.written().doubts;
    assert!(
        !doubts.iter().any(|it| it.starts_with("a question")),
        "{doubts:?}"
    );
}
