//! `racy demo`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{output, text};
use crate::support::json::assert_includes;
use crate::support::process::{racy, signal};
use crate::support::{TestEngine, until};

on_engines!(
    every:
        the_demo_prints_the_facts_as_json,
        the_demo_of_orders_keeps_what_their_cards_promise;
    servers:
        a_demo_that_is_interrupted_leaves_nothing_running;
);

async fn the_demo_prints_the_facts_as_json(engine: TestEngine) {
    let folder = tempfile::tempdir().unwrap();
    let url = engine.own_url(folder.path());
    let mut command = racy(&["demo", "--json", "--database-url", &url]);
    command.env("TMPDIR", folder.path());
    let output = output(command).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("{url} was asked for")), "{said}");
    assert!(
        said.contains("to change the engine: --database-url"),
        "{said}"
    );

    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["version"], 1);
    let showings = &report["results"];
    assert_shows_every_strategy(showings);
    for showing in showings.as_array().unwrap() {
        assert_is_consistent(showing);
    }
    let safe = json!({ "must_be_safe": true, "acknowledged": 10, "lost": 0 });
    assert_includes(&showings[4], &safe);
    assert_only_the_lab_is_left_in(folder.path());
}

/// In the order of the list, and those for one process once more on two instances.
fn assert_shows_every_strategy(showings: &Value) {
    let showings = showings.as_array().unwrap();
    let names = showings.iter().map(|one| one["strategy"].as_str().unwrap());
    let strategies = racy::exhibits::deposits::STRATEGIES.iter();
    let expected = strategies.flat_map(|it| it.setting().instances(2).into_iter().map(|_| it.name));
    assert_eq!(names.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let apart = showings.iter().find(|one| one["instances"] == 2).unwrap();
    assert_eq!(apart["strategy"], "mutex_in_process");
}

fn assert_only_the_lab_is_left_in(folder: &Path) {
    for left in std::fs::read_dir(folder).unwrap() {
        let name = left.unwrap().file_name();
        assert!(name.to_string_lossy().starts_with("lab.db"), "{name:?}");
    }
}

fn assert_is_consistent(showing: &Value) {
    let number = |name: &str| {
        let number = showing[name].as_i64();
        number.unwrap_or_else(|| panic!("no integer {name} in {showing}"))
    };
    assert_eq!(number("requests"), 10);
    assert_eq!(number("acknowledged") + number("refused"), 10, "{showing}");
    let refusals = showing["refusals"].as_array().unwrap();
    let refused: i64 = refusals
        .iter()
        .map(|one| one["requests"].as_i64().unwrap())
        .sum();
    assert_eq!(number("refused"), refused);
    let acknowledged = 100 * number("acknowledged");
    match showing["strategy"].as_str() {
        // Its deadlocks' victims leave no record.
        Some("retry_only_statement") => assert!(number("transactions_sum") <= acknowledged),
        _ => assert_eq!(number("transactions_sum"), acknowledged),
    }
    assert_eq!(
        number("expected_balance"),
        number("opening_balance") + acknowledged
    );
    assert_eq!(
        number("lost"),
        number("expected_balance") - number("balance")
    );
    for name in ["engine", "engine_version", "isolation"] {
        assert!(showing[name].is_string(), "{name}");
    }
}

async fn the_demo_of_orders_keeps_what_their_cards_promise(engine: TestEngine) {
    let folder = tempfile::tempdir().unwrap();
    let url = engine.own_url(folder.path());
    let mut command = racy(&["demo", "orders", "--json", "--database-url", &url]);
    command.env("TMPDIR", folder.path());
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let showings = report["results"].as_array().unwrap();
    let names = showings.iter().map(|one| one["strategy"].as_str().unwrap());
    let strategies = racy::exhibits::orders::STRATEGIES
        .iter()
        .map(|it| it.full_name);
    assert_eq!(names.collect::<Vec<_>>(), strategies.collect::<Vec<_>>());
    for one in showings {
        let number = |name: &str| one[name].as_u64().unwrap();
        assert_eq!(
            number("acknowledged") + number("refused") + number("unclear"),
            number("requests"),
            "{one}"
        );
        let anomalies = one["anomalies"].as_array().unwrap();
        assert_eq!(anomalies[0]["name"], "duplicate_number", "{one}");
    }
    let card_of = |one: &Value| {
        racy::exhibits::orders::STRATEGIES
            .iter()
            .find(|it| it.full_name == one["strategy"])
    };
    for one in showings.iter().filter(|one| one["must_be_safe"] == true) {
        let expected = card_of(one).unwrap().card.expected;
        assert!(
            expected
                .iter()
                .any(racy::exhibits::card::Expectation::is_safe),
            "{one}"
        );
    }
}

#[tokio::test]
async fn the_demo_of_orders_is_a_table_of_anomalies() {
    let output = output(racy(&[
        "demo",
        "orders",
        "--database-url",
        "sqlite::memory:",
    ]))
    .await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let header = shown.lines().next().unwrap();
    assert!(
        header.ends_with("duplicate mixed half half shipped"),
        "{shown}"
    );
    let widest = shown.lines().take(2).map(|line| line.chars().count());
    assert!(widest.max() <= Some(80), "{shown}");
    assert!(
        shown.contains("head of its file in src/exhibits/orders/."),
        "{shown}"
    );
    assert!(!shown.contains("append_only"), "{shown}");
}

#[tokio::test]
async fn the_demo_shows_a_table_and_how_it_happened() {
    let output = output(racy(&["demo", "--database-url", "sqlite::memory:"])).await;
    assert_eq!(output.status.code(), Some(0));
    let shown = text(&output.stdout);
    let header = shown.lines().next().unwrap();
    let columns = [
        "strategy",
        "acknowledged",
        "refused",
        "expected",
        "actual",
        "lost",
        "time",
    ];
    assert_eq!(header.split_whitespace().collect::<Vec<_>>(), columns);
    let widest = shown
        .lines()
        .take_while(|line| !line.starts_with("This ran on"));
    let widest = widest.map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 80, "{widest} columns\n{shown}");
    // Whether anything is lost is a matter of luck. That what is lost is shown is not.
    let lost = shown.lines().any(has_lost_by_one_instance);
    for (words, are_there) in [
        ("client A deposits 100", lost),
        ("write balance ← ", lost),
        ("unseen: ", lost),
        ("Nothing was lost this time.", !lost),
        ("This ran on SQLite 3.", true),
    ] {
        assert_eq!(shown.contains(words), are_there, "{words:?} in\n{shown}");
    }
}

