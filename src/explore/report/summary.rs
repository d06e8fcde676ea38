//! The summary of a build, as Markdown: one table, and a folded part for each failure. GitHub and
//! Gitea show it on the page of a run.

use std::fmt::Write as _;

use super::build::{Build, Trouble};
use super::{FindingData, text, timeline};

/// The largest size of the summary of one step, in bytes. GitHub shows nothing of a larger one.
pub const MOST_SUMMARY_BYTES: usize = 1024 * 1024;

/// The largest size of one text in a folded part, in bytes.
const MOST_BLOCK_BYTES: usize = 64 * 1024;

/// What is kept free for the lines that tell what was left out.
const LAST_BYTES: usize = 300;

const HEAD: &str = "| | file | engine | level | verdict | schedules | seconds |\n\
                    |---|---|---|---|---|--:|--:|\n";

/// A text of limited size.
#[derive(Debug)]
struct Page {
    text: String,
    most: usize,
}

impl Page {
    /// Adds a part. False if there is no room for it.
    fn push(&mut self, part: &str) -> bool {
        let has_room = self.text.len() + part.len() <= self.most;
        if has_room {
            self.text.push_str(part);
        }
        has_room
    }

    /// Adds parts as long as there is room. The number of those left out.
    fn push_all(&mut self, parts: impl Iterator<Item = String>) -> usize {
        let mut has_room = true;
        parts
            .filter(|part| {
                has_room = has_room && self.push(part);
                !has_room
            })
            .count()
    }
}

/// The summary, with at most this number of bytes. Failures come first. Empty if there is no room
/// for the table.
pub fn summary(build: &Build<'_>, most_bytes: usize) -> String {
    let most = most_bytes.saturating_sub(LAST_BYTES);
    let mut page = Page {
        text: String::new(),
        most,
    };
    if !page.push(&format!("### Racy: {}\n\n{HEAD}", heading(build))) {
        return String::new();
    }
    let findings = build.report.findings.iter();
    let as_expected = findings.filter(|it| it.unexpected.is_empty());
    let rows = build
        .troubles()
        .map(|it| row_of_trouble(&it))
        .chain(build.failures().map(row_of_failure))
        .chain(as_expected.map(|it| match it.warning() {
            Some(_) => row("⚠ nothing was tested", it),
            None => row("✓ as expected", it),
        }))
        .chain(build.missing().map(row_of_missing));
    let rows_left_out = page.push_all(rows);
    page.push("\n");
    let warnings = build.warnings();
    let warnings = warnings.map(|(it, why)| format!("⚠ {}: {why}.\n\n", code(&it.strategy)));
    let warnings_left_out = page.push_all(warnings);
    let details = build
        .troubles()
        .filter(|it| it.message.lines().count() > 1)
        .map(|it| details_of_trouble(&it))
        .chain(build.failures().map(|it| details(build, it)));
    let details_left_out = page.push_all(details);
    let mut text = page.text;
    for (count, what) in [
        (rows_left_out, "rows of the table"),
        (warnings_left_out, "warnings"),
        (details_left_out, "failures in full"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "Left out for want of room: {count} {what}.\n");
        }
    }
    text
}

fn heading(build: &Build<'_>) -> String {
    let findings = build.report.findings.len();
    let failures = build.failures().count();
    let troubles = build.troubles().count();
    let warnings = build.warnings().count();
    let found = match (findings, failures) {
        (0, _) => "nothing was explored".to_owned(),
        (1, 0) => "as expected".to_owned(),
        (all, 0) => format!("all {all} as expected"),
        (1, _) => "not as expected".to_owned(),
        (all, some) => format!("{some} of {all} not as expected"),
    };
    let found = match troubles {
        0 => found,
        some => format!("{found}, {some} could not be explored"),
    };
    match warnings {
        0 => found,
        some => format!("{found}, {some} without a test"),
    }
}

