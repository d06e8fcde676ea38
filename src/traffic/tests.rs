//! A recording becomes a file, rule by rule.

use std::time::{Duration, Instant};

use super::{Each, Recording, Written};
use crate::answer::{Answer, Datum};
use crate::engine::{
    ConnectionId, Excerpt, Fault, Flavour, Isolation, StatementKind, TableExcerpt, UserStatement,
};
use crate::proxy::{Gap, Heard, Sent, SessionState};

const FLAVOUR: Flavour = Flavour::MySql;
const PAUSE: Duration = Duration::from_millis(300);

/// What came, statement by statement. The clock is the test's own.
struct Traffic {
    heard: Vec<Heard>,
    now: Instant,
    each: Each,
    tables: Excerpt,
}

impl Traffic {
    fn new() -> Self {
        Self {
            heard: Vec::new(),
            now: Instant::now(),
            each: Each::Pause(PAUSE),
            tables: Excerpt {
                before: Vec::new(),
                tables: ["wallet", "item", "doc"].map(table).to_vec(),
            },
        }
    }

    fn pause(&mut self) {
        self.now += PAUSE;
    }

    /// The session of this connection, as its last statement left it.
    fn state(&self, connection: i64) -> SessionState {
        let mut heard = self.heard.iter().rev();
        let last = heard.find(|it| it.connection == connection.into());
        last.map_or(
            SessionState {
                in_transaction: false,
                autocommit: true,
                level: Isolation::RepeatableRead,
            },
            |it| it.after,
        )
    }

    /// A statement that has changed one row.
    fn sends(&mut self, connection: i64, text: &str) -> &mut Heard {
        let before = self.state(connection);
        let statement = UserStatement::new(text, FLAVOUR);
        let switched = statement.sets_autocommit(FLAVOUR);
        let in_transaction = match statement.kind {
            StatementKind::Begin(_) => true,
            StatementKind::Commit | StatementKind::Rollback => false,
            _ if switched == Some(true) => false,
            _ if switched.is_none() && !statement.kind.is_local() => {
                before.in_transaction || !before.autocommit
            }
            _ => before.in_transaction,
        };
        let came = self.now;
        self.now += Duration::from_millis(1);
        self.heard.push(Heard {
            connection: ConnectionId::from(connection),
            sent: Sent {
                text: text.to_owned(),
                arguments: Vec::new(),
                gap: None,
            },
            answer: Ok(Answer {
                row_count: 1,
                ..Answer::default()
            }),
            generated_key: None,
            came,
            answered: self.now,
            before,
            after: SessionState {
                in_transaction,
                autocommit: switched.unwrap_or(before.autocommit),
                ..before
            },
        });
        self.heard.last_mut().unwrap()
    }

    /// A statement that has returned these rows.
    fn reads(&mut self, connection: i64, text: &str, columns: &[&str], rows: &[&[&str]]) {
        let value = |it: &&str| match it.parse::<f64>() {
            Ok(_) => Datum::number(it),
            Err(_) => Datum::text(*it),
        };
        let rows: Vec<Vec<Datum>> = rows
            .iter()
            .map(|it| it.iter().map(value).collect())
            .collect();
        self.sends(connection, text).answer = Ok(Answer {
            columns: columns.iter().map(|it| (*it).to_owned()).collect(),
            row_count: rows.len() as u64,
            rows,
        });
    }

    /// Reads a balance, and writes another one.
    fn withdraws(&mut self, connection: i64, read: i64, written: i64) {
        self.sends(connection, "BEGIN");
        let read = read.to_string();
        let query = "SELECT balance FROM wallet WHERE id = 1";
        self.reads(connection, query, &["balance"], &[&[&read]]);
        let update = format!("UPDATE wallet SET balance = {written} WHERE id = 1");
        self.sends(connection, &update);
        self.sends(connection, "COMMIT");
        self.pause();
    }

    fn written(&self) -> Written {
        let recording = Recording {
            heard: &self.heard,
            each: self.each,
            clients: 2,
            engine: "MySQL 9, REPEATABLE READ".to_owned(),
            flavour: FLAVOUR,
            level: Isolation::RepeatableRead,
            database: "shop",
            tables: Ok(&self.tables),
            unseen: &[],
        };
        let written = recording.write().unwrap();
        let mistake = written.mistake("file.toml");
        assert!(mistake.is_none(), "{mistake:?}\n{}", written.text);
        written
    }

