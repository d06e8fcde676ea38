//! A run as SQL, to be pasted into one terminal for each request.

use std::fmt::Write as _;

use crate::console::record::{Lane, LaneStep, RunRecord};
use crate::explore::report::with_values;

/// The statements of all requests, in the order in which they were sent.
pub fn script(record: &RunRecord) -> String {
    let mut statements: Vec<_> = record
        .lanes
        .iter()
        .flat_map(|lane| lane.steps.iter().map(move |step| (lane, step)))
        .filter(|(_, step)| step.sql.is_some())
        .collect();
    statements.sort_by_key(|(_, step)| step.start_us);
    let mut text = format!(
        "-- {} requests to {}: their statements, in the order in which they were sent.\n\
         -- Open a terminal for each request, and paste each part into its own.\n",
        record.plan.requests, record.plan.strategy
    );
    let mut last = None;
    for (lane, step) in statements {
        if last != Some(lane.request) {
            let _ = writeln!(text, "-- Terminal {}:", lane.request);
            last = Some(lane.request);
        }
        write_step(&mut text, lane, step);
    }
    for loss in &record.losses {
        let _ = writeln!(text, "-- {}", loss.sentence);
    }
    text
}

fn write_step(text: &mut String, lane: &Lane, step: &LaneStep) {
    let statement = with_values(step.sql.as_deref().unwrap_or_default(), &step.args);
    let mut remarks = Vec::new();
    if !step.waits.is_empty() {
        remarks.push("waits for a lock".to_owned());
    }
    match (&step.refusal, step.value) {
        (Some(refusal), _) => remarks.push(format!("✗ {}", one_line(refusal))),
        (None, Some(value)) if step.kind == "read" => remarks.push(format!("→ {value}")),
        (None, _) if step.matched_no_row => remarks.push("→ no row".to_owned()),
        (None, _) => {}
    }
    if lane.lost && step.kind == "write" && step.value.is_some() {
        remarks.push("is lost".to_owned());
    }
    let remark = if remarks.is_empty() {
        String::new()
    } else {
        format!(" -- {}", remarks.join(", "))
    };
    let _ = writeln!(text, "{statement};{remark}");
}

/// A text that cannot end its comment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::record::{RunPlan, State, VERSION};

    fn step(kind: &str, sql: &str, start_us: i64, value: Option<i64>) -> LaneStep {
        LaneStep {
            kind: kind.to_owned(),
            label: String::new(),
            sql: Some(sql.to_owned()),
            args: vec![1.into()],
            start_us,
            end_us: start_us + 1,
            value,
            matched_no_row: false,
            refusal: None,
            waits: Vec::new(),
        }
    }

    fn lane(request: u32, steps: Vec<LaneStep>) -> Lane {
        Lane {
            request,
            outcome: "applied".to_owned(),
            status: Some(200),
            sent_us: 0,
            answered_us: 100,
            arrived_us: Some(0),
            lost: request == 1,
            title: String::new(),
            problem: None,
            steps,
        }
    }

    #[test]
    fn statements_are_in_the_order_in_which_they_were_sent() {
        let read = "SELECT balance FROM accounts WHERE id = ?";
        let mut refused = step("write", "UPDATE accounts SET balance = 1", 40, None);
        refused.refusal = Some("no\nDROP TABLE accounts".to_owned());
        let record = RunRecord {
            version: VERSION,
            kind: "run".to_owned(),
            id: "k3v".to_owned(),
            state: State::Ended,
            plan: RunPlan {
                exhibit: "deposits".to_owned(),
                strategy: "atomic_no_delay".to_owned(),
                requests: 2,
                wait_ms: None,
                delay_ms: 0,
                account: 1,
                amount: 100,
                instances: 1,
                isolation: None,
                predicted: None,
            },
            engine: serde_json::Value::Null,
            started_at: String::new(),
            took_us: 100,
            error: None,
            verdict: None,
            refusals: Vec::new(),
            lanes: vec![
                lane(1, vec![step("read", read, 10, Some(0)), refused]),
                lane(2, vec![step("read", read, 20, Some(0))]),
            ],
            losses: Vec::new(),
            notes: Vec::new(),
        };
        let text = script(&record);
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "-- Terminal 1:",
                "SELECT balance FROM accounts WHERE id = 1; -- → 0",
                "-- Terminal 2:",
                "SELECT balance FROM accounts WHERE id = 1; -- → 0",
                "-- Terminal 1:",
                "UPDATE accounts SET balance = 1; -- ✗ no DROP TABLE accounts",
            ]
        );
    }
}
