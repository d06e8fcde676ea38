//! Runs as a trace in Chrome's format, which ui.perfetto.dev and chrome://tracing open.
//!
//! An instance of a service is a process, and a request a thread in it. Slices of one thread nest:
//! the request around its steps, one after the other, each around its waits. An arrow between two
//! slices is a flow.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::pair::Pair;
use crate::receipt::{Action, Argument, Receipt, Resource, Step};
use crate::report::Report;
use crate::times::Times;

/// A trace of one or several runs.
#[derive(Debug, Default)]
pub struct Trace {
    events: Vec<Value>,
    processes: u64,
    threads: u64,
    flows: u64,
    /// When the last slice ends.
    end_us: i64,
}

/// A process of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(u64);

/// A thread of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thread {
    process: u64,
    number: u64,
}

/// A span of time on a thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// When it began, in microseconds.
    pub start_us: i64,
    /// When it ended.
    pub end_us: i64,
    /// What kind of span it is, e.g. `read`.
    pub category: String,
    /// A few words.
    pub name: String,
    /// What there is to know about it.
    pub args: Value,
    /// The spans within it.
    pub within: Vec<Slice>,
}

/// A moment on a thread.
pub type Place = (Thread, i64);

impl Trace {
    /// Adds a process.
    pub fn process(&mut self, name: &str) -> Process {
        self.processes += 1;
        let pid = self.processes;
        self.events.push(json!({
            "ph": "M", "pid": pid, "name": "process_name", "args": { "name": name },
        }));
        Process(pid)
    }

    /// Adds a thread. Threads are shown in the order in which they are added.
    pub fn thread(&mut self, Process(pid): Process, name: &str) -> Thread {
        self.threads += 1;
        let tid = self.threads;
        for (kind, args) in [
            ("thread_name", json!({ "name": name })),
            ("thread_sort_index", json!({ "sort_index": tid })),
        ] {
            self.events.push(json!({
                "ph": "M", "pid": pid, "tid": tid, "name": kind, "args": args,
            }));
        }
        Thread {
            process: pid,
            number: tid,
        }
    }

    /// Adds a slice and those within it. What would not nest is cut, so that a viewer shows it.
    /// Returns where the slices within it are, in their order.
    pub fn slice(&mut self, thread: Thread, slice: &Slice) -> Vec<(i64, i64)> {
        let end_us = slice.end_us.max(slice.start_us);
        self.end_us = self.end_us.max(end_us);
        self.events.push(json!({
            "ph": "X", "pid": thread.process, "tid": thread.number,
            "ts": slice.start_us, "dur": end_us - slice.start_us,
            "cat": slice.category, "name": slice.name, "args": slice.args,
        }));
        let mut free_from = slice.start_us;
        let mut places = Vec::with_capacity(slice.within.len());
        for inner in &slice.within {
            let start_us = inner.start_us.clamp(free_from, end_us);
            let nested = Slice {
                start_us,
                end_us: inner.end_us.clamp(start_us, end_us),
                ..inner.clone()
            };
            self.slice(thread, &nested);
            free_from = nested.end_us;
            places.push((nested.start_us, nested.end_us));
        }
        places
    }

    /// Adds an arrow between two moments, each of which lies in a slice.
    pub fn flow(&mut self, name: &str, from: Place, to: Place) {
        self.flows += 1;
        for (phase, (thread, at_us)) in [("s", from), ("f", to)] {
            let mut event = json!({
                "ph": phase, "pid": thread.process, "tid": thread.number, "ts": at_us,
                "id": self.flows, "cat": "lost", "name": name,
            });
            if phase == "f" {
                // It ends at the slice around it, and not at the next one.
                event["bp"] = json!("e");
            }
            self.events.push(event);
        }
    }

    /// Adds a mark at a moment.
    pub fn mark(&mut self, name: &str, (thread, at_us): Place) {
        self.events.push(json!({
            "ph": "i", "pid": thread.process, "tid": thread.number, "ts": at_us, "s": "t",
            "cat": "lost", "name": name,
        }));
    }

    /// Adds the requests of a run as a process of this name, after all that the trace has already.
    pub fn add(&mut self, name: &str, report: &Report) {
        let shift_us = if self.threads == 0 {
            0
        } else {
            self.end_us + PAUSE_US
        };
        let process = self.process(name);
        let incident = report.incident();
        for (answer, times) in report.answers.iter().zip(report.times()) {
            let title = answer
                .receipt()
                .map(|receipt| format!(", {}", receipt.title()));
            let title = format!("request {}{}", answer.request, title.unwrap_or_default());
            let thread = self.thread(process, &title);
            self.slice(thread, &request(name, answer, &times, shift_us));
            let mark = incident
                .as_ref()
                .and_then(|pair| mark(pair, answer.receipt()?, &times));
            if let Some((text, at_us)) = mark {
                self.mark(text, (thread, at_us + shift_us));
            }
        }
    }

    /// Writes the trace as JSON.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        // By hand, because readers want the unit first, and a line for each event can be searched.
        writeln!(out, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
        for (place, event) in self.events.iter().enumerate() {
            let comma = if place + 1 < self.events.len() {
                ","
            } else {
                ""
            };
            writeln!(out, "{event}{comma}")?;
        }
        writeln!(out, "]}}")
    }
}