fn row(result: &str, finding: &FindingData) -> String {
    let place = finding.engine.to_string();
    let (engine, level) = place.split_once(", ").unwrap_or((&place, ""));
    let name = format!("{}{}", code(&finding.strategy), finding.several_instances());
    let seconds = finding.took_ms as f64 / 1000.0;
    format!(
        "| {result} | {name} | {} | {} | {} | {} | {seconds:.1} |\n",
        escaped(engine),
        escaped(level),
        escaped(&finding.verdict),
        finding.schedules,
    )
}

/// The row says why: the verdict alone need not tell, if it is a refusal that was not expected.
fn row_of_failure(finding: &FindingData) -> String {
    let why = escaped(&finding.unexpected.join("; "));
    row(&format!("✗ not as expected: {why}"), finding)
}

fn row_of_trouble(trouble: &Trouble<'_>) -> String {
    let name = match trouble.is_of_a_file() {
        true => code(trouble.name),
        false => String::new(),
    };
    let said = escaped(trouble.first_line());
    format!("| ✗ could not be explored | {name} | | | {said} | | |\n")
}

fn row_of_missing(missing: &str) -> String {
    let said = escaped(missing);
    format!("| not run | | | | {said} | | |\n")
}

/// What was found, to be unfolded.
fn details(build: &Build<'_>, finding: &FindingData) -> String {
    let name = format!("{}{}", code(&finding.strategy), finding.several_instances());
    let (engine, verdict) = (finding.engine.to_string(), escaped(&finding.verdict));
    let mut inside = String::new();
    for unexpected in &finding.unexpected {
        let _ = writeln!(inside, "**Not as expected:** {}\n", escaped(unexpected));
    }
    let counts = text::counts_in_lines(finding);
    if !counts.is_empty() {
        inside.push_str(&fenced("text", &counts));
    }
    for (heading, example) in finding.shown_in_a_build() {
        let (schedule, preemptions) = (&example.schedule, example.preemptions_in_words());
        let _ = writeln!(inside, "{}: `{schedule}`{preemptions}\n", escaped(&heading));
        inside.push_str(&fenced("text", &timeline::draw(finding, example)));
        inside.push_str("Run this schedule again:\n\n");
        inside.push_str(&fenced("sh", &build.again(finding, example)));
    }
    for assumption in &finding.assumptions {
        let _ = writeln!(inside, "Taken for granted: {}\n", escaped(assumption));
    }
    folded(
        &format!("{name} on {}: {verdict}", escaped(&engine)),
        &inside,
    )
}

fn details_of_trouble(trouble: &Trouble<'_>) -> String {
    let inside = fenced("text", trouble.message);
    folded(
        &format!("{}: all that was said", code(trouble.name)),
        &inside,
    )
}

fn folded(summary: &str, inside: &str) -> String {
    format!("<details><summary>{summary}</summary>\n\n{inside}</details>\n\n")
}

/// A block of code. Its fence is longer than each row of backticks in it.
fn fenced(language: &str, block: &str) -> String {
    let shown = without_controls(block.trim_end());
    let (shown, cut) = match shown.char_indices().find(|(at, _)| *at >= MOST_BLOCK_BYTES) {
        Some((at, _)) => (&shown[..at], "\n…"),
        None => (&shown[..], ""),
    };
    let mut longest = 2;
    let mut row = 0;
    for character in shown.chars() {
        row = if character == '`' { row + 1 } else { 0 };
        longest = longest.max(row);
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence}{language}\n{shown}{cut}\n{fence}\n\n")
}

/// A name in a cell or in a line. Elements are used because a cell ends at a bar even in backticks.
fn code(name: &str) -> String {
    format!("<code>{}</code>", escaped(name))
}

/// A text within one line in which nothing means anything to Markdown or HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in without_controls(text).chars() {
        match character {
            '\n' | '\t' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '@' | '$' | '!' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The text with a mark in place of what is no character to be seen. A carriage return alone would
/// be a line break of Markdown's.
fn without_controls(text: &str) -> String {
    let seen = |it: char| match it {
        '\n' | '\t' => it,
        _ if it.is_control() => '\u{fffd}',
        _ => it,
    };
    text.chars().map(seen).collect()
}

#[cfg(test)]
mod tests;
