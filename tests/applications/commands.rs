//! Clients that are commands: real programs, in Python, with a driver of their own in
//! `commands/sql.py`.
//!
//! Each statement names the client that has sent it, in a comment that the proxy does not look
//! into.

use std::path::Path;
use std::sync::Arc;

use racy::explore::Subject;
use racy::step::{Action, Ending};
use racy::verdict::Verdict;

use super::shop::Habits;
use super::stage::{NOTHING_IS_LOST, Runs, Stage, every_run, subject_in_place};
use crate::support::explored::{ALL, job as exploration, plan};
use crate::support::{Lab, TestEngine};

on_engines!(
    protocols:
        two_workers_take_the_same_job,
        workers_that_pass_over_a_locked_job_take_one_each,
        without_an_invariant_the_serial_orders_judge_commands,
        a_lock_of_a_file_is_a_wait_outside_the_database,
        a_job_runs_beside_a_request_that_sends_the_same,
        a_job_that_sends_what_the_heartbeat_sends_is_no_heartbeat,
        a_job_runs_beside_a_script,
        an_exit_status_of_its_own_declines,
        a_crash_in_a_race_is_a_failure,
        a_transaction_that_is_left_open_is_rolled_back_in_a_step,
        a_command_finds_its_database_in_its_environment,
        a_mistake_of_a_command_has_words,
        a_command_that_does_not_end_is_ended;
    postgres:
        a_view_that_was_refreshed_leaves_no_verdict;
);

/// Where the programs are. A file in it has their folder.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/applications/commands");

const JOBS: &str = r#"
title = "Jobs"
[database]
setup = """
DROP TABLE IF EXISTS job;
CREATE TABLE job (id INT PRIMARY KEY, taken INT NOT NULL);
INSERT INTO job VALUES (1, 0), (2, 0);
"""
"#;

/// A client that runs this job.
fn client(job: &str, more: &str) -> String {
    format!(
        "[[client]]\n[client.command]\nrun = [\"python3\", \"-B\", \"jobs.py\", \"{job}\"]\n\
         env = {{ CLIENT = \"{{n}}\" }}\n{more}\n"
    )
}

/// Two clients that run this job.
fn two(job: &str, more: &str) -> String {
    client(job, more).replace("[[client]]\n", "[[client]]\ncount = 2\n")
}

const TAKEN_ONCE: &str = r#"
[[invariant]]
name = "a job is taken once"
sql = "SELECT MAX(taken) <= 1 FROM job"
"#;

fn subject(text: &str) -> Arc<Subject> {
    subject_in_place(&format!("{FOLDER}/test.toml"), text)
}

async fn runs_of(engine: TestEngine, clients: &str) -> Runs {
    let lab = lab(engine).await;
    every_run(&lab.database, &subject(&format!("{JOBS}{clients}"))).await
}

async fn lab(engine: TestEngine) -> Lab {
    let settings = racy::engine::Settings {
        connections: 12,
        ..racy::engine::Settings::default()
    };
    engine.lab_with(racy::explore::settings(&settings)).await
}

/// What is said of clients that cannot be explored.
async fn said_of(engine: TestEngine, clients: &str) -> String {
    let lab = lab(engine).await;
    let subjects = vec![subject(&format!("{JOBS}{clients}{TAKEN_ONCE}"))];
    let job = racy::explore::Job {
        in_place: true,
        ..exploration(&lab.database, subjects, plan(ALL, 2))
    };
    let explored = job.run(&|_| ()).await;
    let error = explored.error.map(|it| it.to_string());
    explored.broken.into_iter().chain(error).collect()
}

/// What reports show of how each command has ended.
fn ends(runs: &Runs) -> Vec<(String, String)> {
    let rows = runs.runs.iter().flat_map(|it| &it.trace.rows);
    let ends = rows.filter(|row| row.step.action == Action::Answer);
    let mut ends: Vec<_> = ends
        .map(|row| {
            let printed = match row.ending() {
                Some(Ending::Answered(answer)) => answer.rows[0][0].to_string(),
                Some(Ending::Failed { refusal, .. }) => refusal.clone(),
                _ => String::new(),
            };
            (row.step.label.to_string(), printed)
        })
        .collect();
    ends.sort();
    ends.dedup();
    ends
}

