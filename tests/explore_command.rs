//! `racy explore` as a person runs it: what it prints, its exit statuses, what it leaves behind.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::commands::{output, text};
use crate::support::process::{racy, signal};
use crate::support::{TestEngine, open_folder};

on_engines!(
    every:
        explore_prints_what_it_found_as_json,
        an_exploration_that_is_interrupted_prints_what_it_found,
    ;
    servers:
        explore_works_apart_on_somebody_elses_server,
    ;
    innodb:
);

async fn explore_prints_what_it_found_as_json(engine: TestEngine) {
    let folder = open_folder();
    let url = engine.own_url(folder.path());
    let mut command = racy(&["explore", "non_atomic_no_delay", "--format", "json"]);
    command.args(["--database-url", &url]);
    command.env("TMPDIR", folder.path());
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [finding] = &findings.as_array().unwrap()[..] else {
        panic!("{findings}");
    };
    for (name, value) in [
        ("strategy", Value::from("non_atomic_no_delay")),
        ("clients", 2.into()),
        ("policy", "exhaustive".into()),
        ("exhaustive", true.into()),
        ("schedules", 20.into()),
        ("safe", 2.into()),
        (
            "anomalies",
            serde_json::json!({"lost_update": 18, "unbalanced": 0}),
        ),
        ("refused", Value::Array(Vec::new())),
        ("waited", 0.into()),
    ] {
        assert_eq!(finding[name], value, "{name}");
    }
    for name in ["engine", "engine_version", "isolation"] {
        assert!(finding[name].is_string(), "{name}");
    }
    let shortest = &finding["counterexample"];
    assert_eq!(shortest["schedule"], "A A B B B A");
    assert_eq!(
        shortest["lost"],
        "A overwrites B's 100 unseen: B's deposit is lost"
    );
    let last = &shortest["steps"][5];
    for (name, value) in [
        ("step", Value::from(6)),
        ("client", "A".into()),
        ("label", "write balance".into()),
        (
            "sql",
            "UPDATE accounts SET balance = 100 WHERE id = 1".into(),
        ),
        ("value", 100.into()),
        ("wait", false.into()),
    ] {
        assert_eq!(last[name], value, "{name}");
    }
}

/// More schedules than anybody could wait for; after the signal there is an answer all the same.
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
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
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

#[tokio::test]
async fn explore_says_what_is_wrong_with_what_it_was_told() {
    for (arguments, complaint) in [
        (
            &["atomic_no_dealy"][..],
            "a similar value exists: 'atomic_no_delay'",
        ),
        (&["nothing"], "[possible values: non_atomic_no_delay, "),
        (
            &["atomic_no_delay", "--schedule", "A B X"],
            "--schedule cannot be read: character 5, 'X', is no client",
        ),
        (
            &["atomic_no_delay", "--schedule", ""],
            "--schedule cannot be read: it names no client",
        ),
        (
            &["--schedule", "A B"],
            "--schedule belongs to one strategy: name it",
        ),
        (&["--policy", "replay"], "--policy replay needs a schedule"),
        (
            &["--policy", "random", "--schedule", "A B"],
            "leave one of them out",
        ),
        (&["--clients", "0"], "0 is not in 1..=8"),
        (&["--clients", "99"], "99 is not in 1..=8"),
        (&["--limit", "0"], "0 is not in"),
        (
            &["--clients", "3", "--instances", "2"],
            "--instances is 1, or 3 for 3 clients",
        ),
        (
            &["--db-connections", "3"],
            "2 clients need 4 connections, one each and two to watch them: --db-connections allows 3",
        ),
        (
            &["--isolation", "read-committed"],
            "SQLite has no isolation level READ COMMITTED",
        ),
        (
            &["--snapshot-isolation", "on"],
            "no innodb_snapshot_isolation",
        ),
        (
            &["--database-url", "mysql://root@127.0.0.1:1/racy"],
            "cannot open the database",
        ),
        (&["--database-url", "local:oracle"], "local:mysql"),
    ] {
        let mut command = racy(&["explore"]);
        command
            .args(arguments)
            .env("DATABASE_URL", "sqlite::memory:");
        let output = output(command).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(complaint), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn the_matrix_of_one_engine_is_a_table_and_a_page() {
    let matrix = ["explore", "--matrix", "--database-url", "sqlite::memory:"];
    let markdown = output(racy(&matrix)).await;
    assert_eq!(
        markdown.status.code(),
        Some(0),
        "{}",
        text(&markdown.stderr)
    );
    let markdown = text(&markdown.stdout);
    let row = "| `row_locking_atomic_long_delay` | ✓ all 10 safe | ✓ all 10 safe |";
    assert!(markdown.contains(row), "{markdown}");
    assert!(markdown.contains("a delay changes how often"), "{markdown}");

    let page = output(racy(&[&matrix[..], &["--format", "html"]].concat())).await;
    let page = text(&page.stdout);
    for part in [
        "<a href=\"#sqlite-wal-non_atomic_no_delay\">✗ 18 of 20 lost</a>",
        "<article id=\"sqlite-wal-non_atomic_no_delay\">",
        "A overwrites B&#39;s 100 unseen",
    ] {
        assert!(page.replace('\'', "&#39;").contains(part), "{part}\n{page}");
    }
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "nothing from outside"
    );
}

/// Two explorers at once in one database that is empty, and stays so.
async fn explore_works_apart_on_somebody_elses_server(engine: TestEngine) {
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
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
        let schedules = match engine {
            TestEngine::Postgres => 182,
            _ => 82,
        };
        assert_eq!(findings[0]["schedules"], schedules);
        assert_eq!(findings[0]["exhaustive"], true);
    }
    assert_eq!(fresh.tables_and_leftovers().await, Vec::<String>::new());
}
