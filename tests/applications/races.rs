//! Requests that race: the counts of their verdicts, and whose statement each was.

use racy::engine::FaultKind;
use racy::verdict::Verdict;

use super::stage::{NOTHING_IS_LOST, Runs, Stage, two};
use crate::support::TestEngine;

on_engines!(
    servers:
        a_lost_update_in_autocommit_is_found,
        requests_end_as_often_as_scripts_with_the_same_statements,
        split_commits_are_those_of_scripts,
        a_guarded_update_declines,
        a_deadlock_that_is_answered_503_is_a_refusal,
        a_500_without_a_refusal_of_the_engines_is_a_failure,
        a_script_races_with_a_request,
        without_an_invariant_the_serial_orders_judge;
);

/// Six statements: of the 20 orders, those in which one client reads after the other has written
/// are AAABBB and BBBAAA.
async fn a_lost_update_in_autocommit_is_found(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let text = stage.two_clients("/autocommit?");
    let runs = stage.every_run(&text).await;
    assert_eq!(runs.counts(), [18, 0, 0, 2]);
    runs.must_be_given_to_their_clients();
    must_show_values(&runs);
    let found = stage.finding(&text).await;
    assert_eq!((found.tally.schedules, found.tally.anomalies()), (20, 18));
    assert!(found.is_exhaustive(), "{found:?}");
}

/// The arguments of prepared statements stand in their places, and no other ones.
fn must_show_values(runs: &Runs) {
    let writes = runs.statements().filter_map(|(client, sql)| {
        let (_, write) = sql.split_once("*/ UPDATE ")?;
        Some((client.to_string(), write.to_owned()))
    });
    let writes: std::collections::BTreeSet<_> = writes.collect();
    let expected = ["A", "B"].map(|client| {
        ["10", "20"].map(|value| {
            let write = format!("account SET balance = {value} WHERE id = 1");
            (client.to_owned(), write)
        })
    });
    assert_eq!(writes, expected.into_iter().flatten().collect());
}

const SCRIPT: &str = "
[[client]]
count = 2
script = '''
BEGIN;
SELECT balance FROM account WHERE id = 1LOCK; \\gset
INSERT INTO deposit (amount) VALUES (10);
UPDATE account SET balance = :balance + 10 WHERE id = 1;
COMMIT;
'''
";

async fn requests_end_as_often_as_scripts_with_the_same_statements(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    for (path, lock, expected) in [
        ("/transaction?", "", [170, 0, 0, 12]),
        ("/for-update?", " FOR UPDATE", [0, 0, 0, 36]),
    ] {
        let runs = stage.every_run(&stage.two_clients(path)).await;
        runs.must_be_given_to_their_clients();
        assert_eq!(runs.counts(), expected, "{path}");
        let script = SCRIPT.replace("LOCK", lock);
        let script = stage.file_without_application(&format!("{script}{NOTHING_IS_LOST}"));
        let scripts = stage.every_run(&script).await;
        assert_eq!(scripts.counts(), expected, "{path}");
    }
}

/// The commits of the insertion and of the update are steps of their own, and the application does
/// not notice. A client whose update waits goes on after the other's commit.
async fn split_commits_are_those_of_scripts(engine: TestEngine) {
    const SCRIPT: &str = "
[[client]]
count = 2
script = '''
SELECT balance FROM account WHERE id = 1; \\gset
INSERT INTO deposit (amount) VALUES (10);
UPDATE account SET balance = :balance + 10 WHERE id = 1;
'''
";
    let stage = Stage::set(engine).await;
    let runs = stage.two_clients("/autocommit?");
    let runs = stage.every_run_with_split_commits(&runs).await;
    let script = stage.file_without_application(&format!("{SCRIPT}{NOTHING_IS_LOST}"));
    let scripts = stage.every_run_with_split_commits(&script).await;
    assert_eq!(runs.counts(), [180, 0, 0, 2]);
    assert_eq!(scripts.counts(), [180, 0, 0, 2]);
    let commits = runs
        .statements()
        .filter(|(_, sql)| sql.starts_with("COMMIT"));
    assert_eq!(commits.count(), 4 * runs.runs.len());
}

async fn a_guarded_update_declines(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let text = stage.file(&format!(
        "{}\n[[invariant]]\nname = \"once\"\n\
         sql = \"SELECT used = 1 AND :acknowledged = 1 AND :declined = 1 FROM voucher\"\n",
        two("/guarded?")
    ));
    let runs = stage.every_run(&text).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.counts(), [0, 0, 2, 0]);
}

/// Each takes from one account and gives to the other, in opposite orders.
async fn a_deadlock_that_is_answered_503_is_a_refusal(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let client = |from, to, number| {
        format!(
            "[[client]]\nrequest = {{ method = \"POST\", \
             path = \"/move?from={from}&to={to}&client={number}\" }}\n"
        )
    };
    let text = stage.file(&format!(
        "{}{}\n[[invariant]]\nname = \"no money is made\"\n\
         sql = \"SELECT SUM(balance) = 0 FROM account\"\n",
        client(1, 2, 1),
        client(2, 1, 2)
    ));
    let runs = stage.every_run(&text).await;
    runs.must_be_given_to_their_clients();
    let deadlock = Verdict::Refused(FaultKind::Deadlock);
    assert_eq!(runs.verdicts[&deadlock], 24);
    assert_eq!(runs.counts(), [0, 24, 0, 18]);
}

/// One moves money in two steps, and the other fails if it sees the state in between.
async fn a_500_without_a_refusal_of_the_engines_is_a_failure(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let text = stage.file(
        "[[client]]\nscript = '''\nUPDATE account SET balance = balance + 10 WHERE id = 1;\n\
         UPDATE account SET balance = balance - 10 WHERE id = 2;\n'''\n\
         [[client]]\nrequest = { method = \"POST\", path = \"/compare?client=2\" }\n\
         [[invariant]]\nname = \"no money is made\"\n\
         sql = \"SELECT SUM(balance) = 0 FROM account\"\n",
    );
    let runs = stage.every_run(&text).await;
    assert_eq!(runs.anomalies(), [("failed", 2)]);
    // It reads between the two writes, or around the second of them.
    assert_eq!(runs.counts(), [2, 0, 0, 4]);
}

async fn a_script_races_with_a_request(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let text = stage.file(&format!(
        "[[client]]\nscript = 'UPDATE account SET balance = balance + 10 WHERE id = 1;'\n\
         [[client]]\nrequest = {{ method = \"POST\", path = \"/autocommit?client={{n}}\" }}\n\
         {NOTHING_IS_LOST}"
    ));
    let runs = stage.every_run(&text).await;
    // The script's statement is lost between the other's read and its write.
    assert_eq!(runs.counts(), [2, 0, 0, 2]);
    let of_the_request = runs.statements().filter(|(_, sql)| sql.contains("client"));
    for (client, sql) in of_the_request {
        assert!(sql.contains("/* client 2 */"), "{sql}");
        assert_eq!(client.to_string(), "B", "{sql}");
    }
}

async fn without_an_invariant_the_serial_orders_judge(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let runs = stage.every_run(&stage.file(&two("/autocommit?"))).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.anomalies(), [("not_serial", 18)]);
    assert_eq!(runs.counts(), [18, 0, 0, 2]);
}
