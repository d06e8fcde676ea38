//! A report as a table: a header, and one row per request in the order of release.

use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;

use super::microseconds;
use crate::answer::{Answer, Outcome, Problem};
use crate::report::Report;

/// Writes the table. What is not known is an empty field.
///
/// # Errors
///
/// Whatever the writer says.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut table = ::csv::Writer::from_writer(out);
    for answer in &report.answers {
        let row = Row::of(answer, report.started().unwrap_or(answer.started));
        table.serialize(row).map_err(io::Error::from)?;
    }
    table.flush()
}

/// The table's columns, in their order.
#[derive(Debug, Serialize)]
struct Row<'a> {
    request: u32,
    started_us: u64,
    latency_us: u64,
    status: Option<u16>,
    outcome: &'static str,
    fault: Option<&'a str>,
    code: Option<&'a str>,
    balance_read: Option<i64>,
    balance_written: Option<i64>,
}

impl<'a> Row<'a> {
    fn of(answer: &'a Answer, first_start: Instant) -> Self {
        let problem = problem(&answer.outcome);
        let receipt = answer.receipt();
        Self {
            request: answer.request,
            started_us: microseconds(answer.started.saturating_duration_since(first_start)),
            latency_us: microseconds(answer.latency()),
            status: answer.status(),
            outcome: name(&answer.outcome),
            fault: problem.and_then(|problem| problem.fault.as_deref()),
            code: problem.and_then(|problem| problem.code.as_deref()),
            balance_read: receipt.and_then(|receipt| receipt.balance_read),
            balance_written: receipt.and_then(|receipt| receipt.balance_written),
        }
    }
}

fn problem(outcome: &Outcome) -> Option<&Problem> {
    match outcome {
        Outcome::Refused(problem) | Outcome::Partial(problem) | Outcome::Unknown(problem) => {
            Some(problem)
        }
        Outcome::Acknowledged { .. } | Outcome::NoAnswer(_) => None,
    }
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Acknowledged { .. } => "acknowledged",
        Outcome::Refused(_) => "refused",
        Outcome::Partial(_) => "partial",
        Outcome::Unknown(_) => "unknown",
        Outcome::NoAnswer(_) => "transport error",
    }
}
