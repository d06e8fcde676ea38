//! One connection of the application's: its transaction, its level, and what it has touched.

use std::sync::Arc;

use super::seats::{OwnClient, Owner};
use super::witness::SessionState;
use crate::answer::Answer;
use crate::engine::{
    ConnectionId, Fault, Flavour, Isolation, SessionFacts, StatementKind, StatementReader, Tracker,
    UserStatement,
};
use crate::footprint::Footprint;
use crate::step::Effect;

/// What is known of one connection. The server says most of it in its answers.
#[derive(Debug)]
pub(super) struct Link {
    /// The server's number for it.
    pub(super) id: ConnectionId,
    /// Whether a transaction is open. None after a refusal, which does not say so.
    pub(super) in_transaction: Option<bool>,
    pub(super) autocommit: bool,
    /// Whether the server's answers say if statements commit by themselves. If new sessions have
    /// that off, MySQL's answers say that it is on, until a session has really switched it on.
    is_autocommit_said: bool,
    level: Isolation,
    /// How many sessions the connection has had before.
    number: u32,
    flavour: Flavour,
    default_level: Isolation,
    default_autocommit: bool,
    /// LOCK TABLES holds.
    holds_locks: bool,
    /// It is not known what its statements have set or done.
    is_lost: bool,
    /// Whose the open transaction is, and in which run.
    transaction_of: Option<(u64, Owner)>,
    /// Whether the open transaction may have changed something.
    has_changed: bool,
    /// What was touched in a run, and in which.
    tracker: Option<(u64, Tracker)>,
    /// The client whose connection it is. None if several may use it.
    own: Option<OwnClient>,
}

impl Link {
    pub(super) fn new(
        id: ConnectionId,
        flavour: Flavour,
        (level, autocommit): (Isolation, bool),
        own: Option<OwnClient>,
    ) -> Self {
        Self {
            id,
            own,
            in_transaction: Some(false),
            autocommit,
            is_autocommit_said: autocommit,
            level,
            number: 0,
            default_level: level,
            default_autocommit: autocommit,
            holds_locks: false,
            is_lost: false,
            has_changed: false,
            flavour,
            transaction_of: None,
            tracker: None,
        }
    }

    /// Whether a transaction may be open.
    pub(super) fn may_be_in_transaction(&self) -> bool {
        self.in_transaction.unwrap_or(true)
    }

    /// What the session is like, for a witness.
    pub(super) fn state(&self) -> SessionState {
        SessionState {
            in_transaction: self.may_be_in_transaction(),
            autocommit: self.autocommit,
            number: self.number,
        }
    }

    /// Whether the end of the session would give something free.
    pub(super) fn holds_something(&self) -> bool {
        self.may_be_in_transaction() || self.holds_locks
    }

    /// Whether it is the connection of one client alone.
    pub(super) fn is_of_one_client(&self) -> bool {
        self.own.is_some()
    }

    /// Whose the connection is in this run, or its open transaction. None if that is not certain:
    /// if no transaction is open, or if it began before this run.
    pub(super) fn owner(&self, run: u64) -> Option<Owner> {
        if let Some(own) = self.own {
            return (own.run == run).then_some(Owner::Client(own.client));
        }
        let owner = self.transaction_of.filter(|(it, _)| *it == run);
        owner
            .filter(|_| self.may_be_in_transaction())
            .map(|(_, owner)| owner)
    }

    /// What comes next in this transaction belongs to this owner.
    pub(super) fn belongs_to(&mut self, run: u64, owner: Owner) {
        self.transaction_of = Some((run, owner));
    }

    /// Whether the statement touches nothing that others could notice: a schedule has no letter for
    /// it.
    pub(super) fn is_local(&self, statement: &UserStatement) -> bool {
        let switches = statement.sets_autocommit(self.flavour).is_some();
        let is_one = !statement.is_several(self.flavour);
        is_one && (statement.kind.is_local() || switches && !self.may_be_in_transaction())
    }

    /// What others can notice of the statement.
    pub(super) fn effect(&self, statement: &UserStatement) -> Effect {
        let begins = statement.is_plain_begin(self.flavour)
            && !statement.is_several(self.flavour)
            && !self.may_be_in_transaction()
            && !self.holds_locks;
        if begins {
            Effect::Local
        } else {
            Effect::Conflicts
        }
    }

    fn facts(&self) -> SessionFacts {
        SessionFacts {
            level: self.level,
            is_open: self.may_be_in_transaction() || !self.autocommit,
            // The server says in each answer whether a transaction is open.
            autocommit_is_off: false,
            holds_locks: self.holds_locks,
        }
    }

    /// What the statement is going to touch. None if nothing reads statements here.
    pub(super) fn touches(
        &mut self,
        run: u64,
        reader: Option<&Arc<StatementReader>>,
        commits_are_watched: bool,
        statement: &UserStatement,
    ) -> Option<Arc<Footprint>> {
        self.is_lost |= statement.is_several(self.flavour);
        let reader = reader.filter(|_| !self.is_lost)?;
        let facts = self.facts();
        if self.tracker.as_ref().is_none_or(|(it, _)| *it != run) {
            let tracker = Tracker::new(Arc::clone(reader), commits_are_watched);
            self.tracker = Some((run, tracker));
        }
        let (_, tracker) = self.tracker.as_mut()?;
        Some(Arc::new(tracker.before(statement, facts)))
    }