/// What went wrong between two requests, and when, if it was this one that did it: the one with a
/// step that ended then.
fn mark<'p>(pair: &'p Pair<'_>, own: &Receipt, times: &Times) -> Option<(&'p str, i64)> {
    let mark = pair.mark.as_ref()?;
    let has_done_it = |receipt: &Receipt| {
        let arrived = receipt.arrived_at_us.unwrap_or_default();
        let mut steps = receipt.timeline.iter();
        steps.any(|step| step.end(arrived) == mark.at)
    };
    let by = if has_done_it(pair.b) { pair.b } else { pair.a };
    let after_arrival = mark.at.saturating_sub(own.arrived_at_us?);
    let at_us = times.arrived_us?.saturating_add(after_arrival);
    let within = at_us.min(times.answered_us).max(times.sent_us);
    std::ptr::eq(own, by).then_some((mark.text.as_str(), within))
}

/// The time between two runs.
const PAUSE_US: i64 = 10_000;

fn request(name: &str, answer: &crate::Answer, times: &Times, shift_us: i64) -> Slice {
    let mut within: Vec<Slice> = Vec::new();
    if let Some((visit, arrived)) = answer.visit().zip(times.arrived_us) {
        let at = |us: i64| arrived.saturating_add(us).saturating_add(shift_us);
        within.extend(visit.queued.iter().map(|queued| {
            let what = match queued.resource {
                Resource::Worker => "worker",
                Resource::Connection => "connection",
                Resource::Other => "other",
            };
            Slice {
                start_us: at(queued.start_us),
                end_us: at(queued.start_us.saturating_add(queued.duration_us)),
                category: what.to_owned(),
                name: format!("wait for a {what}"),
                args: json!({}),
                within: Vec::new(),
            }
        }));
        within.extend(visit.timeline.iter().map(|step| Slice {
            start_us: at(step.start_us),
            end_us: at(step.start_us.saturating_add(step.duration_us)),
            category: category(step.action),
            name: step.label.clone(),
            args: arguments(step),
            within: Vec::new(),
        }));
        within.sort_by_key(|slice| slice.start_us);
    }
    Slice {
        start_us: times.sent_us + shift_us,
        end_us: times.answered_us + shift_us,
        category: "request".to_owned(),
        name: name.to_owned(),
        args: json!({ "status": answer.status() }),
        within,
    }
}

fn category(action: Action) -> String {
    let name = serde_json::to_value(action).unwrap_or_default();
    name.as_str().unwrap_or("other").to_owned()
}

/// What a viewer shows of a step.
fn arguments(step: &Step) -> Value {
    let values: Vec<_> = step
        .args
        .iter()
        .map(|value| match value {
            Argument::Integer(value) => json!(value),
            Argument::Text(text) => json!(text),
        })
        .collect();
    let facts = [
        ("sql", step.sql.as_ref().map(|sql| json!(sql))),
        ("args", (!values.is_empty()).then(|| json!(values))),
        ("returned", step.value.map(|value| json!(value))),
        ("error", step.refusal.as_ref().map(|words| json!(words))),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(name, fact)| Some((name.to_owned(), fact?)));
    Value::Object(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(start_us: i64, end_us: i64, within: Vec<Slice>) -> Slice {
        Slice {
            start_us,
            end_us,
            category: "read".to_owned(),
            name: "a slice".to_owned(),
            args: json!({}),
            within,
        }
    }

    fn written(trace: &Trace) -> Value {
        let mut text = Vec::new();
        trace.write(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn slices_that_overlap_are_cut_so_that_they_nest() {
        let mut trace = Trace::default();
        let process = trace.process("p");
        let thread = trace.thread(process, "t");
        let inner = vec![
            slice(-5, 10, Vec::new()),
            slice(8, 30, Vec::new()),
            slice(90, 200, Vec::new()),
            slice(300, 400, Vec::new()),
        ];
        let places = trace.slice(thread, &slice(0, 100, inner));
        assert_eq!(places, [(0, 10), (10, 30), (90, 100), (100, 100)]);
    }

    #[test]
    fn ids_are_positive_and_unique_over_all_processes() {
        let mut trace = Trace::default();
        let (one, other) = (trace.process("one"), trace.process("other"));
        let threads = [trace.thread(one, "a"), trace.thread(other, "b")];
        let flow = [(threads[0], 1), (threads[1], 2)];
        trace.flow("first", flow[0], flow[1]);
        trace.flow("second", flow[1], flow[0]);
        let events = written(&trace);
        let events = events["traceEvents"].as_array().unwrap();
        let ids = |phase: &str, field: &str| {
            let events = events.iter().filter(|event| event["ph"] == phase);
            events
                .map(|event| event[field].as_u64().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids("M", "pid"), [1, 2, 1, 1, 2, 2]);
        assert_eq!(ids("s", "id"), [1, 2]);
        assert_eq!(ids("f", "id"), [1, 2]);
        assert_eq!(ids("s", "tid"), [1, 2]);
        assert!(
            events
                .iter()
                .filter(|event| event["ph"] == "f")
                .all(|it| it["bp"] == "e")
        );
    }
}
