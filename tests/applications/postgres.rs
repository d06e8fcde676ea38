//! What PostgreSQL alone has: pipelines, constraints that are checked by the commit, savepoints
//! that outlive a refusal, and poolers in between.

use racy::engine::{Address, FaultKind};
use racy::verdict::Verdict;

use super::shop::Habits;
use super::stage::{NOTHING_IS_LOST, Runs, Stage, two};
use crate::support::TestEngine;
use crate::support::lab::Fresh;
use crate::support::pooler::Pooler;

on_engines!(
    postgres:
        the_statements_of_a_pipeline_are_steps_and_its_sync_commits,
        what_a_pipeline_skips_after_a_refusal_is_no_step,
        a_constraint_that_is_checked_late_refuses_a_commit,
        a_constraint_that_is_checked_late_refuses_a_sync,
        a_constraint_that_is_checked_late_refuses_a_split_commit,
        a_transaction_goes_on_from_its_savepoint,
        a_pooler_in_between_is_noticed;
);

/// The verdicts of two clients that send this request, and of two scripts.
async fn both(stage: &Stage, path: &str, script: &str, invariant: &str) -> (Runs, Runs) {
    let requests = stage.file(&format!("{}{invariant}", two(path)));
    let runs = stage.every_run(&requests).await;
    runs.must_be_given_to_their_clients();
    let scripts = scripts(stage, script, invariant);
    (runs, stage.every_run(&scripts).await)
}

/// A file in which two clients run this script.
fn scripts(stage: &Stage, script: &str, invariant: &str) -> String {
    let clients = format!("[[client]]\ncount = 2\nscript = '''\n{script}'''\n");
    stage.file_without_application(&format!("{clients}{invariant}"))
}

/// How many steps of all runs have these words.
fn steps(runs: &Runs, words: &str) -> usize {
    let rows = runs.runs.iter().flat_map(|it| &it.trace.rows);
    let steps = rows.filter(|it| it.number().is_some());
    let texts = steps.filter_map(|it| it.step.sql.as_deref());
    texts.filter(|it| it.contains(words)).count()
}

const READ: &str = "SELECT balance FROM account WHERE id = 1; \\gset\n";
const WRITE: &str = "UPDATE account SET balance = :balance + 10 WHERE id = 1;\n";
const LOG: &str = "INSERT INTO deposit (amount) VALUES (10);\n";

/// Four steps each: it reads, writes, logs and commits. A client whose write waits for that of the
/// other goes on after the other's commit, so there are 24 schedules. No update is lost in those
/// two in which one client reads after the other's commit.
async fn the_statements_of_a_pipeline_are_steps_and_its_sync_commits(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let script = format!("{READ}BEGIN;\n{WRITE}{LOG}COMMIT;\n");
    let (runs, scripts) = both(&stage, "/pipeline?", &script, NOTHING_IS_LOST).await;
    assert_eq!(runs.counts(), [22, 0, 0, 2]);
    for of_a_step in ["UPDATE account", "INSERT INTO deposit", "COMMIT /* Sync */"] {
        assert_eq!(steps(&runs, of_a_step), 2 * 24, "{of_a_step}");
    }
    // The BEGIN of a script has a letter of its own.
    assert_eq!(scripts.counts(), [90, 0, 0, 2]);
}

/// The client that writes later waits for the commit of the other, and is refused then. Its write
/// comes after any of the four steps of the other.
async fn what_a_pipeline_skips_after_a_refusal_is_no_step(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let path = "/pipeline-that-may-be-refused?";
    let requests = stage.file(&format!("{}{NOTHING_IS_LOST}", two(path)));
    let runs = stage.every_run(&requests).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.counts(), [0, 8, 0, 0]);
    must_refuse_each(&runs);
    for (of_a_step, count) in [
        ("UPDATE account", 2),
        ("INSERT INTO deposit", 2),
        ("DELETE FROM page", 1),
        ("COMMIT /* Sync */", 1),
    ] {
        assert_eq!(steps(&runs, of_a_step), count * 8, "{of_a_step}");
    }
}

/// Who comes later is refused, whichever statement it is that notices.
const ONE_SEAT: &str = "
[[invariant]]
name = 'one has the place'
sql = 'SELECT COUNT(*) = 1 AND :acknowledged = 1 FROM seat'
";

const SEAT: &str = "INSERT INTO seat (place) VALUES (7);\n";

