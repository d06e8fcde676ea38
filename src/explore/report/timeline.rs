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
    let statement = statement.as_deref().unwrap_or(row.step.label);
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
        Ending::Failed(refusal) => format!(" ✗ {refusal}"),
    }
}

/// Breaks a text at its spaces into lines that are no wider than that, the later ones indented.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_at_spaces_and_no_word_is_lost() {
        let text = "UPDATE accounts SET balance = 100 WHERE id = 1";
        let lines = wrapped(text, 20);
        assert_eq!(
            lines,
            ["UPDATE accounts SET", "  balance = 100", "  WHERE id = 1"]
        );
        assert_eq!(wrapped("averyverylongword", 5), ["averyverylongword"]);
    }
}