/// Of the 6 orders, those in which one worker has taken a job before the other one looks are 2.
async fn two_workers_take_the_same_job(engine: TestEngine) {
    let capture = "capture.job = 'regex:took job ([0-9]+)'";
    let which = "\n[[invariant]]\nname = \"each has a job\"\n\
                 sql = \"SELECT :A.job IN ('1', '2') AND :B.job IN ('1', '2') AND :A.status = 0\"\n";
    let clients = format!("{}{TAKEN_ONCE}{which}", two("take", capture));
    let runs = runs_of(engine, &clients).await;
    assert_eq!(runs.counts(), [4, 0, 0, 2]);
    assert_eq!(runs.anomalies(), [("a job is taken once", 4)]);
    runs.must_be_given_to_their_clients();
    let [one, two] = ["took job 1", "took job 2"].map(str::to_owned);
    let status = "exit status 0".to_owned();
    assert_eq!(ends(&runs), [(status.clone(), one), (status, two)]);
    let mut rows = runs.runs.iter().flat_map(|it| &it.trace.rows);
    let words = "$ python3 -B jobs.py take";
    assert!(rows.any(|row| row.step.action == Action::Request && row.step.label == words));
}

async fn workers_that_pass_over_a_locked_job_take_one_each(engine: TestEngine) {
    let clients = format!("{}{TAKEN_ONCE}", two("take_locked", ""));
    let runs = runs_of(engine, &clients).await;
    // BEGIN is a step, and switching autocommit off is none.
    let all = match engine {
        TestEngine::Postgres => 70,
        _ => 20,
    };
    assert_eq!(runs.counts(), [0, 0, 0, all]);
    runs.must_be_given_to_their_clients();
}

async fn without_an_invariant_the_serial_orders_judge_commands(engine: TestEngine) {
    let runs = runs_of(engine, &two("take", "")).await;
    assert_eq!(runs.anomalies(), [("not_serial", 4)]);
    assert_eq!(runs.counts(), [4, 0, 0, 2]);
}

async fn a_lock_of_a_file_is_a_wait_outside_the_database(engine: TestEngine) {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    let lock = format!("env.LOCK = \"{}\"", lock.display());
    let clients =
        two("take_alone", &lock).replace("env = { CLIENT = \"{n}\" }", "env.CLIENT = \"{n}\"");
    let runs = runs_of(engine, &format!("{clients}{TAKEN_ONCE}")).await;
    // Until A has ended, B comes to no statement.
    assert_eq!(runs.counts(), [0, 0, 0, 1]);
    runs.must_be_given_to_their_clients();
    let waits = |row: &&racy::explore::Row| row.step.action == Action::Outside;
    let rows = &runs.runs[0].trace.rows;
    assert_eq!(rows.iter().find(waits).unwrap().client.to_string(), "B");
    assert!(
        runs.say("a lock outside the database is around all that it does"),
        "{:?}",
        runs.remarks
    );
}

/// Both send the same statements, so it is the connection alone that tells them apart.
async fn a_job_runs_beside_a_request_that_sends_the_same(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let request =
        "[[client]]\nrequest = { method = \"POST\", path = \"/autocommit?client={n}\" }\n";
    let clients = format!("{}{request}", client("deposit", ""));
    let text = stage.file(&format!("{clients}{NOTHING_IS_LOST}"));
    let runs = every_run(&stage.database, &subject(&text)).await;
    assert_eq!(runs.counts(), [18, 0, 0, 2]);
    runs.must_be_given_to_their_clients();
}

async fn a_job_that_sends_what_the_heartbeat_sends_is_no_heartbeat(engine: TestEngine) {
    let habits = Habits {
        has_a_heartbeat: true,
        ..Habits::default()
    };
    let stage = Stage::set_with(engine, habits).await;
    let request =
        "[[client]]\nrequest = { method = \"POST\", path = \"/autocommit?client={n}\" }\n";
    let text = stage.file(&format!("{}{request}{NOTHING_IS_LOST}", client("beat", "")));
    let text = text.replace("10 * :acknowledged", "10");
    let runs = every_run(&stage.database, &subject(&text)).await;
    assert_eq!(runs.counts(), [0, 0, 0, 4]);
    runs.must_be_given_to_their_clients();
    let beats = runs.statements().filter(|(_, sql)| sql.contains("worker"));
    assert!(
        beats
            .into_iter()
            .all(|(client, _)| client.to_string() == "A")
    );
}

