//! Runs and schedules as traces, which ui.perfetto.dev and chrome://tracing open.

use make_requests::trace::{Process, Slice, Thread, Trace};
use serde_json::{Value as Json, json};

use super::record::{Lane, LaneStep, RunRecord, StepPlace};
use super::stepped::{SteppedRun, SteppedStep};

/// What a trace calls the arrow from a stale read to the write that follows from it.
const UNSEEN: &str = "overwrites unseen";

/// What it calls the arrow from what was written to what was written over it.
const OVERWRITTEN: &str = "is overwritten";

/// A run: a process for each instance of the service, and a thread for each request.
pub fn of_run(record: &RunRecord) -> Trace {
    let mut trace = Trace::default();
    let instances = record.plan.instances.max(1);
    let processes: Vec<Process> = (1..=instances)
        .map(|instance| trace.process(&format!("instance {instance} of {}", platform(record))))
        .collect();
    let mut drawn: Vec<DrawnLane> = Vec::with_capacity(record.lanes.len());
    for lane in &record.lanes {
        let instance = (lane.request as usize).saturating_sub(1) % processes.len();
        let name = format!("request {}, {}", lane.request, lane.title);
        let thread = trace.thread(processes[instance], &name);
        let steps = trace.slice(thread, &request(record, lane));
        drawn.push(DrawnLane { thread, steps });
    }
    let middle = |place: Option<StepPlace>| {
        let place = place?;
        let lane: &DrawnLane = drawn.get(place.lane)?;
        let (start, end) = lane.steps.get(place.step)?;
        Some((lane.thread, start + (end - start) / 2))
    };
    for loss in &record.losses {
        let overwrite = middle(loss.overwrite);
        if let (Some(read), Some(overwrite)) = (middle(loss.read), overwrite) {
            trace.flow(UNSEEN, read, overwrite);
        }
        if let (Some(written), Some(overwrite)) = (middle(loss.written), overwrite) {
            trace.flow(OVERWRITTEN, written, overwrite);
        }
        if let Some(overwrite) = overwrite {
            trace.mark(&format!("✗ {}", loss.sentence), overwrite);
        }
    }
    trace
}

/// A lane as it is in the trace.
struct DrawnLane {
    thread: Thread,
    /// When each step begins and ends there.
    steps: Vec<(i64, i64)>,
}

fn platform(record: &RunRecord) -> String {
    let text = |name: &str| record.engine[name].as_str().unwrap_or_default().to_owned();
    let (engine, version, level) = (text("engine"), text("engine_version"), text("isolation"));
    format!("racy, {engine} {version}, {level}")
}

fn request(record: &RunRecord, lane: &Lane) -> Slice {
    Slice {
        start_us: lane.sent_us,
        end_us: lane.answered_us,
        category: "request".to_owned(),
        name: record.plan.strategy.clone(),
        args: json!({ "outcome": lane.outcome, "status": lane.status, "lost": lane.lost }),
        within: lane
            .steps
            .iter()
            .map(|step| step_of_run(record, step))
            .collect(),
    }
}

fn step_of_run(record: &RunRecord, step: &LaneStep) -> Slice {
    let request = |lane: usize| record.lanes.get(lane).map(|lane| lane.request);
    let waits = step.waits.iter().map(|wait| {
        let holder = wait.for_lane.and_then(request);
        Slice {
            start_us: wait.from_us,
            end_us: wait.to_us,
            category: "wait".to_owned(),
            name: match holder {
                Some(holder) => format!("waits for request {holder}"),
                None => "waits for a lock".to_owned(),
            },
            args: json!({}),
            within: Vec::new(),
        }
    });
    Slice {
        start_us: step.start_us,
        end_us: step.end_us,
        category: step.kind.clone(),
        name: step.label.clone(),
        args: known([
            ("sql", json!(step.sql)),
            ("args", json!(step.args)),
            ("returned", json!(step.value)),
            ("error", json!(step.refusal)),
        ]),
        within: waits.collect(),
    }
}

/// How long a step of a schedule takes in a trace: its order is all that counts.
const STEP_US: i64 = 1_000;

/// A schedule: a thread for each client, and the order as time. A step that waits lasts until it
/// goes on.
pub fn of_schedule(run: &SteppedRun) -> Trace {
    let mut trace = Trace::default();
    let process = trace.process(&format!("{}, {}", run.strategy, run.engine));
    let mut places = vec![None; run.steps.len()];
    for client in &run.clients {
        let name = match &client.name {
            Some(name) => format!("client {}, {name}", client.letter),
            None => format!("client {}", client.letter),
        };
        let thread = trace.thread(process, &name);
        let own = run.steps.iter().enumerate();
        let own: Vec<_> = own
            .filter(|(_, step)| step.client == client.letter)
            .collect();
        let (Some((first, _)), Some((last, _))) = (own.first(), own.last()) else {
            continue;
        };
        let slices = own.iter().enumerate().map(|(place, (at, step))| {
            let next = own.get(place + 1).map_or(at + 1, |(next, _)| *next);
            step_of_schedule(step, *at, if step.waits { next } else { at + 1 })
        });
        let whole = Slice {
            start_us: time(*first),
            end_us: time(last + 1),
            category: "client".to_owned(),
            name: run.strategy.clone(),
            args: json!({}),
            within: slices.collect(),
        };
        let drawn = trace.slice(thread, &whole);
        for ((at, _), (start, end)) in own.iter().zip(drawn) {
            places[*at] = Some((thread, start + (end - start) / 2));
        }
    }
    let place = |at: usize| places.get(at).copied().flatten();
    if let Some(loss) = &run.loss {
        if let (Some(read), Some(overwrite)) = (place(loss.read), place(loss.overwrite)) {
            trace.flow(UNSEEN, read, overwrite);
        }
        if let (Some(written), Some(over)) = (place(loss.overwritten), place(loss.overwrite)) {
            trace.flow(OVERWRITTEN, written, over);
        }
    }
    let highlight = run.highlight.as_ref();
    if let Some((highlight, at)) = highlight.and_then(|it| Some((it, place(it.index)?))) {
        trace.mark(&format!("✗ {}", highlight.words), at);
    }
    trace
}

fn time(step: usize) -> i64 {
    i64::try_from(step)
        .unwrap_or(i64::MAX)
        .saturating_mul(STEP_US)
}

fn step_of_schedule(step: &SteppedStep, at: usize, until: usize) -> Slice {
    Slice {
        start_us: time(at),
        end_us: time(until),
        category: step.action.clone(),
        name: step.label.clone(),
        args: known([
            ("sql", json!(step.text)),
            ("returned", json!(step.result)),
            ("line", json!(step.line)),
            ("error", json!(step.refusal)),
        ]),
        within: Vec::new(),
    }
}

/// The facts that are there.
fn known<const N: usize>(facts: [(&str, Json); N]) -> Json {
    let is_there = |fact: &Json| !fact.is_null() && *fact != json!("") && *fact != json!([]);
    let known = facts.into_iter().filter(|(_, fact)| is_there(fact));
    Json::Object(known.map(|(name, fact)| (name.to_owned(), fact)).collect())
}