    /// The scripts in the file, without comments and without what only forgets variables.
    fn scripts(&self) -> Vec<String> {
        let text = self.written().text;
        let parts = text.split("script = '''\n").skip(1);
        let script = |part: &str| {
            let lines = part.split("'''").next().unwrap().lines();
            let lines = lines.filter(|it| !it.starts_with("--") && !it.starts_with("\\unset"));
            lines.map(|it| format!("{it}\n")).collect()
        };
        parts.map(script).collect()
    }
}

fn table(name: &str) -> TableExcerpt {
    TableExcerpt {
        name: name.to_owned(),
        make: vec![format!("CREATE TABLE {name} (id INT PRIMARY KEY)")],
        fill: Some(format!("INSERT INTO {name} (id) VALUES (1)")),
        rows: 1,
        ..TableExcerpt::default()
    }
}

#[test]
fn what_differs_by_the_same_number_in_two_recordings_was_computed() {
    let mut traffic = Traffic::new();
    traffic.withdraws(1, 250, 190);
    traffic.withdraws(1, 190, 130);
    let text = traffic.written().text;
    assert!(text.contains("\n[[client]]\ncount = 2\nscript"), "{text}");
    assert!(text.contains("-- What was read is not compared"), "{text}");
    assert!(text.contains("\n\\unset balance\n"), "{text}");
    let expected = "BEGIN;\nSELECT balance FROM wallet WHERE id = 1; \\gset\n\
                    UPDATE wallet SET balance = :balance - 60 WHERE id = 1;\nCOMMIT;\n";
    assert_eq!(traffic.scripts(), [expected]);
}

#[test]
fn a_difference_that_is_another_value_of_the_request_was_computed() {
    let mut traffic = Traffic::new();
    for (read, amount) in [(250, 60), (190, 25)] {
        traffic.sends(
            1,
            &format!("INSERT INTO item (wallet, amount) VALUES (1, {amount})"),
        );
        traffic.withdraws(1, read, read - amount);
    }
    let scripts = traffic.scripts();
    assert!(scripts[0].contains("VALUES (1, 60);"), "{scripts:?}");
    assert!(
        scripts[0].contains("balance = :balance - 60 WHERE"),
        "{scripts:?}"
    );
    assert!(scripts[1].contains("VALUES (1, 25);"), "{scripts:?}");
    assert!(
        scripts[1].contains("balance = :balance - 25 WHERE"),
        "{scripts:?}"
    );
}

#[test]
fn a_value_that_is_the_same_whatever_was_read_is_a_literal() {
    let mut traffic = Traffic::new();
    traffic.withdraws(1, 250, 100);
    traffic.withdraws(1, 190, 100);
    assert!(traffic.scripts()[0].contains("SET balance = 100 WHERE"));
}

#[test]
fn a_value_that_was_computed_in_another_way_cannot_be_right() {
    let mut traffic = Traffic::new();
    traffic.withdraws(1, 250, 200);
    traffic.withdraws(1, 200, 160);
    let written = traffic.written();
    assert!(written.cannot_be_right);
    let expected = "cannot be right: 250 was read, and 200 was written to the same column. How it \
                    was computed is not in a recording: write it in SQL";
    assert!(
        written.doubts.contains(&expected.to_owned()),
        "{:?}",
        written.doubts
    );
    assert!(written.text.contains("-- cannot be right: 250 was read"));
    assert!(traffic.scripts()[0].contains("SET balance = 200 WHERE"));
}

#[test]
fn one_recording_alone_is_a_guess_and_races_with_itself() {
    let mut traffic = Traffic::new();
    traffic.withdraws(1, 250, 190);
    let written = traffic.written();
    assert!(traffic.scripts()[0].contains("SET balance = :balance - 60 WHERE"));
    assert!(written.text.contains("count = 2"));
    let says = |words: &str| written.doubts.iter().any(|it| it.starts_with(words));
    assert!(says(
        "a guess: 250 was read, and 190 was written to the same column"
    ));
    assert!(says("one recording alone does not tell"));
    assert!(says("one client was recorded, so it races with itself"));
}

