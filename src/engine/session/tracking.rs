//! What a user's statements touch.

use std::sync::Arc;

use super::Session;
use crate::answer::Answer;
use crate::engine::{Fault, SessionFacts, StatementReader, Tracker, UserStatement};
use crate::footprint::Footprint;

impl Session<'_> {
    /// Works out the [`footprint`](crate::step::Step::footprint) of each statement of a user's from
    /// here on. `commits_are_watched` if an invariant is asked after each commit.
    pub fn track(&mut self, reader: Arc<StatementReader>, commits_are_watched: bool) {
        self.tracker = Some(Tracker::new(reader, commits_are_watched));
    }

    /// What this statement is going to touch. None if that is not followed.
    pub(super) fn touches_of(&mut self, statement: &UserStatement) -> Option<Arc<Footprint>> {
        let now = self.session_facts();
        let tracker = self.tracker.as_mut()?;
        Some(Arc::new(tracker.before(statement, now)))
    }

    /// What the end of the session is going to touch. None if that is not followed.
    pub(super) fn touches_of_the_end(&mut self) -> Option<Arc<Footprint>> {
        let now = self.session_facts();
        let tracker = self.tracker.as_mut()?;
        Some(Arc::new(tracker.at_the_end(now)))
    }

    /// Follows what has become of a statement.
    pub(super) fn note_touches(
        &mut self,
        statement: &UserStatement,
        answer: &Result<Answer, Fault>,
    ) {
        let now = self.session_facts();
        if let Some(tracker) = &mut self.tracker {
            tracker.after(statement, answer.as_ref().ok(), now);
        }
    }

    /// Whether the session has lost track of its transaction.
    pub(super) fn is_lost_from_sight(&self) -> bool {
        self.tracker.as_ref().is_some_and(Tracker::is_lost)
    }

    /// What is known of the transaction, and of the locks beside it.
    pub(super) fn session_facts(&self) -> SessionFacts {
        let level = self.transaction.as_ref().map_or(self.level, |it| it.level);
        SessionFacts {
            // A higher level is at least as careful.
            level: self.state.highest_level.map_or(level, |it| it.max(level)),
            is_open: self.is_in_transaction() || self.state.autocommit_is_off,
            autocommit_is_off: self.state.autocommit_is_off,
            holds_locks: self.state.holds_locks(),
        }
    }
}
