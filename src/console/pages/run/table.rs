//! The table of a run's steps: everything that the picture shows.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::console::pages::parts::{milliseconds, scroll};
use crate::console::record::{Lane, LaneStep, LockWait, RunRecord};

/// The table of all steps, a group for each request. `prefix` begins the ids of its rows.
pub fn steps(record: &RunRecord, id: &str, prefix: &str) -> Markup {
    let table = html! {
        table id=(id) {
            caption { "What each request did, and when: times since the first request" }
            thead {
                tr {
                    th scope="col" { "Request" }
                    th scope="col" { "Kind" }
                    th scope="col" { "Step" }
                    th.number scope="col" { "Value" }
                    th.number scope="col" { "From" }
                    th.number scope="col" { "Took" }
                    th scope="col" { "What happened" }
                }
            }
            @for (at, lane) in record.lanes.iter().enumerate() {
                tbody {
                    tr.group { th scope="rowgroup" colspan="7" { (heading(lane)) } }
                    @for (number, step) in lane.steps.iter().enumerate() {
                        (row(record, at, number, step, prefix))
                    }
                }
            }
        }
    };
    scroll("Steps", &table)
}

/// A request in one line: what it did, when, and what became of it.
fn heading(lane: &Lane) -> Markup {
    html! {
        "Request " (lane.request) ": " (lane.title) ", "
        (outcome(lane))
        @if lane.lost { ", " span.lost { "lost" } }
        " · sent at " (milliseconds(lane.sent_us))
        @if let Some(arrived) = lane.arrived_us { ", arrived at " (milliseconds(arrived)) }
        @if lane.outcome != "no_answer" { ", answered at " (milliseconds(lane.answered_us)) }
        @if let Some(problem) = &lane.problem {
            " · " (problem.title)
            @if let Some(code) = &problem.code { " (" (code) ")" }
            ": " (problem.detail)
        }
    }
}

fn outcome(lane: &Lane) -> String {
    let mut words = match lane.outcome.as_str() {
        "no_answer" => "no answer".to_owned(),
        "unknown" => "outcome unknown".to_owned(),
        other => other.to_owned(),
    };
    if let Some(status) = lane.status {
        let _ = write!(words, " ({status})");
    }
    words
}

fn row(record: &RunRecord, lane: usize, number: usize, step: &LaneStep, prefix: &str) -> Markup {
    let id = format!("{prefix}-{lane}-{number}");
    let request = record.lanes.get(lane).map_or(0, |it| it.request);
    html! {
        tr id=(id) data-lane=(lane) data-step=(number) {
            th scope="row" { a href={ "#" (id) } { (request) } }
            td { span class={ "kind " (step.kind) } { (step.kind) } }
            td {
                (step.label)
                @if let Some(sql) = &step.sql { " " code { (sql) } }
                @if !step.args.is_empty() { " " small { (arguments(step)) } }
            }
            td.number { @if let Some(value) = step.value { (value) } }
            td.number { (milliseconds(step.start_us)) }
            td.number { (milliseconds(step.end_us - step.start_us)) }
            td { (happened(record, lane, number, step)) }
        }
    }
}

fn arguments(step: &LaneStep) -> String {
    let values: Vec<_> = step.args.iter().map(ToString::to_string).collect();
    format!("with {}", values.join(", "))
}

/// What a step came to, beside its value: a refusal, waits, and its part in a loss.
fn happened(record: &RunRecord, lane: usize, number: usize, step: &LaneStep) -> Markup {
    let refusal = step.refusal.iter().map(|it| format!("refused: {it}"));
    let no_row = step
        .matched_no_row
        .then(|| "found no row to change".to_owned());
    let waits = step.waits.iter().map(|it| waited(record, it));
    let losses = record.losses.iter().flat_map(|loss| {
        let is_here = |place: Option<crate::console::record::StepPlace>| {
            place.is_some_and(|it| it.lane == lane && it.step == number)
        };
        let request = |at: usize| record.lanes.get(at).map_or(0, |it| it.request);
        let (lost, by) = (request(loss.lost), request(loss.by));
        [
            is_here(loss.read).then(|| format!("does not see request {lost}'s write")),
            is_here(loss.written).then(|| format!("is overwritten by request {by}")),
            is_here(loss.overwrite).then(|| format!("overwrites request {lost}'s write")),
        ]
    });
    let words: Vec<_> = refusal
        .chain(no_row)
        .chain(waits)
        .chain(losses.flatten())
        .collect();
    html! { (words.join("; ")) }
}

fn waited(record: &RunRecord, wait: &LockWait) -> String {
    let (from, to) = (milliseconds(wait.from_us), milliseconds(wait.to_us));
    let holder = wait.for_lane.and_then(|it| record.lanes.get(it));
    let holder = holder.map_or("another client".to_owned(), |it| {
        format!("request {}", it.request)
    });
    format!("waited for {holder}'s lock from {from} to {to}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::pages::run::samples::lost_update;

    #[test]
    fn every_step_has_a_row_that_a_link_can_name() {
        let record = lost_update();
        let table = steps(&record, "steps", "s").into_string();
        for (lane, it) in record.lanes.iter().enumerate() {
            for (number, step) in it.steps.iter().enumerate() {
                let row = format!(r#"<tr id="s-{lane}-{number}" data-lane="{lane}""#);
                assert!(table.contains(&row), "{row} in {table}");
                assert!(table.contains(&step.label));
            }
        }
        assert!(
            table.contains("Request 1: deposits 100, applied (200)"),
            "{table}"
        );
        assert!(
            table.contains("overwrites request 1&#39;s write")
                || table.contains("overwrites request 1's write"),
            "{table}"
        );
        assert!(table.contains("waited for request 1"));
    }
}
