//! The three forms of a report on deposits.

use serde_json::{Value, json};

use crate::bank::{bank_that_keeps, correct_bank, racing_bank};
use crate::stand_in::deadlock;
use crate::tool::{assert_contains, assert_exit, burst, burst_json, redacted, run, stderr, stdout};

const FOUR_AS_CSV: &[&str] = &["--wait", "0", "--requests", "4", "--format", "csv"];

#[test]
fn a_lost_update_as_text() {
    let bank = racing_bank(4);
    let output = burst(&bank.url(), 4);
    assert_exit(&output, 1);
    assert_eq!(stderr(&output), "");
    insta::assert_snapshot!("lost_update_text", redacted(&stdout(&output), &bank.url()));
}

#[test]
fn a_lost_update_as_json() {
    let bank = racing_bank(4);
    let args = ["--wait", "0", "--requests", "4", "--format", "json"];
    let output = run(&bank.url(), &args);
    assert_exit(&output, 1);
    insta::assert_snapshot!("lost_update_json", redacted(&stdout(&output), &bank.url()));
}

#[test]
fn a_lost_update_as_csv() {
    let output = run(&racing_bank(4).url(), FOUR_AS_CSV);
    assert_exit(&output, 1);
    let table = stdout(&output);
    let (header, rows) = table.split_once('\n').unwrap();
    assert_eq!(
        header,
        "request,started_us,latency_us,status,outcome,fault,code,balance_read,balance_written"
    );
    assert_eq!(rows.lines().count(), 4);
    for (row, request) in rows.lines().zip(1..) {
        let fields: Vec<_> = row.split(',').collect();
        assert_eq!(fields[0], request.to_string());
        let (started, latency) = (fields[1].parse::<u64>(), fields[2].parse::<u64>());
        assert!(started.is_ok() && latency.is_ok(), "{row}");
        assert_eq!(fields[3..], ["200", "acknowledged", "", "", "0", "100"]);
    }
}

#[test]
fn a_lost_update_as_a_trace() {
    let name = format!("make_requests-trace-{}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = path.to_str().unwrap();
    let output = run(
        &racing_bank(4).url(),
        &["--wait", "0", "--requests", "4", "--trace", file],
    );
    assert_exit(&output, 1);
    let text = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let trace: Value = serde_json::from_slice(&text).unwrap();
    assert!(text.starts_with(br#"{"displayTimeUnit":"ms","#));
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |phase: &str, category: &str| {
        let events = events.iter();
        events
            .filter(|it| it["ph"] == phase && it["cat"] == category)
            .count()
    };
    assert_eq!((of("X", "request"), of("i", "lost")), (4, 1));
}

#[test]
fn the_summary_of_a_table_goes_to_stderr() {
    let output = run(&racing_bank(4).url(), FOUR_AS_CSV);
    let summary = "lost update: the balance is 300 less than";
    assert_contains(&stderr(&output), summary);
}

#[test]
fn a_correct_bank_is_safe() {
    let args = ["--wait", "0", "--requests", "4", "--amount", "25"];
    let output = run(&correct_bank(4).url(), &args);
    assert_exit(&output, 0);
    let text = stdout(&output);
    for part in [
        "expected balance  100\n  actual balance    100\n  lost              0\n",
        "safe: every request was acknowledged and nothing went wrong",
        "Two of the requests, which overlapped:",
        "… → 25 after 10 ms",
    ] {
        assert_contains(&text, part);
    }
}

#[test]
fn refusals_are_counted_by_fault_and_code_in_text() {
    let output = burst(&bank_that_keeps(2, |_, _| deadlock()).url(), 5);
    assert_exit(&output, 0);
    let text = stdout(&output);
    let figures = "  acknowledged      2\n  refused           3: 3 × deadlock (1213)\n";
    assert_contains(&text, figures);
    let verdict = "refused: some requests were refused, and nothing went wrong";
    assert_contains(&text, verdict);
}

#[test]
fn refusals_have_their_fault_and_code_in_csv() {
    let bank = bank_that_keeps(2, |_, _| deadlock());
    let args = ["--wait", "0", "--requests", "5", "--format", "csv"];
    let rows = stdout(&run(&bank.url(), &args));
    let refused = rows.matches(",409,refused,deadlock,1213,,\n");
    assert_eq!(refused.count(), 3, "{rows}");
}

#[test]
fn refusals_are_groups_in_json() {
    let bank = bank_that_keeps(2, |_, _| deadlock());
    let (report, _) = burst_json(&bank.url(), 5);
    assert_eq!(report["refused"], 3);
    let group = json!({
        "fault": "deadlock", "code": "1213", "status": 409, "title": "Deadlock", "requests": 3,
    });
    assert_eq!(report["refusals"], json!([group]));
    assert_eq!(report["verdict"], "refused");
}
