//! A report for programs.

use serde_json::{Value, json};

use super::{PermutationReport, SpecEvent, SpecReport};
use crate::answer::{Answer, Datum};
use crate::engine::Fault;

impl SpecReport {
    /// The report as JSON.
    pub fn json(&self) -> Value {
        let not_run = self
            .not_here
            .iter()
            .map(|it| json!({"line": it.line, "block": it.block, "refusal": refusal(&it.fault)}));
        json!({
            "permutations": self.permutations.iter().map(permutation).collect::<Vec<_>>(),
            "not_run": not_run.collect::<Vec<_>>(),
            "left_out": self.left_out,
            "impossible": self.impossible,
        })
    }
}

fn permutation(report: &PermutationReport) -> Value {
    json!({
        "steps": report.steps,
        "events": report.events.iter().map(event).collect::<Vec<_>>(),
        "broken_off": report.broken_off.as_ref().map(ToString::to_string),
    })
}

fn event(event: &SpecEvent) -> Value {
    match event {
        SpecEvent::Sent { step, sql, waits } => {
            json!({"event": "sent", "step": step, "sql": sql, "waits": waits})
        }
        SpecEvent::Completed { step } => json!({"event": "completed", "step": step}),
        SpecEvent::Returned(answer) => returned(answer),
        SpecEvent::Refused(fault) => json!({"event": "refused", "refusal": refusal(fault)}),
        SpecEvent::Told { session, notice } => json!({
            "event": "told",
            "session": session,
            "severity": notice.severity,
            "message": notice.message,
        }),
        SpecEvent::TeardownRefused { session, fault } => json!({
            "event": "teardown_refused",
            "session": session,
            "refusal": refusal(fault),
        }),
    }
}

/// Values are texts, as the engine's own client shows them, or null.
fn returned(answer: &Answer) -> Value {
    let rows = answer.rows.iter();
    let rows = rows.map(|row| row.iter().map(value).collect::<Vec<_>>());
    json!({
        "event": "returned",
        "columns": answer.columns,
        "rows": rows.collect::<Vec<_>>(),
        "row_count": answer.row_count,
    })
}

fn value(datum: &Datum) -> Value {
    match datum {
        Datum::Null => Value::Null,
        Datum::Value { text, .. } => Value::String(text.clone()),
    }
}

fn refusal(fault: &Fault) -> Value {
    json!({"fault": fault.kind.name(), "code": fault.code, "message": fault.message})
}
