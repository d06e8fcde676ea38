//! A report as a table: a header, and one row per request in the order of release.

use std::io::{self, Write};
use std::time::Instant;

use super::microseconds;
use crate::answer::{Answer, Made, Outcome, Problem};
use crate::report::Report;
use crate::target::Exhibit;

/// Writes the table. What is not known is an empty field.
///
/// # Errors
///
/// Whatever the writer says.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut table = ::csv::Writer::from_writer(out);
    let [first, second] = made_columns(report.plan.target.exhibit());
    let header = COLUMNS.into_iter().chain([first, second]);
    table.write_record(header).map_err(io::Error::from)?;
    for answer in &report.answers {
        let row = row(answer, report.started().unwrap_or(answer.started));
        table.write_record(row).map_err(io::Error::from)?;
    }
    table.flush()
}

/// The columns that every table has, in their order.
const COLUMNS: [&str; 7] = [
    "request",
    "started_us",
    "latency_us",
    "status",
    "outcome",
    "fault",
    "code",
];

/// The last two columns: what a request made.
fn made_columns(exhibit: Exhibit) -> [&'static str; 2] {
    match exhibit {
        Exhibit::Deposits => ["balance_read", "balance_written"],
        Exhibit::Orders => ["order", "customer_no"],
        Exhibit::Exports => ["export", "file"],
    }
}

fn row(answer: &Answer, first_start: Instant) -> [String; 9] {
    let problem = problem(&answer.outcome);
    let [first, second] = made(answer);
    [
        answer.request.to_string(),
        microseconds(answer.started.saturating_duration_since(first_start)).to_string(),
        microseconds(answer.latency()).to_string(),
        field(answer.status()),
        name(&answer.outcome).to_owned(),
        field(problem.and_then(|problem| problem.fault.as_ref())),
        field(problem.and_then(|problem| problem.code.as_ref())),
        first,
        second,
    ]
}

fn made(answer: &Answer) -> [String; 2] {
    match answer.receipt().map(|receipt| &receipt.made) {
        Some(Made::Deposit(it)) => [field(it.balance_read), field(it.balance_written)],
        Some(Made::Order(it)) => [field(it.order.as_ref()), it.customer_no.to_string()],
        Some(Made::Export(it)) => [it.export.to_string(), it.file.clone()],
        None => [String::new(), String::new()],
    }
}

fn field<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
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
