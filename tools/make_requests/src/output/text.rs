//! A report as text: what was done, the figures, what they mean, and two requests drawn.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::audit::{Anomaly, Shipped};
use crate::consumer::Consumption;
use crate::evidence::{Books, Evidence, OrderBook};
use crate::plan::Pace;
use crate::report::{Problems, Report, TransportErrors};
use crate::target::{Deposits, Exhibit, Exports, Orders, Target};

/// Room for the names of the figures that every report has.
const NAME_WIDTH: usize = 17;

/// Writes the whole report.
///
/// # Errors
///
/// Whatever the writer says.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    write_summary(report, out)?;
    let Some(drawing) = report.timeline() else {
        return Ok(());
    };
    let caption = match report.plan.target.exhibit() {
        Exhibit::Deposits if report.lost_update().is_some() => "between which an update was lost",
        Exhibit::Orders if report.collision().is_some() => "which took the same order number",
        Exhibit::Exports if report.collision().is_some() => {
            "which wrote the same file at the same time"
        }
        _ => "which overlapped",
    };
    write!(out, "\nTwo of the requests, {caption}:\n\n{drawing}")
}

/// Writes the report without the drawing.
///
/// # Errors
///
/// Whatever the writer says.
pub fn write_summary(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}\n", headline(report))?;
    let figures: Vec<_> = figures(report).collect();
    let longest = figures.iter().map(|(name, _)| name.chars().count()).max();
    let width = longest.unwrap_or(0).max(NAME_WIDTH);
    for (name, value) in figures {
        writeln!(out, "  {name:<width$} {value}")?;
    }
    writeln!(out, "\n{}", report.verdict())?;
    for remark in report.remarks() {
        writeln!(out, "Note: {remark}")?;
    }
    Ok(())
}

fn headline(report: &Report) -> String {
    let plan = &report.plan;
    let pace = match (plan.pace, report.spread()) {
        (Pace::Every(wait), _) => format!("one every {} s", wait.as_secs_f64()),
        (Pace::Together, None) => "all together".to_owned(),
        (Pace::Together, Some(spread)) => {
            format!("all together, released within {}", milliseconds(spread))
        }
    };
    let what = plan.target.exhibit().many(report.answers.len());
    let aim = match &plan.target {
        Target::Deposits(Deposits {
            amount, account, ..
        }) => format!("of {amount} into account {account}"),
        Target::Orders(Orders { book, .. }) => format!("in book {book}"),
        Target::Exports(Exports { account, .. }) => format!("of account {account}"),
    };
    format!("{}: {what} {aim}, {pace}", plan.target)
}

/// All figures in their order, each with its name.
fn figures(report: &Report) -> impl Iterator<Item = (String, String)> {
    let fixed = |figures: Vec<(&str, String)>| -> Vec<_> {
        let named = figures.into_iter();
        named
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    };
    let anomalies = report.anomalies().into_iter();
    let anomalies = anomalies.map(|anomaly| (anomaly.in_words(), finding(&anomaly)));
    fixed(answers(report))
        .into_iter()
        .chain(fixed(audited(report)))
        .chain(anomalies)
        .chain(fixed(times(report)))
}

fn answers(report: &Report) -> Vec<(&'static str, String)> {
    let mut figures = vec![
        ("acknowledged", report.acknowledged().to_string()),
        ("refused", problems(&report.refused())),
    ];
    let rare = [
        ("failed half way", problems(&report.partial())),
        ("outcome unknown", problems(&report.unknown())),
        (
            "transport errors",
            transport_errors(&report.transport_errors()),
        ),
    ];
    let again = ("sent again", report.sent_again().to_string());
    let rare = rare.into_iter().chain([again]);
    figures.extend(rare.into_iter().filter(|(_, value)| value != "0"));
    figures
}

/// What the audits say of the whole.
fn audited(report: &Report) -> Vec<(&'static str, String)> {
    match &report.evidence {
        Evidence::Deposits(books) => balances(report, books),
        Evidence::Orders(book) => orders(book),
        Evidence::Exports(_) => vec![("files", files(report))],
    }
}

/// How often an anomaly was found, and one of them.
fn finding(anomaly: &Anomaly) -> String {
    match &anomaly.example {
        Some(example) if anomaly.count > 0 => format!("{}: {example}", anomaly.count),
        _ => anomaly.count.to_string(),
    }
}

fn times(report: &Report) -> Vec<(&'static str, String)> {
    let wall = ("wall time", milliseconds(report.wall()));
    latency(report).into_iter().chain([wall]).collect()
}

fn problems(problems: &[Problems]) -> String {
    counted(
        problems
            .iter()
            .map(|kind| (kind.requests, kind.to_string())),
    )
}

fn transport_errors(errors: &[TransportErrors]) -> String {
    counted(
        errors
            .iter()
            .map(|e| (e.requests, format!("{} ({})", e.kind, e.detail))),
    )
}

/// The total, and what it is made of.
fn counted(kinds: impl Iterator<Item = (usize, String)>) -> String {
    let mut total = 0;
    let mut parts = Vec::new();
    for (requests, kind) in kinds {
        total += requests;
        parts.push(format!("{requests} × {kind}"));
    }
    if parts.is_empty() {
        total.to_string()
    } else {
        format!("{total}: {}", parts.join(", "))
    }
}

fn balances(report: &Report, books: &Books) -> Vec<(&'static str, String)> {
    let expected = report.expected_balance().map(RangeInclusive::into_inner);
    let expected = expected.map(|(least, most)| match least == most {
        true => least.to_string(),
        false => format!("{least} to {most}"),
    });
    let after = books.after.as_ref().ok();
    vec![
        ("expected balance", known(expected)),
        (
            "actual balance",
            known(after.map(|account| account.balance)),
        ),
        ("lost", known(report.lost())),
    ]
}

fn orders(book: &OrderBook) -> Vec<(&'static str, String)> {
    let after = book.after.as_ref().ok();
    let mut figures = vec![
        ("orders", known(after.map(|audit| audit.orders))),
        ("lines", known(after.map(|audit| audit.lines))),
    ];
    if let Some(Consumption { in_between, after }) = &book.consumption {
        let orders = |run: &Result<Shipped, _>| known(run.as_ref().ok().map(|it| it.shipped.len()));
        let (in_between, after) = (orders(in_between), orders(after));
        figures.push((
            "shipped",
            format!("{in_between} in between, {after} afterwards"),
        ));
    }
    figures
}

/// How many different files the looks were at.
fn files(report: &Report) -> String {
    let looks: Vec<_> = report.inspections().map(|look| &look.file).collect();
    let files: BTreeSet<_> = looks.iter().collect();
    let times = if looks.len() == 1 { "time" } else { "times" };
    format!("{}, looked at {} {times}", files.len(), looks.len())
}

fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "not known".to_owned(), |value| value.to_string())
}

fn latency(report: &Report) -> Option<(&'static str, String)> {
    let latency = report.latency()?;
    let figures = [
        ("min", latency.min),
        ("p50", latency.p50),
        ("p90", latency.p90),
        ("p99", latency.p99),
        ("max", latency.max),
    ];
    let figures = figures.map(|(name, value)| format!("{name} {}", milliseconds(value)));
    Some(("latency", figures.join(", ")))
}

fn milliseconds(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    if ms < 100.0 {
        format!("{ms:.2} ms")
    } else {
        format!("{ms:.0} ms")
    }
}
