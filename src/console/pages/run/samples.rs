//! Records for tests.

use serde_json::json;

use crate::console::record::RunRecord;

/// Two requests, of which the second overwrites what the first has written.
pub(crate) fn lost_update() -> RunRecord {
    let step = |kind: &str, label: &str, start: i64, value: Option<i64>| {
        json!({
            "kind": kind, "label": label, "sql": format!("SQL of {label}"), "args": [1],
            "start_us": start, "end_us": start + 100, "value": value, "matched_no_row": false,
            "refusal": null, "waits": [],
        })
    };
    let lane = |request: u32, read: i64, write: i64, lost: bool| {
        json!({
            "request": request, "outcome": "applied", "status": 200, "sent_us": 0,
            "answered_us": write + 200, "arrived_us": 400, "lost": lost, "title": "deposits 100",
            "problem": null,
            "steps": [
                step("read", "read balance", read, Some(0)),
                step("write", "write balance", write, Some(100)),
            ],
        })
    };
    let mut second = lane(2, 600, 2000, false);
    second["steps"][1]["waits"] = json!([{ "from_us": 2000, "to_us": 2050, "for_lane": 0 }]);
    let record = json!({
        "version": 1, "kind": "run", "id": "k3v", "state": "ended",
        "plan": {
            "exhibit": "deposits", "strategy": "atomic_long_delay", "requests": 2, "wait_ms": null,
            "delay_ms": 150, "account": 1, "amount": 100, "instances": 1, "isolation": null,
            "predicted": null,
        },
        "engine": {
            "engine": "mysql", "engine_version": "9.7.4", "isolation": "repeatable_read",
            "snapshot_isolation": false,
        },
        "started_at": "2026-11-29T17:00:00Z", "took_us": 183_000, "error": null,
        "verdict": {
            "kind": "anomaly", "title": "1 of 2 deposits lost",
            "sentence": "Requests 1 and 2 read the same balance.", "before": 0, "expected": 200,
            "actual": 100, "missing": 100, "acknowledged": 2, "refused": 0, "unclear": 0,
        },
        "refusals": [],
        "lanes": [lane(1, 500, 1000, true), second],
        "losses": [{
            "lost": 0, "by": 1, "read": { "lane": 1, "step": 0 },
            "written": { "lane": 0, "step": 1 }, "overwrite": { "lane": 1, "step": 1 },
            "sentence": "Request 2 read 0 before request 1 wrote 100, then wrote 100.",
        }],
        "notes": ["A note."],
    });
    serde_json::from_value(record).unwrap()
}
