//! The code that a schedule has run: a strategy's file, or a scenario's.

use super::SourceText;
use crate::exhibits;
use crate::exhibits::card::Card;
use crate::explore::report::{ExampleData, FindingData, StepData};

impl SourceText {
    /// Whether this line is shown.
    pub(super) fn has(&self, line: u32) -> bool {
        let end = self.first as usize + self.lines.len();
        (self.first as usize..end).contains(&(line as usize))
    }
}

/// The code, if it is known here. Of a strategy's file it is the functions, without what explains
/// them at the head.
pub(super) fn of(finding: &FindingData, example: &ExampleData) -> Option<SourceText> {
    if let Some(text) = &finding.source_text {
        return Some(shown(finding.strategy.clone(), text, 1));
    }
    let file = finding.source_file.as_deref()?;
    let mut cards = exhibits::specimens().map(|it| it.card());
    let text = cards.find(|card| card.file == file)?.source;
    let lines = example.steps.iter().filter_map(|it| it.line);
    let first = first_function(text).min(lines.min().unwrap_or(u32::MAX));
    Some(shown(file.to_owned(), text, first))
}

/// The functions of a strategy's file, without what explains them at the head.
pub fn of_card(card: &Card) -> SourceText {
    let first = first_function(card.source);
    shown(card.file.to_owned(), card.source, first)
}

/// The line that runs a step. A scenario's statements have it in their label.
pub(super) fn line_of(finding: &FindingData, step: &StepData) -> Option<u32> {
    if finding.title.is_none() {
        return step.line;
    }
    let (_, line) = step.label.rsplit_once("line ")?;
    line.parse().ok()
}

fn shown(file: String, text: &str, first: u32) -> SourceText {
    let lines = text.lines().skip(first as usize - 1);
    SourceText {
        file,
        first,
        lines: lines
            .take_while(|it| *it != "#[cfg(test)]")
            .map(str::to_owned)
            .collect(),
    }
}

/// The line at which the first function begins, with its documentation. 1 if there is none.
fn first_function(text: &str) -> u32 {
    let lines: Vec<_> = text.lines().collect();
    let is_function = |it: &&str| it.starts_with("pub async fn ") || it.starts_with("async fn ");
    let Some(at) = lines.iter().position(is_function) else {
        return 1;
    };
    let about = lines[..at].iter().rev();
    let about = about.take_while(|it| it.starts_with("///") || it.starts_with("#["));
    (at - about.count()) as u32 + 1
}
