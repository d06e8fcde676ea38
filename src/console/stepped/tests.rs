//! Schedules that are stepped through, on planted examples.

use serde_json::{Value, json};

use super::{SteppedRun, of};
use crate::explore::report::read;

/// A step of a client, as a report has it.
fn step(number: Option<usize>, client: &str, action: &str, label: &str) -> Value {
    json!({
        "step": number, "client": client, "action": action, "label": label, "sql": null,
        "value": null, "wait": false
    })
}

fn with(mut step: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        step[key] = value.clone();
    }
    step
}

fn balance(value: i64) -> Value {
    json!({"row": [{"name": "balance", "value": value.to_string()}]})
}

/// The example of a report, stepped through.
fn stepped(finding: &Value, example: &Value) -> SteppedRun {
    let finding = with(
        json!({
            "strategy": "atomic_no_delay", "source_file": "src/exhibits/deposits/atomic.rs",
            "engine": "mysql", "engine_version": "9.7.4", "isolation": "repeatable-read",
            "snapshot_isolation": false, "clients": 2, "instances": 1, "policy": "exhaustive",
            "exhaustive": true, "reduced": false, "diverged": 0, "waits_not_seen": 0,
            "schedules": 112, "safe": 12, "anomalies": {"lost_update": 60}, "refused": [],
            "waited": 0, "took_ms": 0, "verdict": "loses an update in 60 of all 112 schedules",
            "promises_safety": false, "refused_example": null, "nothing": "lost",
            "legend": [{"name": "lost_update", "title": "lost update", "does": "loses an update",
                        "word": "lost", "meaning": "an acknowledged update is missing"}],
            "setup_sql": "", "inspect_sql": "", "counterexample": example
        }),
        finding,
    );
    let report = json!({"version": 1, "findings": [finding], "missing": []});
    let report = read(report.to_string().as_bytes()).unwrap();
    let finding = &report.findings[0];
    of(finding, finding.counterexample.as_ref().unwrap())
}

fn lost_update() -> SteppedRun {
    let read = |number, client| {
        let read = step(Some(number), client, "read", "read balance");
        with(with(read, &json!({"value": 0, "line": 114})), &balance(0))
    };
    let write = |number, client| {
        let write = step(Some(number), client, "write", "write balance");
        with(
            with(write, &json!({"value": 100, "line": 133})),
            &balance(0),
        )
    };
    let commit = |number, client| {
        let commit = step(Some(number), client, "commit", "commit");
        with(commit, &balance(100))
    };
    let example = json!({
        "verdict": "lost_update", "schedule": "A A B B B A A", "row": balance(0)["row"],
        "steps": [
            with(step(Some(1), "A", "begin", "begin"), &balance(0)),
            read(2, "A"),
            read(3, "B"), write(4, "B"), commit(5, "B"),
            with(write(6, "A"), &balance(100)), commit(7, "A"),
        ],
        "highlight": {"index": 5, "words": "A overwrites B's 100 unseen"}
    });
    stepped(&json!({}), &example)
}

#[test]
fn each_step_is_a_sentence() {
    let run = lost_update();
    let sentences: Vec<_> = run.steps.iter().map(|it| &*it.sentence).collect();
    assert_eq!(
        sentences,
        [
            "A begins a transaction.",
            "A reads balance: 0.",
            "B reads balance: 0.",
            "B writes balance: 100.",
            "B commits.",
            "A writes balance: 100.",
            "A commits.",
        ]
    );
}

#[test]
fn a_lost_update_is_three_steps_and_a_sentence() {
    let loss = lost_update().loss.unwrap();
    assert_eq!((loss.read, loss.overwritten, loss.overwrite), (1, 3, 5));
    assert_eq!(
        loss.sentence,
        "A read 0 before B wrote 100; A then wrote 100: B's 100 is gone."
    );
}

#[test]
fn what_is_in_hand_and_what_has_changed_is_known_after_every_step() {
    let run = lost_update();
    assert_eq!(run.start.hands["A"], None);
    assert_eq!(run.steps[1].hands["A"].as_deref(), Some("balance 0"));
    assert_eq!(run.steps[1].changed_hands, ["A"]);
    assert!(run.steps[1].open["A"]);
    assert!(!run.steps[6].open["A"]);
    let changed: Vec<_> = run.steps.iter().map(|it| it.row[0].changed).collect();
    assert_eq!(changed, [false, false, false, false, true, false, false]);
}

#[test]
fn the_source_is_the_strategys_and_the_line_is_in_it() {
    let run = lost_update();
    let source = run.source.unwrap();
    assert_eq!(source.file, "src/exhibits/deposits/atomic.rs");
    assert!(source.lines[0].starts_with("/// Makes the deposit"));
    assert_eq!(run.steps[1].line, Some(114));
    assert_eq!(run.steps[6].line, None);
    assert_eq!(
        run.replay,
        "racy explore atomic_no_delay --schedule 'A A B B B A A' --database-url local:mysql \
         --isolation repeatable-read"
    );
}

#[test]
fn a_client_waits_for_the_one_after_whose_step_it_goes_on() {
    let write = |number, client| step(number, client, "write", "write balance");
    let example = json!({
        "verdict": "safe", "schedule": "A B A", "highlight": null,
        "steps": [
            with(write(Some(1), "A"), &json!({"value": 100})),
            with(write(Some(2), "B"), &json!({"wait": true, "waited_until": 3, "value": 100})),
            step(Some(3), "A", "commit", "commit"),
            with(write(None, "B"), &json!({"resumes": 2, "refusal": "deadlock (1213)"})),
            step(None, "B", "rollback", "rollback"),
        ]
    });
    let run = stepped(&json!({}), &example);
    assert_eq!(
        run.steps[1].sentence,
        "B wants to write balance, and waits for A."
    );
    assert_eq!(run.steps[2].waiting["B"].as_deref(), Some("A"));
    assert!(run.steps[3].waiting.is_empty());
    assert_eq!(
        run.steps[3].sentence,
        "B's wait is over: B wants to write balance, and is refused: deadlock (1213)."
    );
    assert_eq!(run.steps[4].sentence, "B rolls back.");
    assert_eq!(run.loss, None);
}

#[test]
fn a_scenarios_statements_are_in_its_file() {
    let answer = json!({"columns": ["stock"], "rows": [["1"]], "row_count": 1});
    let read = with(
        step(Some(1), "A", "read", "SELECT, line 2"),
        &json!({"answer": answer}),
    );
    let example = json!({
        "verdict": "lost_update", "schedule": "A", "highlight": null, "steps": [read]
    });
    let finding = json!({
        "title": "The last item", "strategy": "last.toml", "source_text": "one\ntwo\nthree\n"
    });
    let run = stepped(&finding, &example);
    assert_eq!(
        run.steps[0].sentence,
        "A reads with the SELECT in line 2: stock 1."
    );
    assert_eq!(run.steps[0].hands["A"].as_deref(), Some("stock 1"));
    assert_eq!(
        (run.steps[0].line, run.source.unwrap().lines.len()),
        (Some(2), 3)
    );
}
