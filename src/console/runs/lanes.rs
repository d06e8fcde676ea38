//! The lanes of a run, from the answers to its requests.

use make_requests::{Action, Answer, Outcome, Report, Resource, Times, Visit};

use crate::console::record::{Lane, LaneProblem, LaneStep, LockWait, RunPlan};
use crate::step::Argument;

/// How many steps of all requests together a record has, about.
const MOST_STEPS: usize = 20_000;

/// How many steps of one request a record has at least, if there are that many.
const AT_LEAST: usize = 40;

/// A lane for each request, and how many steps in the middle of long ones were left out.
pub(super) fn of_report(report: &Report, plan: &RunPlan) -> (Vec<Lane>, usize) {
    let answers = &report.answers;
    let limit = (MOST_STEPS / answers.len().max(1)).max(AT_LEAST);
    let mut left_out = 0;
    let lanes = answers.iter().zip(report.times()).map(|(answer, times)| {
        let mut lane = lane(answer, plan, times);
        left_out += shorten(&mut lane.steps, limit);
        lane
    });
    (lanes.collect(), left_out)
}

fn lane(answer: &Answer, plan: &RunPlan, times: Times) -> Lane {
    let Times {
        sent_us,
        answered_us,
        arrived_us,
    } = times;
    let visit = answer.visit();
    Lane {
        request: answer.request,
        outcome: outcome(&answer.outcome).to_owned(),
        status: answer.status(),
        sent_us,
        answered_us,
        arrived_us,
        lost: false,
        title: answer
            .receipt()
            .map_or_else(|| title(plan), make_requests::Receipt::title),
        problem: problem(&answer.outcome),
        steps: visit
            .zip(arrived_us)
            .map_or_else(Vec::new, |(visit, at)| steps(&visit, at)),
    }
}

fn steps(visit: &Visit<'_>, arrived: i64) -> Vec<LaneStep> {
    let queued = visit.queued.iter().filter_map(|queued| {
        let (kind, label) = match queued.resource {
            Resource::Worker => ("worker", "wait for a worker"),
            Resource::Connection => ("connection", "wait for a connection"),
            Resource::Other => return None,
        };
        let start_us = arrived.saturating_add(queued.start_us);
        Some(LaneStep {
            kind: kind.to_owned(),
            label: label.to_owned(),
            sql: None,
            args: Vec::new(),
            start_us,
            end_us: start_us.saturating_add(queued.duration_us.max(0)),
            value: None,
            matched_no_row: false,
            refusal: None,
            waits: Vec::new(),
        })
    });
    let actions = visit.timeline.iter().map(|step| {
        let start_us = arrived.saturating_add(step.start_us);
        let end_us = start_us.saturating_add(step.duration_us.max(0));
        LaneStep {
            kind: kind(step.action).to_owned(),
            label: step.label.clone(),
            sql: step.sql.clone(),
            args: step.args.iter().map(argument).collect(),
            start_us,
            end_us,
            value: step.value,
            matched_no_row: step.matched_no_row,
            refusal: step.refusal.clone(),
            waits: held_up(arrived, step.held_up_us, end_us),
        }
    });
    let mut steps: Vec<_> = queued.chain(actions).collect();
    steps.sort_by_key(|step| step.start_us);
    steps
}

/// The wait that the service did itself, until the step's end.
fn held_up(arrived: i64, held_up_us: Option<i64>, end_us: i64) -> Vec<LockWait> {
    let wait = held_up_us.map(|from| LockWait {
        from_us: arrived.saturating_add(from),
        to_us: end_us,
        for_lane: None,
    });
    wait.into_iter().collect()
}

fn argument(argument: &make_requests::Argument) -> Argument {
    match argument {
        make_requests::Argument::Integer(value) => Argument::Integer(*value),
        make_requests::Argument::Text(text) => Argument::Text(text.clone()),
    }
}

fn kind(action: Action) -> &'static str {
    match action {
        Action::Begin => "begin",
        Action::Read => "read",
        Action::Write => "write",
        Action::Commit => "commit",
        Action::Rollback => "rollback",
        Action::Lock => "lock",
        Action::Unlock => "unlock",
        Action::Think => "think",
        Action::Pause => "pause",
        Action::Other => "other",
    }
}

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Acknowledged { .. } => "applied",
        Outcome::Refused(_) => "refused",
        Outcome::Partial(_) => "partial",
        Outcome::Unknown(_) => "unknown",
        Outcome::NoAnswer(_) => "no_answer",
    }
}

fn problem(outcome: &Outcome) -> Option<LaneProblem> {
    match outcome {
        Outcome::Acknowledged { .. } => None,
        Outcome::Refused(problem) | Outcome::Partial(problem) | Outcome::Unknown(problem) => {
            Some(LaneProblem {
                title: problem.title.clone(),
                detail: problem.detail.clone().unwrap_or_default(),
                fault: problem.fault.clone(),
                code: problem.code.clone(),
            })
        }
        Outcome::NoAnswer(error) => Some(LaneProblem {
            title: "No answer came".to_owned(),
            detail: error.to_string(),
            fault: None,
            code: None,
        }),
    }
}

/// What a request was to do, if its answer does not say it.
fn title(plan: &RunPlan) -> String {
    match plan.exhibit.as_str() {
        "deposits" => format!("deposits {}", plan.amount),
        "orders" => "orders".to_owned(),
        _ => "exports".to_owned(),
    }
}

/// Leaves out the middle of a long list. Returns how many steps that were.
fn shorten(steps: &mut Vec<LaneStep>, limit: usize) -> usize {
    let too_many = steps.len().saturating_sub(limit);
    if too_many > 0 {
        steps.drain(limit / 2..limit / 2 + too_many);
    }
    too_many
}
