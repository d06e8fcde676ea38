//! Tables: records that are lost, there twice or there although refused, and tables of several
//! clients.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::lake::{Lake, append_in_turn, racing_lake, receipt, refusal};
use crate::stand_in::{Reply, StandIn, ok, problem};
use crate::tool::{assert_contains, assert_exit, json, redacted, run, stderr, stdout};

const FOUR_AT_ONCE: &[&str] = &["--target", "tables/x", "--wait", "0", "--requests", "4"];

/// The same in a table that has records already.
const IN_EVENTS: &[&str] = &[
    "--target",
    "tables/x",
    "--wait",
    "0",
    "--requests",
    "4",
    "--table",
    "events",
];

/// The text without what is drawn for each run: the table's name, and the run's part of the keys.
fn steady(text: &str, lake: &StandIn) -> String {
    let text = redacted(text, &lake.url());
    let word = |word: &str| match word.split_once('-') {
        Some(("run", _)) => "[table],".to_owned(),
        Some((run, request)) if run.len() == 32 => format!("[run]-{request}"),
        _ => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ") + "\n";
    text.lines().map(line).collect()
}

#[test]
fn a_lost_append_is_found() {
    let lake = racing_lake(4);
    let output = run(&lake.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    assert_eq!(stderr(&output), "");
    insta::assert_snapshot!("lost_append_text", steady(&stdout(&output), &lake));
}

#[test]
fn the_json_report_counts_records_and_attempts() {
    let (report, status) = json(&racing_lake(4).url(), FOUR_AT_ONCE);
    assert_eq!(status, Some(1));
    assert_eq!(report["target"], "tables/x");
    assert_eq!(report["verdict"], "lost_append");
    assert_eq!(report["explanation"], "3 × lost append");
    let name = report["table"].as_str().unwrap();
    assert!(name.starts_with("run-"), "{name}");
    let fields = [
        "partition",
        "conflicts",
        "gave_up",
        "attempts",
        "retries",
        "version",
        "records",
        "records_in_table",
    ];
    let values = fields.map(|field| report[field].clone());
    let expected = [
        json!(null),
        json!(0),
        json!(0),
        json!(8),
        json!(4),
        json!(1),
        json!(1),
        json!(1),
    ];
    assert_eq!(values, expected);
    assert_eq!(report["anomalies"][0]["count"], 3);
    assert_eq!(report["anomalies_in_table"][0]["name"], "missing_records");
}

#[test]
fn each_append_is_a_row_of_the_table() {
    let args = [FOUR_AT_ONCE, &["--format", "csv"]].concat();
    let output = run(&Lake::default().open(append_in_turn()).url(), &args);
    assert_exit(&output, 0);
    let table = stdout(&output);
    let (header, rows) = table.split_once('\n').unwrap();
    assert!(header.ends_with(",code,version,snapshot"), "{header}");
    let mut snapshots: Vec<_> = rows
        .lines()
        .map(|row| row.rsplit(',').next().unwrap())
        .collect();
    snapshots.sort_unstable();
    assert_eq!(snapshots, ["0", "1", "2", "3"]);
}

#[test]
fn a_right_table_is_safe_although_it_has_orphans() {
    for wait in ["0", "0.001"] {
        let args = ["--target", "tables/x", "--wait", wait, "--requests", "4"];
        let output = run(&Lake::default().open(append_in_turn()).url(), &args);
        assert_exit(&output, 0);
        let text = stdout(&output);
        assert_contains(&text, "  attempts            8, 4 of them retries\n");
        assert_contains(
            &text,
            "  records             4 of this run, 4 in the table\n",
        );
        assert_contains(&text, "  orphan files        1: one of them\n");
        assert_contains(&text, "safe: every request was acknowledged");
    }
}

/// The bodies that a run posts to a right table.
fn bodies(args: &[&str]) -> Vec<Value> {
    let bodies: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (seen, append) = (Arc::clone(&bodies), append_in_turn());
    let lake = Lake::default().open(move |lake, body| {
        seen.lock().unwrap().push(body.clone());
        append(lake, body)
    });
    for _ in 0..2 {
        assert_exit(&run(&lake.url(), args), 0);
    }
    bodies.lock().unwrap().clone()
}

fn different(bodies: &[Value], field: &str) -> usize {
    let values = bodies.iter().map(|body| body[field].to_string());
    values.collect::<HashSet<_>>().len()
}

#[test]
fn two_runs_have_tables_and_keys_of_their_own() {
    let bodies = bodies(FOUR_AT_ONCE);
    assert_eq!(different(&bodies, "table"), 2);
    assert_eq!(different(&bodies, "key"), 8);
    assert_eq!(different(&bodies, "partition"), 4);
}

#[test]
fn a_table_and_a_partition_may_be_shared() {
    let bodies = bodies(&[IN_EVENTS, &["--partition", "eu"]].concat());
    assert_eq!(different(&bodies, "key"), 8);
    for body in &bodies {
        assert_eq!(
            (&body["table"], &body["partition"]),
            (&json!("events"), &json!("eu"))
        );
    }
}

/// A table of other clients. One of their records is lost during the run, and another one is there
/// twice.
#[test]
fn records_of_other_clients_are_not_judged() {
    let append = append_in_turn();
    let before = Lake::with_records(&["a", "b", "b", "c", "d"]);
    let lake = before.open(move |lake, body| {
        if body["value"] == 1 {
            lake.acknowledge(&json!({"key": "gone"}));
        }
        append(lake, body)
    });
    let output = run(&lake.url(), IN_EVENTS);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert_contains(&text, "tables/x: 4 appends to table events, all together");
    assert_contains(
        &text,
        "  records             4 of this run, 9 in the table\n",
    );
    assert_contains(
        &text,
        "Note: The table had 5 records before this run. Only records of",
    );
    let note = "Note: In the whole table 1 acknowledged records are missing since then.";
    assert_contains(&text, note);
}

#[test]
fn a_long_table_is_read_page_by_page_in_one_snapshot() {
    let lake = Arc::new(Lake::with_records(&["a", "b", "c"]));
    let (served, append) = (Arc::clone(&lake), append_in_turn());
    let service = StandIn::start("", move |request| served.serve(request, &append));
    assert_exit(&run(&service.url(), IN_EVENTS), 0);
    let pages = [
        "offset=0&limit=1000",
        "snapshot=4&offset=3&limit=1000",
        "snapshot=4&offset=6&limit=1000",
    ];
    assert_eq!(lake.pages(), pages);
}

/// A lake of a long table whose snapshot is removed this many times before its second page is read.
fn forgetful_lake(times: usize) -> StandIn {
    let (lake, append) = (Lake::with_records(&["a", "b", "c"]), append_in_turn());
    let left = Mutex::new(times);
    StandIn::start("", move |request| {
        let mut left = left.lock().unwrap();
        if request.path.contains("snapshot=") && *left > 0 {
            *left -= 1;
            return problem(404, &json!({"title": "There is no such snapshot"}));
        }
        drop(left);
        lake.serve(request, &append)
    })
}

#[test]
fn the_table_is_read_again_if_its_snapshot_was_removed_meanwhile() {
    assert_exit(&run(&forgetful_lake(4).url(), IN_EVENTS), 0);
    let output = run(&forgetful_lake(5).url(), IN_EVENTS);
    assert_exit(&output, 2);
    let doubt = "could not tell: the audit could not be read after the run";
    assert_contains(&stdout(&output), doubt);
}

#[test]
fn refusals_are_counted_by_their_kind() {
    let append = append_in_turn();
    let lake = Lake::default().open(move |lake, body| match body["value"].as_u64().unwrap() {
        1 => append(lake, body),
        2 => refusal(409, "gave-up", 6),
        _ => refusal(409, "commit-conflict", 1),
    });
    let output = run(&lake.url(), FOUR_AT_ONCE);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert_contains(
        &text,
        "refused             3: 2 × 409 commit conflict, 1 × 409 gave up\n",
    );
    assert_contains(&text, "  conflicts           2\n  gave up             1\n");
    assert_contains(&text, "  attempts            10, 6 of them retries\n");
    assert_contains(
        &text,
        "Only one append was acknowledged, and a lost append needs two.",
    );
}

#[test]
fn a_record_that_is_there_twice_is_found() {
    let append = append_in_turn();
    let lake = Lake::default().open(move |lake, body| {
        append(lake, body);
        append(lake, body)
    });
    let output = run(&lake.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    assert_contains(&stdout(&output), "\n4 × duplicate append\n");
}

#[test]
fn a_record_that_was_refused_and_is_there_is_found() {
    let append = append_in_turn();
    let lake = Lake::default().open(move |lake, body| {
        let appended = append(lake, body);
        match body["value"].as_u64().unwrap() {
            1 => refusal(409, "commit-conflict", 1),
            _ => appended,
        }
    });
    let output = run(&lake.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    assert_contains(&stdout(&output), "\n1 × kept though refused\n");
}

#[test]
fn a_table_that_an_append_found_damaged_is_an_anomaly() {
    let append = append_in_turn();
    let lake = Lake::default().open(move |lake, body| match body["value"].as_u64().unwrap() {
        1 => refusal(500, "table-damaged", 1),
        _ => append(lake, body),
    });
    let output = run(&lake.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    let text = stdout(&output);
    assert_contains(&text, "  broken table        1: no record was appended\n");
    assert_contains(&text, "\n1 × broken table\n");
}

#[test]
fn an_append_without_an_answer_is_not_called_lost() {
    let append = append_in_turn();
    let lake = Lake::default().open(move |lake, body| match body["value"].as_u64().unwrap() {
        1 => Reply::Silence,
        2 => {
            append(lake, body);
            Reply::HangUp
        }
        _ => append(lake, body),
    });
    let output = run(&lake.url(), &[FOUR_AT_ONCE, &["--timeout", "1"]].concat());
    assert_exit(&output, 2);
    let text = stdout(&output);
    assert_contains(&text, "2 of the requests brought no clear answer");
    assert_contains(&text, "The table may still change.");
    let note = "Note: The table has the records of 1 of the requests without a clear answer.";
    assert_contains(&text, note);
}

#[test]
fn acknowledged_appends_to_a_table_that_was_never_made_are_lost() {
    let lake = Lake::default().open(|_, body| receipt(1, 0, body));
    let output = run(&lake.url(), FOUR_AT_ONCE);
    assert_exit(&output, 1);
    assert_contains(&stdout(&output), "\n4 × lost append\n");
}

#[test]
fn a_page_without_records_proves_nothing() {
    let (lake, append) = (Lake::default(), append_in_turn());
    let service = StandIn::start("", move |request| {
        if request.path.contains("/records?") {
            return ok(&json!({"total": 4, "snapshot": 1, "records": []}));
        }
        lake.serve(request, &append)
    });
    let output = run(&service.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    assert_contains(&stdout(&output), "the page is empty before the last record");
}

#[test]
fn an_unknown_strategy_is_named() {
    let args = ["--target", "tables/nope", "--wait", "0"];
    let output = run(&Lake::default().open(append_in_turn()).url(), &args);
    assert_exit(&output, 2);
    let doubt = "/tables/nope/ answered 404 to every request";
    assert_contains(&stdout(&output), doubt);
}

#[test]
fn a_service_without_tables_is_named() {
    let service = StandIn::start("", |_| problem(404, &json!({"title": "Not found"})));
    let output = run(&service.url(), FOUR_AT_ONCE);
    assert_exit(&output, 2);
    let complaint = "answered 404, but not with the names of the tables (Not Found)";
    assert_contains(&stderr(&output), complaint);
}
