//! Looks: what is stored after each step of a run, as another client reads it.
//!
//! A look has a connection of its own, so that it does not change the run that it looks at.

use std::sync::Arc;

use super::trace::{Trace, What};
use super::{Fixture, Judge, StoredValue};
use crate::engine::Database;
use crate::step::Action;

/// What was stored, before the first step of a run and after each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looks {
    /// There was no look.
    None,
    /// One for the beginning, and one for each row of the trace. Empty where it is not known.
    Seen(Vec<StoredValue>, Vec<Vec<StoredValue>>),
    /// The run took another course when it was run again to be looked at.
    OtherCourse,
}

/// Looks at a run while it goes on.
pub(super) struct Looker {
    pub(super) judge: Arc<dyn Judge>,
    pub(super) fixture: Fixture,
    /// What was stored, by the number of steps that had been let go.
    seen: Vec<Vec<StoredValue>>,
}

impl Looker {
    pub(super) fn new(judge: &Arc<dyn Judge>, fixture: Fixture) -> Self {
        Self {
            judge: Arc::clone(judge),
            fixture,
            seen: Vec::new(),
        }
    }

    /// Looks after this number of steps. What cannot be read is not known.
    pub(super) async fn look(&mut self, database: &Database, steps: usize) {
        let seen = match self.judge.look(database, self.fixture) {
            Some(looking) => looking.await.unwrap_or_default(),
            None => Vec::new(),
        };
        self.seen.resize(steps + 1, Vec::new());
        self.seen[steps] = seen;
    }

    /// What was stored after each row of the trace.
    pub(super) fn looks(self, trace: &Trace) -> Looks {
        let at = |steps: usize| self.seen.get(steps).cloned().unwrap_or_default();
        let rows = trace.rows.iter().enumerate();
        let after = rows.map(|(index, row)| {
            if is_changed_later(trace, index) {
                Vec::new()
            } else {
                at(row.after)
            }
        });
        Looks::Seen(at(0), after.collect())
    }
}

/// Whether another client, whose wait this step has ended, has stored something before the look:
/// then what was stored in between is not known.
fn is_changed_later(trace: &Trace, index: usize) -> bool {
    let row = &trace.rows[index];
    let later = trace.rows[index + 1..].iter();
    let mut of_the_same_step = later.take_while(|it| it.after == row.after);
    of_the_same_step.any(|it| {
        let resumes = matches!(it.what, What::Resumed(..));
        let is_open = trace.is_in_transaction(it.client, index);
        match it.step.action {
            Action::Commit => resumes,
            Action::Write => resumes && !is_open,
            Action::Begin
            | Action::Read
            | Action::Rollback
            | Action::Lock
            | Action::Unlock
            | Action::Think
            | Action::Pause
            | Action::Request
            | Action::Answer
            | Action::Outside => false,
        }
    })
}
