//! The state after every step: what is stored, what each client has in hand, which transactions are
//! open, and who waits for whom.

use std::collections::BTreeMap;

use super::{Cell, SourceText, StateBefore, SteppedStep, words};
use crate::explore::Client;
use crate::explore::report::{ExampleData, FindingData, StepData, ValueData};
use crate::step::Action;

/// The state between two steps.
pub(super) struct State {
    row: Vec<Cell>,
    hands: BTreeMap<String, Option<String>>,
    open: BTreeMap<String, bool>,
    waiting: BTreeMap<String, Option<String>>,
}

impl State {
    /// The state before the first step.
    pub(super) fn before(clients: usize, example: &ExampleData) -> Self {
        let letters = || Client::first(clients).map(|it| it.to_string());
        Self {
            row: cells(&example.row, &[]),
            hands: letters().map(|it| (it, None)).collect(),
            open: letters().map(|it| (it, false)).collect(),
            waiting: BTreeMap::new(),
        }
    }

    pub(super) fn start(&self) -> StateBefore {
        StateBefore {
            row: self.row.clone(),
            hands: self.hands.clone(),
        }
    }

    /// Takes the step with this index, and returns it with the state after it.
    pub(super) fn after(
        &mut self,
        finding: &FindingData,
        example: &ExampleData,
        index: usize,
        source: Option<&SourceText>,
    ) -> SteppedStep {
        let step = &example.steps[index];
        let client = step.client.to_string();
        let waits_for = words::waits_for(example, step);
        if step.wait {
            self.waiting.insert(client.clone(), waits_for.clone());
        } else {
            self.waiting.remove(&client);
            self.open_or_close(step);
        }
        let hands_before = self.hands.clone();
        if !step.wait {
            self.take_in_hand(step);
        }
        let row = cells(&step.row, &self.row);
        if !row.is_empty() {
            self.row = cells(&step.row, &[]);
        }
        let line = super::source::line_of(finding, step);
        SteppedStep {
            number: step.step,
            action: name_of(step.action),
            label: step.label.to_string(),
            text: step.text(),
            result: step.result().trim().trim_start_matches("→ ").to_owned(),
            line: line.filter(|line| source.is_some_and(|it| it.has(*line))),
            sentence: words::sentence(finding, step, waits_for.as_deref()),
            waits: step.wait,
            resumes: step.resumes,
            refusal: step.refusal.clone().filter(|_| !step.wait),
            row,
            changed_hands: changed(&hands_before, &self.hands),
            hands: self.hands.clone(),
            open: self.open.clone(),
            waiting: self.waiting.clone(),
            client,
        }
    }

    /// A refused commit ends its transaction. After any other refusal a rollback follows.
    fn open_or_close(&mut self, step: &StepData) {
        let is_refused = step.refusal.is_some();
        let is_open = match step.action {
            Action::Begin if !is_refused => true,
            Action::Commit | Action::Rollback => false,
            Action::Begin
            | Action::Read
            | Action::Write
            | Action::Lock
            | Action::Unlock
            | Action::Think
            | Action::Pause
            | Action::Request
            | Action::Answer
            | Action::Outside => return,
        };
        self.open.insert(step.client.to_string(), is_open);
    }

    /// What is read is in hand, until it is rolled back.
    fn take_in_hand(&mut self, step: &StepData) {
        let hand = match step.action {
            Action::Read if step.refusal.is_none() => match words::taken(step) {
                Some(taken) => Some(taken),
                None => return,
            },
            Action::Rollback => None,
            Action::Begin
            | Action::Read
            | Action::Write
            | Action::Commit
            | Action::Lock
            | Action::Unlock
            | Action::Think
            | Action::Pause
            | Action::Request
            | Action::Answer
            | Action::Outside => return,
        };
        self.hands.insert(step.client.to_string(), hand);
    }
}

/// What is stored. A value is marked as changed if it differs from what was there before.
fn cells(stored: &[ValueData], before: &[Cell]) -> Vec<Cell> {
    let was = |name: &str| before.iter().find(|it| it.name == name);
    let stored = stored.iter();
    stored
        .map(|it| Cell {
            name: it.name.to_string(),
            value: it.value.clone(),
            changed: was(&it.name).is_some_and(|before| before.value != it.value),
        })
        .collect()
}

fn changed(
    before: &BTreeMap<String, Option<String>>,
    after: &BTreeMap<String, Option<String>>,
) -> Vec<String> {
    let changed = after
        .iter()
        .filter(|(client, hand)| before.get(*client) != Some(*hand));
    changed.map(|(client, _)| client.clone()).collect()
}

/// An action as the API spells it.
fn name_of(action: Action) -> String {
    match action {
        Action::Begin => "begin",
        Action::Read => "read",
        Action::Write => "write",
        Action::Commit => "commit",
        Action::Rollback => "rollback",
        Action::Lock => "lock",
        Action::Unlock => "unlock",
        Action::Think => "think",
        Action::Pause => "pause",
        Action::Request => "request",
        Action::Answer => "answer",
        Action::Outside => "outside",
    }
    .to_owned()
}
