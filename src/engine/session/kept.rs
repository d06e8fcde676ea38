//! What a session has left behind in the database, learned from each answer.

use super::Session;
use crate::engine::{Fault, FaultKind, Flavour};
use crate::step::Action;

/// What a session left behind in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing was written, or all of it was rolled back.
    Nothing,
    /// Something was committed, by a commit or by a statement in autocommit.
    Something,
    /// The connection broke before the answer to a commit came: this program cannot know.
    Unknown,
}

impl Session<'_> {
    /// What the session has left behind so far, if what is still open is rolled back.
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// Resets what was kept: what was committed so far is not part of the work that follows.
    pub fn count_anew(&mut self) {
        self.kept = Kept::Nothing;
    }

    /// Learns from a step that went well.
    pub(super) fn learn_from_success(&mut self, action: Action) {
        if action == Action::Write && self.commits_by_itself() {
            self.kept = Kept::Something;
        }
        if let (Action::Read | Action::Write, Some(transaction)) = (action, &mut self.transaction) {
            transaction.has_snapshot = true;
        }
    }

    /// Learns from a step that failed. A refusal leaves a connection that can be used, unless it
    /// says that the database is going down. Without an answer, an open transaction ends with its
    /// connection. A statement that commits by itself may have been kept before its answer was
    /// lost.
    pub(super) fn learn_from(&mut self, fault: &Fault, action: Action) {
        let is_answered = fault.is_an_answer();
        // A user's statement may be wrong by itself. That says nothing about its connection.
        let is_spoiled = fault.spoils_the_connection() && !self.state.is_a_users;
        self.is_broken |= !is_answered || is_spoiled;
        if self.may_have_kept(fault, action) {
            self.kept = Kept::Unknown;
        }
        if is_answered {
            self.learn_from_refusal(fault, action);
        }
    }

    fn may_have_kept(&self, fault: &Fault, action: Action) -> bool {
        match action {
            Action::Commit => !self.is_rolled_back() && fault.leaves_a_commit_in_doubt(),
            Action::Write => self.commits_by_itself() && !fault.is_an_answer(),
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
    }

    /// Learns what a refusal means for the open transaction.
    fn learn_from_refusal(&mut self, fault: &Fault, action: Action) {
        let is_over = self.ends_the_transaction(fault);
        let is_doomed = self.flavour.gives_up_transactions_whole();
        if is_doomed && action == Action::Commit {
            // A commit that is refused has rolled back. After any other step that is still to do.
            self.transaction = None;
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.is_rolled_back |= is_over;
            if is_doomed {
                transaction.refusal = Some(fault.clone());
            }
        }
    }

    fn is_rolled_back(&self) -> bool {
        let transaction = self.transaction.as_ref();
        transaction.is_some_and(|it| it.is_rolled_back)
    }

    /// Whether a write is kept as soon as it is done.
    fn commits_by_itself(&self) -> bool {
        self.transaction.is_none() || self.is_rolled_back()
    }

    /// Whether InnoDB has rolled the whole transaction back with this refusal, and not only the
    /// statement.
    fn ends_the_transaction(&self, fault: &Fault) -> bool {
        match self.flavour {
            Flavour::MySql | Flavour::MariaDb => {
                let timed_out = fault.kind == FaultKind::LockTimeout;
                fault.rolls_innodb_back() || (timed_out && self.rolls_back_on_timeout)
            }
            Flavour::Postgres | Flavour::Sqlite => false,
        }
    }
}