async fn a_job_runs_beside_a_script(engine: TestEngine) {
    let script = "[[client]]\nscript = 'UPDATE job SET taken = taken + 1 WHERE id = 1;'\n";
    let clients = format!("{}{script}{TAKEN_ONCE}", client("claim", ""));
    let runs = runs_of(engine, &clients.replace("<= 1", "<= 2")).await;
    // The job is declined if the script comes first.
    assert_eq!(runs.counts(), [0, 0, 1, 1]);
}

async fn an_exit_status_of_its_own_declines(engine: TestEngine) {
    let told = "\n[[invariant]]\nname = \"one has it, and the other one says so\"\n\
                sql = \"SELECT :acknowledged = 1 AND :declined = 1 AND :A.status + :B.status = 3\"\n";
    let clients = format!("{}{told}", two("claim", ""));
    let runs = runs_of(engine, &clients).await;
    assert_eq!(runs.counts(), [0, 0, 2, 0]);
    let [done, nothing] = ["took job 1", "nothing to do"].map(str::to_owned);
    let expected = [
        ("exit status 0".to_owned(), done),
        ("exit status 3".to_owned(), nothing),
    ];
    assert_eq!(ends(&runs), expected);
    let acknowledged = two("claim", "acknowledged = [0, 3]");
    let runs = runs_of(engine, &format!("{acknowledged}{TAKEN_ONCE}")).await;
    assert_eq!(runs.counts(), [0, 0, 0, 2]);
}

/// One moves a job in two steps, and the other crashes if it sees the state in between.
async fn a_crash_in_a_race_is_a_failure(engine: TestEngine) {
    let whole = "\n[[invariant]]\nname = \"moved\"\nsql = \"SELECT SUM(taken) = 0 FROM job\"\n";
    let clients = format!("{}{}{whole}", client("swap", ""), client("compare", ""));
    let runs = runs_of(engine, &clients).await;
    assert_eq!(runs.anomalies(), [("failed", 2)]);
    let crash = "killed by signal 6 (ABRT)";
    assert!(ends(&runs).iter().any(|(label, _)| label == crash));
    runs.must_be_given_to_their_clients();
}

async fn a_transaction_that_is_left_open_is_rolled_back_in_a_step(engine: TestEngine) {
    let clients = format!("{}{}{TAKEN_ONCE}", client("leave", ""), client("claim", ""));
    let runs = runs_of(engine, &clients).await;
    let ends = "ROLLBACK /* the connection is closed */";
    for run in &runs.runs {
        let rows = run.trace.rows.iter();
        let ends: Vec<_> = rows
            .filter(|row| row.step.sql.as_deref() == Some(ends))
            .collect();
        assert_eq!(ends.len(), 1, "{run:#?}");
        assert!(ends[0].number().is_some() && ends[0].client.to_string() == "A");
    }
    assert!(
        runs.verdicts.keys().all(|it| *it == Verdict::Safe),
        "{:?}",
        runs.verdicts
    );
}

async fn a_command_finds_its_database_in_its_environment(engine: TestEngine) {
    let application = "[application]\nenv = { GREETING = \"hello at {db_port}\" }\n\
                       prepare = [[\"python3\", \"-B\", \"jobs.py\", \"environment\"]]\n";
    let application = application.replace("env = {", "env = { CLIENT = \"0\",");
    let lab = lab(engine).await;
    let text = format!(
        "{JOBS}{application}{}{}",
        two("environment", ""),
        TAKEN_ONCE.replace("<= 1", "= 3")
    );
    let runs = every_run(&lab.database, &subject(&text)).await;
    let name = &lab.name;
    let user = lab.database.upstream().unwrap().user;
    let expected = match engine {
        TestEngine::Postgres => format!(
            "postgresql://{user}@127.0.0.1:PORT/{name} 127.0.0.1 PORT - - PORT hello at PORT"
        ),
        _ => format!(
            "mysql://{user}@127.0.0.1:PORT/{name} 127.0.0.1 PORT 127.0.0.1 PORT - hello at PORT"
        ),
    };
    assert_eq!(ends(&runs), [("exit status 0".to_owned(), expected)]);
}

