//! `racy explore` as a person runs it: what it prints, its exit statuses, what it leaves behind.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::commands::{output, text};
use crate::support::json::assert_includes;
use crate::support::process::{racy, signal};
use crate::support::{TestEngine, open_folder};

on_engines!(
    every:
        explore_prints_what_it_found_as_json,
        an_exploration_that_is_interrupted_prints_what_it_found;
    servers:
        explore_works_apart_on_a_server_that_others_use;
);

async fn explore_prints_what_it_found_as_json(engine: TestEngine) {
    let folder = open_folder();
    let url = engine.own_url(folder.path());
    let mut command = racy(&["explore", "non_atomic_no_delay", "--format", "json"]);
    command.args(["--database-url", &url]);
    command.env("TMPDIR", folder.path());
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!([{
        "strategy": "non_atomic_no_delay",
        "clients": 2,
        "policy": "exhaustive",
        "exhaustive": true,
        "schedules": 20,
        "safe": 2,
        "anomalies": { "lost_update": 18, "unbalanced": 0 },
        "refused": [],
        "waited": 0,
        "counterexample": {
            "schedule": "A A B B B A",
            "highlight": { "words": "A overwrites B's 100 unseen: B's deposit is lost" },
        },
    }]);
    assert_eq!(report["version"], 1);
    let findings = &report["findings"];
    assert_includes(findings, &expected);
    for name in ["engine", "engine_version", "isolation"] {
        assert!(findings[0][name].is_string(), "{name}");
    }
    let last_step = json!({
        "step": 6,
        "client": "A",
        "label": "write balance",
        "sql": "UPDATE accounts SET balance = 100 WHERE id = 1",
        "value": 100,
        "wait": false,
    });
    assert_includes(&findings[0]["counterexample"]["steps"][5], &last_step);
}

/// There are more schedules than a test could wait for; the signal ends the search with an answer.
async fn an_exploration_that_is_interrupted_prints_what_it_found(engine: TestEngine) {
    let folder = open_folder();
    let url = engine.own_url(folder.path());
    let mut command = racy(&["explore", "atomic_no_delay", "--format", "json"]);
    command.args(["--policy", "random", "--runs", "4000000000"]);
    command.args(["--database-url", &url]);
    command.env("TMPDIR", folder.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut said = BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("to change the engine") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended");
    }
    signal("INT", &process);
    let output = tokio::task::spawn_blocking(move || process.wait_with_output().unwrap());
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["version"], 1);
    let findings = &report["findings"];
    for finding in findings.as_array().unwrap() {
        assert_eq!(finding["exhaustive"], false);
        let verdict = finding["verdict"].as_str().unwrap();
        assert!(!verdict.starts_with("safe"), "{verdict}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .collect();
    let left = left
        .iter()
        .filter(|it| it.file_name().to_string_lossy().starts_with("racy-"));
    assert_eq!(left.count(), 0, "nothing temporary is left");
}

/// Arguments after `explore` that are wrong in themselves, and what is said about them.
const WRONG: [(&str, &str); 15] = [
    (
        "atomic_no_dealy",
        "a similar value exists: 'atomic_no_delay'",
    ),
    ("nothing", "[possible values: non_atomic_no_delay, "),
    (
        "atomic_no_delay --schedule ABX",
        "--schedule cannot be read: character 3, 'X', is no client",
    ),
    (
        "atomic_no_delay --schedule=",
        "--schedule cannot be read: it names no client",
    ),
    (
        "--schedule AB",
        "--schedule belongs to one strategy: name it",
    ),
    ("--policy replay", "--policy replay needs a schedule"),
    ("--policy random --schedule AB", "leave one of them out"),
    ("--clients 0", "0 is not in 1..=8"),
    ("--clients 99", "99 is not in 1..=8"),
    ("--limit 0", "0 is not in"),
    (
        "--preemptions 2 --reduction on",
        "--preemptions needs every schedule within its bound",
    ),
    (
        "atomic_no_delay --preemptions 2 --schedule AB",
        "--preemptions belongs to the policy exhaustive",
    ),
    (
        "--reduction off --policy random",
        "--reduction belongs to the policy exhaustive",
    ),
    (
        "--explain-reduction --format junit",
        "--explain-reduction is shown by --format json",
    ),
    (
        "--clients 3 --instances 2",
        "--instances is 1, or 3 for 3 clients",
    ),
];

/// Arguments after `explore` that do not fit the database, and what is said about them.
const UNFIT: [(&str, &str); 5] = [
    (
        "--db-connections 3",
        "2 clients need 4 connections, one each and two to watch them: --db-connections allows 3",
    ),
    (
        "--isolation read-committed",
        "SQLite has no isolation level READ COMMITTED",
    ),
    ("--snapshot-isolation on", "no innodb_snapshot_isolation"),
    (
        "--database-url mysql://root@127.0.0.1:1/racy",
        "cannot open the database",
    ),
    ("--database-url local:oracle", "local:mysql"),
];

async fn assert_all_complain(cases: &[(&str, &str)]) {
    for (line, complaint) in cases {
        let mut command = racy(&["explore"]);
        command.args(line.split(' '));
        command.env("DATABASE_URL", "sqlite::memory:");
        let output = output(command).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains(complaint), "{line}: {said}");
    }
}

