//! How clients end: refused, by their own decision, cut off, or by a mistake in their script. All
//! of that is an outcome, and none of it reaches the next run.

use racy::engine::FaultKind;
use racy::scenarios::Options;
use racy::verdict::Verdict;

use super::{finding, finding_with, verdict};
use crate::support::TestEngine;

on_engines!(
    every:
        a_client_stops_by_its_own_decision,
        a_refusal_is_handled_if_the_script_tests_it,
        a_refused_client_is_run_again_as_often_as_it_says,
        a_row_that_is_missing_unsets_its_variables,
        a_statement_that_is_wrong_leaves_its_connection_usable,
        an_invariant_can_hold_after_every_commit,
        the_commit_of_a_statement_can_be_a_step_of_its_own,
        rows_and_generated_keys_come_back_from_copies,
        what_a_session_is_left_with_does_not_reach_the_next_run;
    servers:
        a_client_whose_connection_is_ended_is_refused,
        a_client_that_forgets_to_commit_is_declined,
        what_is_written_through_a_view_comes_back;
    postgres:
        a_race_inside_one_statement_is_found_between_its_end_and_its_commit;
);

const VOUCHER: &str = r#"
title = "A voucher"
[database]
setup = """
CREATE TABLE voucher (id INTEGER PRIMARY KEY, used INTEGER NOT NULL);
INSERT INTO voucher VALUES (1, 0);
CREATE TABLE log (id INTEGER PRIMARY KEY, who INTEGER);
"""
"#;

async fn a_client_stops_by_its_own_decision(engine: TestEngine) {
    let text = format!(
        r#"{VOUCHER}
[[client]]
count = 2
script = '''
UPDATE voucher SET used = 1 WHERE id = 1 AND used = 0;
\if :ROW_COUNT
\else
  \q
\endif
'''
[[invariant]]
name = "one of them"
sql = "SELECT used = 1 AND :acknowledged = 1 AND :declined = 1 FROM voucher"
"#
    );
    let found = finding(engine, &text).await;
    assert_eq!(found.tally.count(Verdict::Declined), found.tally.schedules);
    assert!(found.unexpected.is_empty(), "{:?}", found.unexpected);
}

async fn a_refusal_is_handled_if_the_script_tests_it(engine: TestEngine) {
    let text = format!(
        r#"{VOUCHER}
[[client]]
count = 2
script = '''
INSERT INTO log (id, who) VALUES (1, 1);
SELECT :'FAULT' = 'unique_violation' AS is_there; \gset
\if :is_there
  UPDATE log SET who = who + 1 WHERE id = 1;
\endif
'''
[[invariant]]
name = "both are there"
sql = "SELECT who = 2 AND :acknowledged = 2 FROM log"
"#
    );
    let said = verdict(&finding(engine, &text).await);
    assert!(said.starts_with("safe in all "), "{said}");
}

async fn a_statement_that_is_wrong_leaves_its_connection_usable(engine: TestEngine) {
    let text = format!(
        r#"{VOUCHER}
[[client]]
count = 2
script = '''
SELECT used FROM voucher WHERE no_such_column = 1;
\if :ERROR
  UPDATE voucher SET used = used + 1 WHERE id = 1;
\endif
'''
[[invariant]]
name = "both have gone on"
sql = "SELECT used = 2 AND :acknowledged = 2 FROM voucher"
"#
    );
    let said = verdict(&finding(engine, &text).await);
    assert!(said.starts_with("safe in all "), "{said}");
}