fn must_say(said: &str, words: &[&str]) {
    for words in words {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

async fn a_mistake_of_a_command_has_words(engine: TestEngine) {
    let missing = client("take", "").replace("python3", "no-such-program");
    for (clients, words) in [
        (
            two("crash", ""),
            &["without any race (A, then B) no command is acknowledged; \
                 client A: killed by signal 9 (KILL): it has written: about to end. That is how a \
                 program ends that has crashed: does its database have the tables"][..],
        ),
        (
            "[[client]]\ncount = 2\ncommand.run = [\"sh\", \"-c\", \"echo is it there? >&2; exit 2\"]\n"
                .to_owned(),
            &[
                "no command is acknowledged; client A: exit status 2: it has written: is it there? \
                 That is how a program ends that has crashed",
            ],
        ),
        (
            two("crash", "declined = 137"),
            &["Say in `acknowledged` of [client.command] which exit statuses mean that it was done"],
        ),
        (
            "[[client]]\ncount = 2\ncommand.run = [\"true\"]\n".to_owned(),
            &[
                "the command of client A sends no statement that another client could notice; \
                 client A: exit status 0. It is not pointed at the proxy: nothing has connected there",
            ],
        ),
        (
            format!("{missing}{}", client("take", "")),
            &[
                "without any race (A, then B): failed",
                "failed: a client could not go on; client A, `no-such-program -B jobs.py take`, exit \
                 status 127 (is it installed, and is the path right",
            ],
        ),
        (
            format!("{}{}", client("idle", ""), client("take", "")),
            &[
                "the command of client A sends no statement that another client could notice",
                "client A: exit status 0: nothing is due today",
                "It is not pointed at the proxy: nothing has connected there. DATABASE_URL",
            ],
        ),
    ] {
        let said = said_of(engine, &clients).await;
        must_say(&said, words);
    }
}

async fn a_command_that_does_not_end_is_ended(engine: TestEngine) {
    for (job, written) in [
        ("poll", "nothing"),
        ("hold", "nothing"),
        ("chatter", ": xxx"),
    ] {
        let clients = two(job, "ends_within = 2");
        let said = said_of(engine, &clients).await;
        let words = [
            &format!("`python3 -B jobs.py {job}` has not ended within 2 s."),
            "such as --once or a number of jobs; it has written",
            written,
        ];
        must_say(&said, &words);
        assert!(said.len() < 1_000, "{said}");
    }
    let left = crate::local_server::processes_naming(Path::new(FOLDER));
    let left: Vec<_> = left.iter().filter(|it| it.contains("sleep 1000")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Such a view cannot be brought back, so each run has begun with what the one before it has left.
/// Without a race the sum stays the same, so only a schedule shows it.
async fn a_view_that_was_refreshed_leaves_no_verdict(engine: TestEngine) {
    let lab = lab(engine).await;
    let view = "CREATE MATERIALIZED VIEW total AS SELECT SUM(taken) AS taken FROM job;\n";
    let setup = JOBS
        .replace(
            "DROP TABLE",
            "DROP MATERIALIZED VIEW IF EXISTS total;\nDROP TABLE",
        )
        .replace("(2, 0);\n", &format!("(2, 0);\n{view}"));
    let client = |statements: &[&str]| {
        let sent = statements.iter().map(|it| format!("; it.query('{it}')"));
        let program = format!("import sql; it = sql.connect(){}", sent.collect::<String>());
        format!(
            "[[client]]\n[client.command]\nrun = [\"python3\", \"-B\", \"-c\", \"{program}\"]\n\
             env = {{ CLIENT = \"{{n}}\" }}\n"
        )
    };
    let change = client(&[
        "UPDATE job SET taken = taken - 1 WHERE id = 1",
        "UPDATE job SET taken = taken + 1 WHERE id = 2",
    ]);
    let refresh = client(&["REFRESH MATERIALIZED VIEW total"]);
    let text = format!("{setup}{change}{refresh}");
    let job = exploration(&lab.database, vec![subject(&text)], plan(ALL, 2));
    let found = job.run(&|_| ()).await;
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let words = "materialised view total was refreshed";
    assert!(found.broken[0].contains(words), "{:?}", found.broken);
}
