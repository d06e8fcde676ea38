//! Findings for a person at a terminal, and as Markdown.

use std::fmt::Write as _;

use super::answer::ClientData;
use super::{FindingData, Report, sql, timeline};
use crate::step::Action;

/// What became of the runs that a reduced search did not bring to their end.
const BROKEN_OFF: &str = "broken off, because another run shows the same: not counted";

/// The findings for a terminal.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    if report.findings.is_empty() {
        text.push_str("Nothing was explored.\n");
    }
    for finding in &report.findings {
        write_text(&mut text, finding);
    }
    text.push_str(about_thinking(report));
    text
}

fn write_text(text: &mut String, finding: &FindingData) {
    let (strategy, instances) = (&finding.strategy, finding.several_instances());
    let _ = writeln!(text, "{strategy}{instances} on {}", finding.engine);
    let _ = writeln!(text, "{}\n", finding.verdict);
    text.push_str(&counts_in_lines(finding));
    if let Some(pace) = pace(finding) {
        let _ = writeln!(text, "{pace}");
    }
    if finding.schedules > 0 || finding.covered > 0 {
        text.push('\n');
    }
    for (heading, example) in finding.all_shown() {
        let (schedule, preemptions) = (&example.schedule, example.preemptions_in_words());
        let _ = writeln!(text, "{heading}: {schedule}{preemptions}\n");
        text.push_str(&timeline::draw(finding, example));
        if let Some(script) = sql::script(finding, example) {
            let _ = write!(text, "\nThe same as SQL:\n\n{script}");
        }
        text.push('\n');
    }
    if let Some(warning) = finding.warning() {
        let _ = writeln!(text, "Warning: {warning}");
    }
    for unexpected in &finding.unexpected {
        let _ = writeln!(text, "Not as expected: {unexpected}");
    }
    for assumption in &finding.assumptions {
        let _ = writeln!(text, "Taken for granted: {assumption}");
    }
    if let Some(reduction) = &finding.reduction {
        text.push_str(&reduction.text());
    }
}

/// The counts, one on each line.
pub(super) fn counts_in_lines(finding: &FindingData) -> String {
    let mut text = String::new();
    for (count, what) in counts(finding) {
        let _ = writeln!(text, "{count:>8}  {what}");
    }
    if finding.schedules > 0 {
        let _ = writeln!(text, "{:>8}  with a wait for a lock", finding.waited);
    }
    if finding.covered > 0 {
        let _ = writeln!(text, "{:>8}  {BROKEN_OFF}", finding.covered);
    }
    text
}

/// The findings as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        write_markdown(&mut text, finding);
    }
    text.push_str(about_thinking(report));
    text
}

fn write_markdown(text: &mut String, finding: &FindingData) {
    let (strategy, instances) = (&finding.strategy, finding.several_instances());
    let _ = writeln!(text, "## `{strategy}`{instances} on {}\n", finding.engine);
    let _ = writeln!(
        text,
        "{}.\n\n| schedules | |\n|--:|---|",
        sentence(&finding.verdict)
    );
    for (count, what) in counts(finding) {
        let _ = writeln!(text, "| {count} | {what} |");
    }
    let _ = writeln!(text, "| {} | with a wait for a lock |", finding.waited);
    if finding.covered > 0 {
        let _ = writeln!(text, "| {} | {BROKEN_OFF} |", finding.covered);
    }
    text.push('\n');
    for (heading, example) in finding.all_shown() {
        let drawn = timeline::draw(finding, example);
        let (schedule, preemptions) = (&example.schedule, example.preemptions_in_words());
        let _ = writeln!(text, "{heading}: `{schedule}`{preemptions}\n");
        let _ = writeln!(text, "```text\n{drawn}```\n");
        if let Some(script) = sql::script(finding, example) {
            let _ = writeln!(text, "```sql\n{script}```\n");
        }
    }
    if let Some(warning) = finding.warning() {
        let _ = writeln!(text, "**Warning:** {warning}.\n");
    }
    for unexpected in &finding.unexpected {
        let _ = writeln!(text, "**Not as expected:** {unexpected}\n");
    }
    for assumption in &finding.assumptions {
        let _ = writeln!(text, "Taken for granted: {assumption}.\n");
    }
    if let Some(reduction) = &finding.reduction {
        text.push_str(&reduction.markdown());
    }
}

/// How fast the runs of an application were. None for other subjects, and if nothing was run.
fn pace(finding: &FindingData) -> Option<String> {
    let sends = |it: &ClientData| it.request.is_some();
    let is_told = finding.scenario_clients.iter().any(sends) && finding.took_ms > 0;
    let instances = finding
        .at_once
        .filter(|_| is_told && finding.schedules > 0)?;
    let seconds = finding.took_ms as f64 / 1000.0;
    let rate = finding.schedules as f64 / seconds;
    let instances = match instances {
        1 => "1 instance".to_owned(),
        several => format!("{several} instances"),
    };
    Some(format!(
        "{rate:>8.1}  runs a second, for {seconds:.0} s, with {instances} of the application"
    ))
}

/// Each verdict and the number of schedules with it, the worst first.
fn counts(finding: &FindingData) -> Vec<(u64, String)> {
    let anomalies = finding.found();
    let anomalies = anomalies.map(|(anomaly, count)| (count, anomaly.title.clone().into_owned()));
    let refused = finding.refused.iter().map(|refused| {
        let what = match (refused.fault, &refused.code) {
            (Some(fault), Some(code)) => format!("refused: {fault} ({code})"),
            (Some(fault), None) => format!("refused: {fault}"),
            (None, _) if finding.title.is_some() => "declined by the client itself".to_owned(),
            (None, _) => "declined by the strategy".to_owned(),
        };
        (refused.schedules, what)
    });
    let safe = Some((finding.safe, "safe".to_owned())).filter(|(count, _)| *count > 0);
    anomalies.chain(refused).chain(safe).collect()
}

/// The text with its first letter in upper case.
pub(super) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Why a schedule does not say when a client thinks. Empty if no example shows a think.
pub(super) fn about_thinking(report: &Report) -> &'static str {
    let thinks = |finding: &FindingData| {
        let examples = finding.counterexample.iter();
        let examples = examples
            .chain(&finding.refused_example)
            .chain(&finding.unexpected_examples)
            .chain(&finding.replayed);
        examples
            .flat_map(|it| &it.steps)
            .any(|it| it.action == Action::Think)
    };
    if report.findings.iter().any(thinks) {
        "A think (the long delay) is a step without a statement. It touches nothing, so a schedule does \
         not say\nwhen it happens, and the explorer needs no time for it. That is why a strategy ends the \
         same with the long\ndelay and without: a delay changes how often an update is lost, never \
         whether it can be.\n"
    } else {
        ""
    }
}