async fn a_refused_client_is_run_again_as_often_as_it_says(engine: TestEngine) {
    let script = r"
INSERT INTO log (id, who) VALUES (1, 1);
\set tries 1
";
    let text = |retry: &str| {
        format!(
            r#"{VOUCHER}
[[client]]
count = 2
{retry}
may_be_refused = ["unique_violation"]
script = '''{script}'''
[[invariant]]
name = "one row"
sql = "SELECT COUNT(*) = 1 FROM log"
"#
        )
    };
    let once = finding(engine, &text("")).await;
    let thrice = text(r#"retry = { on = ["unique_violation"], times = 3 }"#);
    let thrice = finding(engine, &thrice).await;
    let refused = Verdict::Refused(FaultKind::UniqueViolation);
    // A A, B B and what lies between: the loser has one statement, or three.
    assert_eq!(once.tally.count(refused), once.tally.schedules);
    assert_eq!(thrice.tally.count(refused), thrice.tally.schedules);
    let longest = thrice.tally.examples[&refused].schedule.0.len();
    assert_eq!(
        longest, 4,
        "one statement, and three of the client that lost"
    );
    assert!(thrice.unexpected.is_empty(), "{:?}", thrice.unexpected);
}

async fn a_row_that_is_missing_unsets_its_variables(engine: TestEngine) {
    let text = format!(
        r#"{VOUCHER}
[[client]]
script = '''
SELECT used FROM voucher WHERE id = 1; \gset
SELECT used FROM voucher WHERE id = 2; \gset
\if :{{?used}}
  UPDATE voucher SET used = 99;
\endif
'''
[[invariant]]
name = "nothing was used"
sql = "SELECT used = 0 FROM voucher"
"#
    );
    let said = verdict(&finding(engine, &text).await);
    assert!(said.starts_with("safe in all 1 schedule"), "{said}");
}

async fn an_invariant_can_hold_after_every_commit(engine: TestEngine) {
    let text = |when: &str| {
        format!(
            r#"{VOUCHER}
[[client]]
script = '''
UPDATE voucher SET used = used + 1;
UPDATE voucher SET used = used - 1;
'''
[[client]]
script = '''
UPDATE voucher SET used = used + 1;
UPDATE voucher SET used = used - 1;
'''
[[invariant]]
name = "used once at most"
sql = "SELECT used <= 1 FROM voucher"
when = "{when}"
"#
        )
    };
    let at_the_end = verdict(&finding(engine, &text("end")).await);
    assert!(at_the_end.starts_with("safe in all 6 "), "{at_the_end}");
    let always = finding(engine, &text("every-commit")).await;
    // A B …, B A …: of the six, those in which both first steps come first.
    assert_eq!(always.tally.anomalies(), 4, "{}", verdict(&always));
}

async fn the_commit_of_a_statement_can_be_a_step_of_its_own(engine: TestEngine) {
    let text = format!(
        r#"{VOUCHER}
[[client]]
count = 2
script = "UPDATE voucher SET used = used + 1;"
[[invariant]]
name = "both are counted"
sql = "SELECT used = 2 FROM voucher"
"#
    );
    let whole = finding(engine, &text).await;
    assert_eq!(whole.tally.schedules, 2);
    let split = Options {
        split_commits: true,
        ..Options::default()
    };
    let split = finding_with(engine, &text, split).await;
    assert!(split.tally.schedules > 2);
    assert_eq!(split.tally.anomalies(), 0, "{}", verdict(&split));
}

/// A table whose next generated key is 100, with one row that has a smaller one; and a table whose
/// values alone change.
const MADE: &str = r#"
title = "Generated keys"
[database]
setup.default = """
CREATE TABLE made (id INT AUTO_INCREMENT PRIMARY KEY, note TEXT) AUTO_INCREMENT = 100;
INSERT INTO made (id, note) VALUES (5, 'x');
CREATE TABLE counter (id INT PRIMARY KEY, value INT);
INSERT INTO counter VALUES (1, 0);
"""
setup.postgres = """
CREATE TABLE made (id INT GENERATED BY DEFAULT AS IDENTITY (START 100) PRIMARY KEY, note TEXT);
INSERT INTO made (id, note) VALUES (5, 'x');
CREATE TABLE counter (id INT PRIMARY KEY, value INT);
INSERT INTO counter VALUES (1, 0);
"""
setup.sqlite = """
CREATE TABLE made (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT);
INSERT INTO made (id, note) VALUES (5, 'x');
UPDATE sqlite_sequence SET seq = 99 WHERE name = 'made';
CREATE TABLE counter (id INT PRIMARY KEY, value INT);
INSERT INTO counter VALUES (1, 0);
"""
"#;

/// No statement changes the schema, so the set-up runs once in each lane.
async fn rows_and_generated_keys_come_back_from_copies(engine: TestEngine) {
    let text = format!(
        r#"{MADE}
[[client]]
count = 2
script = '''
INSERT INTO made (note) VALUES ('y');
DELETE FROM made WHERE id = 5;
UPDATE counter SET value = value + 1;
'''
[[invariant]]
name = "the keys go on from the set-up's"
sql = "SELECT COUNT(*) = 2 AND MIN(id) = 100 AND MAX(id) = 101 FROM made"
[[invariant]]
name = "both are counted"
sql = "SELECT value = 2 FROM counter"
"#
    );
    let said = verdict(&finding(engine, &text).await);
    // Twenty schedules in fewer lanes: most of them begin where another one has ended.
    assert!(said.starts_with("safe in all 20 "), "{said}");
}

async fn what_a_session_is_left_with_does_not_reach_the_next_run(engine: TestEngine) {
    let text = format!(
        r#"{MADE}
[[client]]
count = 2
script = '''
CREATE TEMPORARY TABLE mine (a INT);
INSERT INTO mine VALUES (1);
SELECT COUNT(*) AS found FROM mine; \gset
INSERT INTO made (note) VALUES ('y');
'''
[[invariant]]
name = "each table is the session's own"
sql = "SELECT :A.found = 1 AND :B.found = 1 AND COUNT(*) = 3 FROM made"
"#
    );
    let said = verdict(&finding(engine, &text).await);
    assert!(said.starts_with("safe in all "), "{said}");
}

async fn a_client_whose_connection_is_ended_is_refused(engine: TestEngine) {
    let text = format!(
        r#"{VOUCHER}
[[client]]
script.postgres = '''
INSERT INTO log SELECT pg_backend_pid(), 0;
BEGIN;
UPDATE voucher SET used = used + 1;
COMMIT;
'''
script.default = '''
INSERT INTO log SELECT CONNECTION_ID(), 0;
BEGIN;
UPDATE voucher SET used = used + 1;
COMMIT;
'''
[[client]]
script.postgres = '''
SELECT id FROM log; \gset
\if :{{?id}}
  SELECT pg_terminate_backend(:id);
  UPDATE voucher SET used = used + 10;
\endif
'''
script.default = '''
SELECT id FROM log; \gset
\if :{{?id}}
  KILL CONNECTION :id;
  SELECT :ERROR AS has_ended_before; \gset
  UPDATE voucher SET used = used + 10;
\endif
'''
[[invariant]]
name = "what is kept was acknowledged"
sql = "SELECT used IN (0, 1, 10, 11) FROM voucher"
[expect.else]
refused = "some"
"#
    );
    let found = finding(engine, &text).await;
    let said = verdict(&found);
    let cut_off = Verdict::Refused(FaultKind::Unavailable);
    assert!(found.tally.count(cut_off) > 0, "{said}");
    assert!(found.unexpected.is_empty(), "{:?}", found.unexpected);
}

async fn a_client_that_forgets_to_commit_is_declined(engine: TestEngine) {
    let text = format!(
        r#"{VOUCHER}
[[client]]
count = 2
script = '''
BEGIN;
UPDATE voucher SET used = used + 1;
'''
[[invariant]]
name = "nothing was used"
sql = "SELECT used = 0 AND :acknowledged = 0 FROM voucher"
"#
    );
    let found = finding(engine, &text).await;
    assert_eq!(found.tally.count(Verdict::Declined), found.tally.schedules);
    assert!(found.tally.waited > 0);
}

async fn a_race_inside_one_statement_is_found_between_its_end_and_its_commit(engine: TestEngine) {
    let text = r#"
title = "Insert where not exists"
[database]
setup = "CREATE TABLE device (uuid TEXT);"
[[client]]
count = 2
script = "INSERT INTO device SELECT 'u' WHERE NOT EXISTS (SELECT 1 FROM device WHERE uuid = 'u');"
[[invariant]]
name = "one device"
sql = "SELECT COUNT(*) = 1 FROM device"
"#;
    let whole = verdict(&finding(engine, text).await);
    assert!(whole.starts_with("safe in all 2 "), "{whole}");
    let split = Options {
        split_commits: true,
        ..Options::default()
    };
    let split = finding_with(engine, text, split).await;
    assert!(split.tally.anomalies() > 0, "{}", verdict(&split));
}

async fn what_is_written_through_a_view_comes_back(engine: TestEngine) {
    let text = r#"
title = "A view"
[database]
setup = """
CREATE TABLE beneath (id INTEGER PRIMARY KEY, n INTEGER NOT NULL);
INSERT INTO beneath VALUES (1, 0);
CREATE VIEW above AS SELECT * FROM beneath;
"""
[[client]]
count = 2
script = "UPDATE above SET n = n + 1;"
[[invariant]]
name = "both have counted"
sql = "SELECT n = 2 FROM beneath"
"#;
    let said = verdict(&finding(engine, text).await);
    assert!(said.starts_with("safe in all "), "{said}");
}
