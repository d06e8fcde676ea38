//! A report as text: what was done, the figures, what they mean, and two requests drawn.

use std::io::{self, Write};
use std::time::Duration;

use crate::plan::Pace;
use crate::report::{Problems, Report, TransportErrors};

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
    let caption = match report.lost_update() {
        Some(_) => "Two of the requests, between which an update was lost:",
        None => "Two of the requests, which overlapped:",
    };
    write!(out, "\n{caption}\n\n{drawing}")
}

/// Writes the report without the drawing.
///
/// # Errors
///
/// Whatever the writer says.
pub fn write_summary(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}\n", headline(report))?;
    for (name, value) in figures(report) {
        writeln!(out, "  {name:<17} {value}")?;
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
    let requests = report.answers.len();
    let deposits = if requests == 1 { "deposit" } else { "deposits" };
    format!(
        "{}: {requests} {deposits} of {} into account {}, {pace}",
        plan.target, plan.amount, plan.account,
    )
}

fn figures(report: &Report) -> Vec<(&'static str, String)> {
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
    figures.extend(balances(report));
    figures.extend(latency(report));
    figures.push(("wall time", milliseconds(report.wall())));
    figures
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

fn balances(report: &Report) -> Vec<(&'static str, String)> {
    let (least, most) = report.expected_balance().into_inner();
    let expected = if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    };
    let after = report.after.as_ref().ok();
    let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
    vec![
        ("expected balance", expected),
        (
            "actual balance",
            known(after.map(|account| account.balance.to_string())),
        ),
        ("lost", known(report.lost().map(|lost| lost.to_string()))),
    ]
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
