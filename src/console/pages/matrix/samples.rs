//! A matrix of two findings, for tests.

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::explore::report::{Report, read};

fn finding(strategy: &str, engine: &Value, counterexample: &Value) -> Value {
    let is_safe = counterexample.is_null();
    let mut finding = json!({
        "strategy": strategy, "clients": 2, "instances": 1, "policy": "exhaustive",
        "exhaustive": true, "reduced": false, "diverged": 0, "waits_not_seen": 0,
        "schedules": 112, "safe": if is_safe { 112 } else { 52 },
        "anomalies": { "lost_update": if is_safe { 0 } else { 60 } },
        "refused": [], "waited": 40, "took_ms": 5, "verdict": "loses an update in 60 of all 112",
        "promises_safety": false, "counterexample": counterexample, "refused_example": null,
        "legend": [{
            "name": "lost_update", "title": "lost update", "does": "loses an update",
            "word": "lost", "meaning": "an acknowledged deposit is missing",
        }],
        "nothing": "lost", "setup_sql": "INSERT", "inspect_sql": "SELECT",
    });
    let fields = finding.as_object_mut().unwrap();
    fields.extend(engine.as_object().unwrap().clone());
    finding
}

fn step(number: usize, client: &str, action: &str, sql: &str, value: Option<i64>) -> Value {
    json!({
        "step": number, "client": client, "action": action, "label": format!("{action} balance"),
        "sql": sql, "value": value, "wait": false,
    })
}

/// What the report says about MySQL at REPEATABLE READ.
pub(crate) fn on_mysql() -> Value {
    json!({
        "engine": "mysql", "engine_version": "9.7.4", "isolation": "repeatable-read",
        "snapshot_isolation": false,
    })
}

/// A report: a strategy that loses updates on MySQL, and one that is safe on SQLite.
pub(crate) fn report() -> Report {
    serde_json::from_value::<Value>(as_json())
        .map(|json| read(json.to_string().as_bytes()).unwrap())
        .unwrap()
}

/// The same as JSON.
pub(crate) fn as_json() -> Value {
    let sqlite = json!({
        "engine": "sqlite", "engine_version": "3.50.2", "isolation": "serializable",
        "snapshot_isolation": false, "journal": "wal",
    });
    let counterexample = json!({
        "verdict": "lost_update", "schedule": "A B A B",
        "steps": [
            step(1, "A", "read", "SELECT balance FROM accounts WHERE id = 1", Some(0)),
            step(2, "B", "read", "SELECT balance FROM accounts WHERE id = 1", Some(0)),
            step(3, "A", "write", "UPDATE accounts SET balance = 100 WHERE id = 1", Some(100)),
            step(4, "B", "write", "UPDATE accounts SET balance = 100 WHERE id = 1", Some(100)),
        ],
        "highlight": { "index": 3, "words": "A's 100 is lost" },
    });
    json!({
        "version": 1, "missing": [],
        "findings": [
            finding("atomic_no_delay", &on_mysql(), &counterexample),
            finding("orders/bakery, consumer", &sqlite, &Value::Null),
        ],
    })
}

/// The engine of the first finding.
pub(crate) fn mysql() -> Engine {
    report().findings[0].engine.clone()
}
