//! Reports that can be read, and reports that cannot.

use serde_json::{Map, Value, json};

use super::{MOST_BYTES, read};

/// A report with every field that a report can have.
pub(in super::super) fn report() -> Value {
    let answer = json!({"columns": ["stock"], "rows": [["1"], [null]], "row_count": 2});
    let steps = json!([
        {
            "step": 1, "client": "A", "action": "read", "label": "read balance", "values": [1, "x"],
            "sql": "SELECT 1", "value": 0, "answer": answer, "matched_no_row": true, "wait": true,
            "waited_until": 2, "line": 7, "row": [{"name": "balance", "value": "0"}]
        },
        {
            "step": null, "client": "B", "action": "write", "label": "write", "sql": null,
            "value": null, "wait": false, "resumes": 1, "refusal": "deadlock"
        }
    ]);
    let example = json!({
        "verdict": "refused", "fault": "deadlock", "schedule": "A B", "preemptions": 1,
        "steps": steps,
        "highlight": {"index": 1, "words": "here"}, "inspect_sql": "SELECT 2",
        "row": [{"name": "balance", "value": "0"}], "not_looked_at": "another course"
    });
    let anomaly = json!({
        "name": "own", "title": "an own one", "does": "does it", "word": "wrong", "meaning": "so"
    });
    let mut report = json!({
        "version": 1,
        "findings": [{
            "strategy": "last.toml", "title": "The last", "source_file": "a.rs",
            "source_text": "title = 1", "engine": "sqlite", "engine_version": "3.50",
            "isolation": "serializable", "snapshot_isolation": false, "journal": "wal",
            "clients": 2, "instances": 1, "policy": "random", "seed": 7, "exhaustive": false,
            "reduced": false, "diverged": 0, "waits_not_seen": 0, "schedules": 3, "safe": 1,
            "anomalies": {"own": 1},
            "refused": [{"fault": "deadlock", "code": "1213", "schedules": 1}],
            "waited": 1, "took_ms": 5, "verdict": "goes wrong", "promises_safety": false,
            "counterexample": null, "refused_example": example, "replayed": example,
            "legend": [anomaly], "nothing": "lost", "unexpected": ["no"], "assumptions": ["yes"],
            "scenario_clients": [
                {"name": "customer", "isolation": null}, {"name": null, "isolation": "serializable"}
            ],
            "setup_sql": "CREATE TABLE t", "inspect_sql": "SELECT 1"
        }],
        "missing": ["MariaDB"],
        "broken": ["other.toml"]
    });
    let finding = report["findings"][0].as_object_mut().unwrap();
    finding.extend(of_a_search());
    report
}

/// What a finding says of how far its search came, of its reduction, and of its file.
fn of_a_search() -> Map<String, Value> {
    let statement = |client: &str, touches: Value| {
        json!({
            "client": client, "label": "SELECT, line 4", "sql": null, "touches": touches,
            "effect": "only reads"
        })
    };
    let touches = json!([{"thing": "t", "written": true, "why": "the statement names it"}]);
    let reduction = json!({
        "statements": [statement("A", touches), statement("B", Value::Null)],
        "pairs": [{"one": 0, "other": 1, "independent": false, "because": "both touch t"}]
    });
    let unexpected = json!({
        "verdict": "declined", "schedule": "B A", "preemptions": 0, "steps": [], "highlight": null
    });
    let fields = json!({
        "unexpected_examples": [unexpected], "preemptions": 2, "complete_up_to": 1, "by_preemptions": [2, 1], "covered": 4,
        "compared_in_part": true, "never_interleaved": true, "reduction": reduction, "expected_at": 7
    });
    fields.as_object().unwrap().clone()
}

/// Why a report with this field is refused.
fn refusal(pointer: &str, value: Value) -> String {
    let mut report = report();
    *report.pointer_mut(pointer).unwrap() = value;
    let json = serde_json::to_vec_pretty(&report).unwrap();
    read(&json).unwrap_err().to_string()
}

#[test]
fn a_report_that_is_read_is_written_as_it_was() {
    let written = report();
    let read = read(written.to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), written);
}

#[test]
fn a_report_of_an_older_version_has_fewer_fields() {
    let mut written = report();
    let finding = written["findings"][0].as_object_mut().unwrap();
    for name in of_a_search().keys() {
        finding.remove(name).unwrap();
    }
    for example in ["refused_example", "replayed"] {
        let example = finding[example].as_object_mut().unwrap();
        example.remove("preemptions").unwrap();
    }
    let read = read(written.to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), written);
}

#[test]
fn a_mistake_is_named_with_its_line_and_field() {
    const CASES: [(&str, &str); 4] = [
        (
            "/findings/0/clients",
            "findings[0].clients: invalid type: string",
        ),
        (
            "/findings/0/replayed/schedule",
            "findings[0].replayed.schedule: character 1, 'N', is no client",
        ),
        (
            "/findings/0/replayed/steps/0/action",
            "unknown variant `NO`, expected one of `begin`",
        ),
        (
            "/missing",
            "missing: invalid type: string \"NO\", expected a sequence",
        ),
    ];
    for (pointer, said) in CASES {
        let refusal = refusal(pointer, "NO".into());
        assert!(refusal.contains(said), "{refusal}");
        assert!(refusal.contains("line "), "{refusal}");
    }
}

#[test]
fn what_no_exploration_writes_is_refused() {
    let cases = [
        (
            "/findings/0/clients",
            json!(9),
            "findings[0].clients is 9; there are 1 to 8 clients",
        ),
        (
            "/findings/0/replayed/highlight/index",
            json!(2),
            "findings[0].replayed.highlight.index is 2; there are 2 steps, from 0",
        ),
        (
            "/findings/0/replayed/steps/1/client",
            json!("C"),
            "findings[0].replayed.steps[1].client is C; there are 2 clients",
        ),
        (
            "/findings/0/reduction/pairs/0/other",
            json!(2),
            "findings[0].reduction.pairs[0] names a statement that is not there",
        ),
        (
            "/findings/0/replayed/schedule",
            json!("A C"),
            "findings[0].replayed.schedule names C; there are 2 clients",
        ),
    ];
    for (pointer, value, said) in cases {
        let refusal = refusal(pointer, value);
        assert!(refusal.contains(said), "{refusal}");
    }
}

#[test]
fn another_version_is_refused_in_words() {
    assert!(refusal("/version", json!(2)).contains("version 2, and this racy reads version 1"));
    let refusal = read(b"{}").unwrap_err().to_string();
    assert!(refusal.contains("no field `version`"), "{refusal}");
}

#[test]
fn what_is_no_json_is_refused_with_its_line() {
    let refusal = read(b"{\n  \"version\": 1,,\n}").unwrap_err().to_string();
    assert!(
        refusal.starts_with("this is no JSON: line 2, column 16"),
        "{refusal}"
    );
}

#[test]
fn size_and_depth_are_limited() {
    let long = vec![b' '; MOST_BYTES + 1];
    let refusal = read(&long).unwrap_err().to_string();
    assert!(refusal.contains("at most 16777216 are read"), "{refusal}");
    let deep = format!("{{\"version\": 1, \"findings\": {}", "[".repeat(10_000));
    let refusal = read(deep.as_bytes()).unwrap_err().to_string();
    assert!(refusal.contains("line 1"), "{refusal}");
}