async fn a_constraint_that_is_checked_late_refuses_a_commit(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let script = format!("BEGIN;\n{SEAT}COMMIT;\n");
    let (runs, scripts) = both(&stage, "/seat-in-a-transaction?", &script, ONE_SEAT).await;
    must_refuse_each(&runs);
    assert_eq!(runs.verdicts, scripts.verdicts);
}

/// Outside a block, the statement is one step with its Sync. In a pipeline, the Sync is a step.
async fn a_constraint_that_is_checked_late_refuses_a_sync(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let (runs, scripts) = both(&stage, "/seat?", SEAT, ONE_SEAT).await;
    must_refuse_each(&runs);
    assert_eq!(runs.counts(), [0, 2, 0, 0]);
    assert_eq!(runs.verdicts, scripts.verdicts);

    // Three steps each, in any order: only the last one ever waits.
    let requests = stage.file(&format!("{}{ONE_SEAT}", two("/deferred-pipeline?")));
    let runs = stage.every_run(&requests).await;
    runs.must_be_given_to_their_clients();
    must_refuse_each(&runs);
    assert_eq!(runs.counts(), [0, 20, 0, 0]);
}

async fn a_constraint_that_is_checked_late_refuses_a_split_commit(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let requests = stage.file(&format!("{}{ONE_SEAT}", two("/seat?")));
    let runs = stage.every_run_with_split_commits(&requests).await;
    let scripts = scripts(&stage, SEAT, ONE_SEAT);
    let scripts = stage.every_run_with_split_commits(&scripts).await;
    must_refuse_each(&runs);
    assert_eq!(runs.verdicts, scripts.verdicts);
    // The insertion of one comes between that of the other and its commit.
    assert!(runs.counts()[1] > 2, "{:?}", runs.counts());
    // The client is told in the answer to its statement.
    let commits = steps(&runs, "COMMIT /* --split-commits */");
    assert_eq!(commits, 2 * runs.runs.len());
}

/// Every run ends with a refusal by the constraint, and the other client's place is kept.
fn must_refuse_each(runs: &Runs) {
    let kinds: Vec<_> = runs.verdicts.keys().collect();
    assert_eq!(kinds, [&Verdict::Refused(FaultKind::UniqueViolation)]);
}

/// The refused statement is answered inside of the transaction, whose update is lost as ever: that
/// of a script, if it comes between its read and its write.
async fn a_transaction_goes_on_from_its_savepoint(engine: TestEngine) {
    const OTHER: &str = "[[client]]\nscript = '''\n\
        UPDATE account SET balance = balance + 10 WHERE id = 1;\n'''\n";
    let stage = Stage::set(engine).await;
    let request = "[[client]]\nrequest = { method = \"POST\", path = \"/savepoint?client=1\" }\n";
    let requests = stage.file(&format!("{request}{OTHER}{NOTHING_IS_LOST}"));
    let runs = stage.every_run(&requests).await;
    // A script ends with its first refusal.
    let taken = "INSERT INTO voucher (id, used) VALUES (1, 0) ON CONFLICT DO NOTHING;\n";
    let script = format!(
        "[[client]]\nscript = '''\nBEGIN;\n{READ}SAVEPOINT before_the_voucher;\n{taken}\
         ROLLBACK TO before_the_voucher;\n{WRITE}COMMIT;\n'''\n"
    );
    let scripts = format!("{script}{OTHER}{NOTHING_IS_LOST}");
    let scripts = stage.file_without_application(&scripts);
    let scripts = stage.every_run(&scripts).await;
    assert_eq!(runs.counts(), scripts.counts());
    let [lost, _, _, safe] = runs.counts();
    assert!(lost > 0 && safe > 0, "{:?}", runs.counts());
}

/// The application is told the pooler's numbers, which the server does not know.
async fn a_pooler_in_between_is_noticed(engine: TestEngine) {
    let server = engine.server().unwrap();
    let pooler = Pooler::start(server, "session").await;
    let fresh = Fresh::on(server).await;
    let address = Address::Postgres(Box::new(pooler.options(&fresh.name)));
    let stage = Stage::on(engine, fresh.reached_by(address), Habits::default()).await;
    let said = stage.broken(&stage.two_clients("/autocommit?")).await;
    for words in [
        "the server does not list the application's connection ",
        "If --database-url leads to a pooler (PgBouncer, ProxySQL), name the server behind the pooler",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}