/// Whether a line of the demo's table, e.g. `atomic_long_delay 10 0 1000 100 900 95 ms`, tells of a
/// loss.
fn has_lost_by_one_instance(line: &str) -> bool {
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        [_, _, _, expected, _, lost, _, "ms"] => expected != "0" && lost != "0",
        _ => false,
    }
}

#[tokio::test]
async fn a_reader_that_leaves_early_is_no_error() {
    for leaves in ["stdout", "stderr"] {
        let mut command = racy(&["demo", "orders", "--database-url", "sqlite::memory:"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        match leaves {
            "stdout" => drop(process.stdout.take()),
            _ => drop(process.stderr.take()),
        }
        let output = tokio::task::spawn_blocking(|| process.wait_with_output().unwrap());
        let output = output.await.unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "without {leaves}: {said}");
    }
}

async fn a_demo_that_is_interrupted_leaves_nothing_running(engine: TestEngine) {
    let folder = tempfile::tempdir().unwrap();
    let url = engine.own_url(folder.path());
    for signal_name in ["INT", "TERM", "KILL"] {
        let mut command = racy(&["demo", "--database-url", &url]);
        command
            .env("TMPDIR", folder.path())
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("socket ") {
            assert!(log.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        let (_, socket) = said.trim_end().rsplit_once("socket ").unwrap();
        let run_folder = Path::new(socket).parent().unwrap();
        assert!(run_folder.exists());

        signal(signal_name, &process);
        process.wait().unwrap();
        until("the server and its folder are gone", || async {
            !run_folder.exists()
        })
        .await;
    }
}

#[tokio::test]
async fn a_demo_can_be_written_as_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.json");
    let url = TestEngine::Sqlite.own_url(folder.path());
    let arguments = [
        "demo",
        "--trace",
        file.to_str().unwrap(),
        "--database-url",
        &url,
    ];
    let output = output(racy(&arguments)).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let trace: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let named = |name: &str| events.iter().filter(|it| it["name"] == name).count();
    // A strategy that relies on memory is shown with two instances as well, a process for each.
    let strategies = racy::exhibits::deposits::STRATEGIES.len();
    assert_eq!(named("process_name"), strategies + 2);
    assert_eq!(named("thread_name"), 10 * (strategies + 1));
}
