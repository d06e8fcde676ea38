//! One run as a timeline: a column for each client, and time going down.

use std::fmt::Write as _;

use super::super::Client;
use super::data::on_one_line;
use super::{ExampleData, FindingData, StepData};
use crate::engine::{Flavour, UserStatement};

/// The width of a client's column. Two of them fit a terminal of 80 characters.
const WIDTH: usize = 37;

/// Draws what happened: each statement with its values in its client's column, what it read or
/// wrote, where it waited, and where it went wrong.
pub(super) fn draw(finding: &FindingData, example: &ExampleData) -> String {
    let mut text = String::from("     ");
    for client in Client::first(finding.clients) {
        let facts = finding.scenario_clients.get(client.index());
        let name = facts.and_then(|it| it.name.as_deref());
        let name = name.map(|it| format!(", {it}")).unwrap_or_default();
        let _ = write!(text, "{:WIDTH$} ", format!("client {client}{name}"));
    }
    let mut lines = vec![text.trim_end().to_owned()];
    for (index, step) in example.steps.iter().enumerate() {
        lines.extend(draw_step(step, finding.engine.flavour));
        if let Some(highlight) = example.highlight.as_ref().filter(|it| it.index == index) {
            lines.push(format!("     ✗ {}", highlight.words));
        }
    }
    lines.join("\n") + "\n"
}

fn draw_step(step: &StepData, flavour: Flavour) -> Vec<String> {
    let indent = step.client.index() * (WIDTH + 1);
    let number = step.step.map(|number| number.to_string());
    let mut margin = format!("{:>3}", number.unwrap_or_default());
    let lines = wrapped(&described(step, flavour), WIDTH);
    let draw = |line| {
        let drawn = format!("{margin:4} {:indent$}{line}", "");
        margin.clear();
        drawn
    };
    lines.into_iter().map(draw).collect()
}

/// The step in words: the statement on one line, and its result.
fn described(step: &StepData, flavour: Flavour) -> String {
    let text = || match &step.sql {
        Some(sql) => UserStatement::on_one_line(sql, flavour),
        None => on_one_line(&step.text()),
    };
    match step.resumes {
        Some(number) => format!("… {number} goes on{}", step.result()),
        None if step.wait => format!("{} … waits for a lock", text()),
        None => format!("{}{}", text(), step.result()),
    }
}

/// Breaks a statement into lines of at most this width, the later ones indented. It breaks before a
/// clause if possible, else at a space.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for clause in clauses(text) {
        match lines.last_mut() {
            Some(line) if length(line) + 1 + length(&clause) <= width => {
                line.push(' ');
                line.push_str(&clause);
            }
            Some(_) => lines.extend(wrapped_at_spaces(&clause, width, "  ")),
            None => lines.extend(wrapped_at_spaces(&clause, width, "")),
        }
    }
    lines
}

/// The text, cut before the words that begin a clause.
fn clauses(text: &str) -> Vec<String> {
    const BEGIN: [&str; 6] = ["FROM", "WHERE", "VALUES", "SET", "FOR", "…"];
    let mut clauses: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match clauses.last_mut() {
            Some(clause) if !BEGIN.contains(&word) => {
                clause.push(' ');
                clause.push_str(word);
            }
            _ => clauses.push(word.to_owned()),
        }
    }
    clauses
}

fn wrapped_at_spaces(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if length(line) + 1 + length(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::super::read::tests::report;
    use super::*;

    #[test]
    fn a_statement_of_several_lines_stays_in_its_column() {
        let mut report = report();
        let finding = &mut report["findings"][0];
        let step = &mut finding["replayed"]["steps"][1];
        step["sql"] = "SELECT a -- the a\n   FROM t\n".into();
        step["refusal"] = "it is locked\n  by A".into();
        let report = read(report.to_string().as_bytes()).unwrap();
        let finding = &report.findings[0];
        let mut step = finding.replayed.as_ref().unwrap().steps[1].clone();
        step.resumes = None;
        let drawn = draw_step(&step, Flavour::Postgres);
        let left = " ".repeat(5 + WIDTH + 1);
        let expected = ["SELECT a FROM t ✗ it is locked by A"];
        assert_eq!(drawn, expected.map(|it| format!("{left}{it}")));
    }

    #[test]
    fn a_statement_is_broken_before_its_clauses_and_no_word_is_lost() {
        let text = "UPDATE accounts SET balance = 100 WHERE id = 1 → 0";
        let lines = wrapped(text, 22);
        assert_eq!(
            lines,
            [
                "UPDATE accounts",
                "  SET balance = 100",
                "  WHERE id = 1 → 0"
            ]
        );
        let lines = wrapped(text, 12);
        assert_eq!(
            lines
                .join(" ")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            text
        );
        assert_eq!(wrapped("averyverylongword", 5), ["averyverylongword"]);
    }
}
