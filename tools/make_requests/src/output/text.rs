//! A report as text: the figures, what they mean, and a drawing of two requests.

use std::io::{self, Write};
use std::time::Duration;

use crate::answers::{Answers, ProblemCount, TransportErrorCount};
use crate::audit::Anomaly;
use crate::plan::Pace;
use crate::report::Report;
use crate::timeline;

/// The width of the longest name that every report has.
const NAME_WIDTH: usize = 17;

/// Writes the whole report.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    write_summary(report, out)?;
    let Some((caption, pair)) = report.shown_pair() else {
        return Ok(());
    };
    let drawing = timeline::draw(&pair);
    write!(out, "\nTwo of the requests, {caption}:\n\n{drawing}")
}

/// Writes the report without the drawing.
pub fn write_summary(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}\n", headline(report))?;
    let figures = figures(report);
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
    let pace = match (report.plan.pace, report.spread()) {
        (Pace::Every(wait), _) => format!("one every {} s", wait.as_secs_f64()),
        (Pace::Together, None) => "all together".to_owned(),
        (Pace::Together, Some(spread)) => {
            format!("all together, released within {}", milliseconds(spread))
        }
    };
    let requests = report.requests_in_words();
    format!("{}: {requests}, {pace}", report.plan.target)
}

/// All figures with their names, in their order.
fn figures(report: &Report) -> Vec<(String, String)> {
    let named = |(name, value): (&str, String)| (name.to_owned(), value);
    let answers = outcomes(&report.answers).into_iter().map(named);
    let evidence = report.evidence.figures(&report.answers);
    let anomalies = report.anomalies().into_iter();
    let anomalies = anomalies.map(|anomaly| (anomaly.in_words(), occurrences(&anomaly)));
    answers
        .chain(evidence.into_iter().map(named))
        .chain(anomalies)
        .chain(times(&report.answers).into_iter().map(named))
        .collect()
}

/// How the requests ended. The rare outcomes are left out if there are none.
fn outcomes(answers: &Answers) -> Vec<(&'static str, String)> {
    let transport_errors = transport_errors(&answers.transport_errors());
    let rare = [
        ("failed half way", problems(&answers.partial())),
        ("outcome unknown", problems(&answers.unknown())),
        ("transport errors", transport_errors),
        ("sent again", answers.sent_again().to_string()),
    ];
    let mut figures = vec![
        ("acknowledged", answers.acknowledged().to_string()),
        ("refused", problems(&answers.refused())),
    ];
    figures.extend(rare.into_iter().filter(|(_, value)| value != "0"));
    figures
}

/// How often an anomaly was found, and one occurrence.
fn occurrences(anomaly: &Anomaly) -> String {
    match &anomaly.example {
        Some(example) if anomaly.count > 0 => format!("{}: {example}", anomaly.count),
        _ => anomaly.count.to_string(),
    }
}

fn times(answers: &Answers) -> Vec<(&'static str, String)> {
    let wall = ("wall time", milliseconds(answers.wall()));
    latency(answers).into_iter().chain([wall]).collect()
}

fn latency(answers: &Answers) -> Option<(&'static str, String)> {
    let figures = answers.latency()?.figures();
    let figures = figures.map(|(name, value)| format!("{name} {}", milliseconds(value)));
    Some(("latency", figures.join(", ")))
}

fn problems(problems: &[ProblemCount]) -> String {
    let kinds = problems.iter();
    total(kinds.map(|kind| (kind.requests, kind.to_string())))
}

fn transport_errors(errors: &[TransportErrorCount]) -> String {
    let kinds = errors.iter();
    total(kinds.map(|it| (it.requests, format!("{} ({})", it.kind, it.detail))))
}

/// The total, and how many there are of each kind.
fn total(kinds: impl Iterator<Item = (usize, String)>) -> String {
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

fn milliseconds(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    if ms < 100.0 {
        format!("{ms:.2} ms")
    } else {
        format!("{ms:.0} ms")
    }
}