#[tokio::test]
async fn explore_says_what_is_wrong_with_its_arguments() {
    assert_all_complain(&WRONG).await;
}

#[tokio::test]
async fn explore_says_what_does_not_fit_the_database() {
    assert_all_complain(&UNFIT).await;
}

/// The matrix of two strategies, for the explorer explores every one that it prints.
const MATRIX: [&str; 6] = [
    "explore",
    "non_atomic_long_delay",
    "row_locking_atomic_long_delay",
    "--matrix",
    "--database-url",
    "sqlite::memory:",
];

#[tokio::test]
async fn the_matrix_is_a_table() {
    let markdown = output(racy(&MATRIX)).await;
    let said = text(&markdown.stderr);
    assert_eq!(markdown.status.code(), Some(0), "{said}");
    let markdown = text(&markdown.stdout);
    let row = "| `row_locking_atomic_long_delay` | ✓ all 10 safe | ✓ all 10 safe |";
    assert!(markdown.contains(row), "{markdown}");
}

#[tokio::test]
async fn the_matrix_is_a_page_that_asks_for_nothing_from_outside() {
    let page = output(racy(&[&MATRIX[..], &["--format", "html"]].concat())).await;
    let page = text(&page.stdout);
    for part in [
        "<a href=\"#sqlite-wal-non_atomic_long_delay\">✗ 18 of 20 lost</a>",
        "<article id=\"sqlite-wal-non_atomic_long_delay\">",
        "A overwrites B&#39;s 100 unseen",
    ] {
        assert!(page.replace('\'', "&#39;").contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"));
}

/// Two explorers at once in one database that is empty, and stays so.
async fn explore_works_apart_on_a_server_that_others_use(engine: TestEngine) {
    let server = engine.server().unwrap();
    let fresh = engine.fresh().await;
    let url = server.url(&fresh.name);
    let explore = || {
        let mut command = racy(&["explore", "atomic_no_delay", "--format", "json"]);
        command.args(["--parallel", "4", "--isolation", "serializable"]);
        command.args(["--database-url", &url]);
        output(command)
    };
    let (one, two) = tokio::join!(explore(), explore());
    for output in [one, two] {
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["version"], 1);
        let findings = &report["findings"];
        let schedules = match engine {
            TestEngine::Postgres => 182,
            _ => 82,
        };
        assert_eq!(findings[0]["schedules"], schedules);
        assert_eq!(findings[0]["exhaustive"], true);
    }
    fresh.until_nothing_is_left().await;
}
