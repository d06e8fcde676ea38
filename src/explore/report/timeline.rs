//! One run as a timeline: a column for each client, and time going down.

use std::fmt::Write as _;

use super::super::{Client, Example, Row, What};
use crate::step::Ending;

/// How wide a client's column is. Two of them fit a terminal of 80 characters.
const WIDTH: usize = 37;

/// Draws what happened: each statement with its values in its client's column, what it read or
/// wrote, where it waited, and the moment at which something was lost.
pub(super) fn draw(example: &Example, clients: usize) -> String {
    let mut text = String::from("     ");
    for client in Client::first(clients) {
        let _ = write!(text, "{:WIDTH$} ", format!("client {client}"));
    }
    let mut lines = vec![text.trim_end().to_owned()];
    for (index, row) in example.trace.rows.iter().enumerate() {
        lines.extend(draw_row(row, example));
        if let Some(moment) = example.moment.as_ref().filter(|it| it.row == index) {
            lines.push(format!("     ✗ {}", moment.words));
        }
    }
    lines.join("\n") + "\n"
}

fn draw_row(row: &Row, example: &Example) -> Vec<String> {
    let indent = row.client.index() * (WIDTH + 1);
    let number = row
        .number()
        .map(|number| number.to_string())
        .unwrap_or_default();
    let mut margin = format!("{number:>3}");
    let lines = wrapped(&described(row, example), WIDTH);
    let draw = |line| {
        let drawn = format!("{margin:4} {:indent$}{line}", "");
        margin.clear();
        drawn
    };
    lines.into_iter().map(draw).collect()
}

/// The row in words: the statement as it could be typed, and its result.
fn described(row: &Row, example: &Example) -> String {
    let statement = example.statement(&row.step);
    let statement = statement.unwrap_or_else(|| row.step.without_sql());
    match &row.what {
        What::Waits => format!("{statement} … waits for a lock"),
        What::Resumed(number, ending) => format!("… {number} goes on{}", result(row, ending)),
        What::Happened(ending) | What::Besides(ending) => {
            format!("{statement}{}", result(row, ending))
        }
    }
}

/// What came of a statement, to be written behind it.
pub(super) fn result(row: &Row, ending: &Ending) -> String {
    match ending {
        Ending::Done(Some(value)) if row.is_read() => format!(" → {value}"),
        Ending::Done(_) => String::new(),
        Ending::MatchedNoRow => " → no row".to_owned(),
        Ending::Failed { refusal, .. } => format!(" ✗ {refusal}"),
    }
}

/// Breaks a statement into lines that are no wider than that, the later ones indented: before a clause
/// if possible, else at a space.
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
    use super::*;

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