    /// Follows what a statement has led to: whether it has changed something for good.
    ///
    /// An error does not say whether the transaction is still open. It is, unless the engine is
    /// known to roll everything back with it.
    pub(super) fn follow(
        &mut self,
        statement: &UserStatement,
        answered: Result<&Answer, &Fault>,
        in_transaction: Option<bool>,
        autocommit: bool,
    ) -> bool {
        match answered {
            Ok(answer) => {
                self.has_changed |= statement.may_have_changed(answer.row_count, self.flavour)
                    || statement.is_several(self.flavour);
                match statement.kind {
                    StatementKind::LockTables => self.holds_locks = true,
                    StatementKind::UnlockTables | StatementKind::Begin(_) => {
                        self.holds_locks = false;
                    }
                    StatementKind::Rollback => self.has_changed = false,
                    _ => {}
                }
                if let Some(is_on) = statement.sets_autocommit(self.flavour) {
                    self.autocommit = is_on;
                    self.is_autocommit_said |= is_on;
                }
                if statement.sets_the_level(self.flavour) {
                    self.follow_level(statement);
                } else if matches!(statement.kind, StatementKind::Begin(_))
                    && let Some(level) = statement.level_in(self.flavour)
                {
                    // PostgreSQL's BEGIN may name the level of its transaction.
                    self.level = self.level.max(level);
                }
                self.follow_session(in_transaction, autocommit);
            }
            Err(fault) if self.flavour.is_innodb() && fault.rolls_innodb_back() => {
                self.follow_session(Some(false), autocommit);
                self.has_changed = false;
            }
            Err(_) => {
                self.follow_session(in_transaction, autocommit);
                // PostgreSQL has rolled back all that was not committed.
                self.has_changed &= in_transaction != Some(false);
            }
        }
        let facts = self.facts();
        if let Some((_, tracker)) = &mut self.tracker {
            tracker.after(statement, answered.ok(), facts);
        }
        self.in_transaction == Some(false) && std::mem::take(&mut self.has_changed)
    }

    /// The session begins anew on this connection.
    pub(super) fn begins_anew(&mut self) {
        let number = self.number.saturating_add(1);
        let defaults = (self.default_level, self.default_autocommit);
        *self = Self::new(self.id, self.flavour, defaults, self.own);
        self.number = number;
    }

    /// Follows what the server says of the session. An error does not say whether the transaction
    /// is still open: it is.
    pub(super) fn follow_session(&mut self, in_transaction: Option<bool>, autocommit: bool) {
        self.in_transaction = in_transaction.or(self.in_transaction);
        if self.is_autocommit_said {
            self.autocommit = autocommit;
        }
        if self.in_transaction == Some(false) {
            self.transaction_of = None;
        }
    }

    /// A level that is set for one transaction alone counts from here on if it is higher:
    /// footprints are larger at a higher level.
    fn follow_level(&mut self, statement: &UserStatement) {
        let named = statement.level_in(self.flavour);
        let level = named.unwrap_or(Isolation::Serializable);
        // The shape has no comments.
        let shape = statement.shape(self.flavour).to_ascii_uppercase();
        let is_for_all = shape
            .split(|it: char| !it.is_alphanumeric())
            .any(|it| it == "SESSION");
        self.level = match (named, is_for_all) {
            (Some(level), true) => level,
            _ => self.level.max(level),
        };
    }

    /// The level of its transactions, as far as its statements tell.
    pub(super) fn level(&self) -> Isolation {
        self.level
    }

    /// Whether this statement begins a transaction, and does nothing else.
    pub(super) fn begins(&self, statement: &UserStatement) -> bool {
        let is_begin = matches!(statement.kind, StatementKind::Begin(_));
        is_begin && !statement.is_several(self.flavour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_autocommit_the_status_counts_from_the_first_setting_on() {
        let level = Isolation::RepeatableRead;
        let mut link = Link::new(ConnectionId::from(1), Flavour::MySql, (level, false), None);
        let send = |link: &mut Link, text: &str, is_open, autocommit| {
            let statement = UserStatement::new(text, Flavour::MySql);
            link.follow(
                &statement,
                Ok(&Answer::default()),
                Some(is_open),
                autocommit,
            );
            link.state().autocommit
        };
        assert!(!send(&mut link, "UPDATE t SET v = 1", true, true));
        assert!(!send(&mut link, "COMMIT", false, true));
        assert!(!send(&mut link, "SET autocommit = 0", false, true));
        assert!(!send(&mut link, "UPDATE t SET v = 1", true, true));
        assert!(send(&mut link, "SET autocommit = 1", false, true));
        assert!(send(&mut link, "UPDATE t SET v = 1", false, true));
        link.begins_anew();
        assert!(!link.state().autocommit);
    }

    #[test]
    fn a_reset_connection_has_another_session_that_has_set_nothing() {
        let flavour = Flavour::MySql;
        let mut link = Link::new(
            ConnectionId::from(1),
            flavour,
            (Isolation::RepeatableRead, true),
            None,
        );
        let set = "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE";
        let set = UserStatement::new(set, flavour);
        link.follow(&set, Ok(&Answer::default()), Some(false), true);
        assert_eq!(
            (link.level(), link.state().number),
            (Isolation::Serializable, 0)
        );
        link.begins_anew();
        assert_eq!(
            (link.level(), link.state().number),
            (Isolation::RepeatableRead, 1)
        );
        link.begins_anew();
        assert_eq!(link.state().number, 2);
    }
}