#[test]
fn a_value_that_comes_back_is_captured() {
    let mut traffic = Traffic::new();
    for version in ["3", "4"] {
        let query = "SELECT version FROM doc WHERE id = 3";
        traffic.reads(1, query, &["version"], &[&[version]]);
        let update = format!(
            "UPDATE doc SET text = 'x', version = version + 1 WHERE id = 3 AND version = {version}"
        );
        traffic.sends(1, &update);
        traffic.pause();
    }
    let script = &traffic.scripts()[0];
    assert!(script.contains("WHERE id = 3; \\gset\n"), "{script}");
    assert!(
        script.ends_with("version + 1 WHERE id = 3 AND version = :version;\n"),
        "{script}"
    );
}

#[test]
fn a_value_that_the_request_has_brought_is_a_literal() {
    let mut traffic = Traffic::new();
    for id in ["1234", "1235"] {
        let query = format!("SELECT id, name FROM wallet WHERE id = {id}");
        traffic.reads(1, &query, &["id", "name"], &[&[id, "main"]]);
        traffic.sends(1, &format!("UPDATE wallet SET seen = 1 WHERE id = {id}"));
        traffic.pause();
    }
    let scripts = traffic.scripts();
    assert_eq!(scripts.len(), 2);
    assert!(
        scripts[1].ends_with("SET seen = 1 WHERE id = 1235;\n"),
        "{scripts:?}"
    );
    assert!(!scripts[1].contains("\\gset"), "{scripts:?}");
}

#[test]
fn a_generated_key_is_asked_for() {
    let mut traffic = Traffic::new();
    for key in [1, 2] {
        traffic
            .sends(1, "INSERT INTO doc (name) VALUES ('x')")
            .generated_key = Some(key);
        traffic.sends(
            1,
            &format!("INSERT INTO item (doc_id, amount) VALUES ({key}, 1)"),
        );
        traffic.pause();
    }
    let expected = "INSERT INTO doc (name) VALUES ('x');\n\
                    SELECT LAST_INSERT_ID() AS new_id; \\gset\n\
                    INSERT INTO item (doc_id, amount) VALUES (:new_id, 1);\n";
    assert_eq!(traffic.scripts(), [expected]);
}

#[test]
fn a_column_without_a_name_gets_one() {
    let mut traffic = Traffic::new();
    for last in [41, 42] {
        let row = last.to_string();
        traffic.reads(1, "SELECT MAX(no) FROM item", &["MAX(no)"], &[&[&row]]);
        traffic.sends(1, &format!("INSERT INTO item (no) VALUES ({})", last + 1));
        traffic.pause();
    }
    let expected = "SELECT MAX(no) AS found FROM item; \\gset\n\
                    INSERT INTO item (no) VALUES (:found + 1);\n";
    assert_eq!(traffic.scripts(), [expected]);
}

#[test]
fn a_column_that_is_read_twice_has_two_names() {
    let mut traffic = Traffic::new();
    for (wallet, item) in [("251", "371"), ("252", "372")] {
        traffic.reads(1, "SELECT no FROM wallet", &["no"], &[&[wallet]]);
        traffic.reads(1, "SELECT no FROM item", &["no"], &[&[item]]);
        let insert = format!("INSERT INTO doc VALUES ({wallet}, {item})");
        traffic.sends(1, &insert);
        traffic.pause();
    }
    let expected = "SELECT no FROM wallet; \\gset\nSELECT no FROM item; \\gset r2_\n\
                    INSERT INTO doc VALUES (:no, :r2_no);\n";
    assert_eq!(traffic.scripts(), [expected]);
}

#[test]
fn a_value_of_one_of_several_rows_cannot_be_right() {
    let mut traffic = Traffic::new();
    let query = "SELECT id, token FROM item";
    traffic.reads(
        1,
        query,
        &["id", "token"],
        &[&["7", "a-token"], &["8", "b-token"]],
    );
    traffic.sends(1, "UPDATE item SET used = 1 WHERE token = 'b-token'");
    let written = traffic.written();
    assert!(written.cannot_be_right);
    assert!(written.doubts[0].contains("b-token is in one of several rows that statement 1"));
    assert!(traffic.scripts()[0].contains("token = 'b-token'"));
}

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
            kind: crate::answer::DatumKind::Typed("date".to_owned()),
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
    traffic.withdraws(1, 250, 190);
    for heard in &mut traffic.heard {
        heard.before.level = Isolation::ReadCommitted;
    }
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
        "cannot be right: `UPDATE elsewhere SET a = 1` names no table that was there when the \
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
    };
    assert_eq!(recording.write(), None);
}
