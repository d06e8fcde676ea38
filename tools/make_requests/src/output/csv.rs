//! A report as a table: a header, and one row for each request in the order of release.

use std::io::{self, Write};
use std::time::Instant;

use crate::answer::{Answer, Outcome, Problem};
use crate::latency::microseconds;
use crate::report::Report;
use crate::words::or_empty;

/// Writes the table. A field is empty if its value is not known.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut table = ::csv::Writer::from_writer(out);
    let product = report.plan.target.race().exhibit().csv_columns;
    let header = COLUMNS.into_iter().chain(product);
    table.write_record(header).map_err(io::Error::from)?;
    for answer in report.answers.iter() {
        let row = row(answer, report.answers.started().unwrap_or(answer.started));
        table.write_record(row).map_err(io::Error::from)?;
    }
    table.flush()
}

/// The columns of every table, in their order. Two more show what the request made.
const COLUMNS: [&str; 7] = [
    "request",
    "started_us",
    "latency_us",
    "status",
    "outcome",
    "fault",
    "code",
];

fn row(answer: &Answer, first_start: Instant) -> [String; 9] {
    let problem = problem(&answer.outcome);
    let product = answer.receipt().map(|receipt| receipt.product());
    let [first, second] = product.map_or_else(Default::default, |it| it.csv_fields());
    [
        answer.request.to_string(),
        microseconds(answer.started.saturating_duration_since(first_start)).to_string(),
        microseconds(answer.latency()).to_string(),
        or_empty(answer.status()),
        name(&answer.outcome).to_owned(),
        or_empty(problem.and_then(|problem| problem.fault.as_ref())),
        or_empty(problem.and_then(|problem| problem.code.as_ref())),
        first,
        second,
    ]
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
