//! Which values of a script are literals, and which were read.

use super::Traffic;

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
    assert!(says(
        "what the application decides by what it has read is not in a recording"
    ));
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
