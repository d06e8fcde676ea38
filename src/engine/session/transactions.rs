//! Beginning and ending transactions.

use std::time::Instant;

use super::steps::{done, sql_of};
use super::{Kept, Session};
use crate::engine::{Fault, Isolation};
use crate::step::{Action, Effect, Step};

/// The open transaction, as far as the session knows it.
#[derive(Debug)]
pub(super) struct Transaction {
    /// Its isolation level.
    pub(super) level: Isolation,
    /// Whether it has read or written, so that it sees the database as it was then.
    pub(super) has_snapshot: bool,
    /// Whether the engine has rolled it back without being asked. What is sent afterwards commits
    /// by itself, whether the strategy knows it or not.
    pub(super) is_rolled_back: bool,
    /// The refusal for which the engine will undo it, whatever is sent.
    pub(super) refusal: Option<Fault>,
}

impl Transaction {
    /// A transaction that has just begun.
    pub(super) fn at(level: Isolation) -> Self {
        Self {
            level,
            has_snapshot: false,
            is_rolled_back: false,
            refusal: None,
        }
    }
}

impl Session<'_> {
    /// Begins a transaction.
    #[track_caller]
    pub fn begin(&mut self) -> impl Future<Output = Result<(), Fault>> {
        self.begin_with(self.flavour.begin(), Effect::Local, self.level)
    }

    /// Begins a transaction at this isolation level instead of the session's. SQLite has only one.
    #[track_caller]
    pub fn begin_at(&mut self, level: Isolation) -> impl Future<Output = Result<(), Fault>> {
        self.begin_with(self.flavour.begin_at(level), Effect::Local, level)
    }

    /// Begins a transaction that only reads. All its reads see one snapshot, whatever the session's
    /// level is.
    #[track_caller]
    pub fn begin_snapshot(&mut self) -> impl Future<Output = Result<(), Fault>> {
        let level = Isolation::RepeatableRead;
        self.begin_with(self.flavour.begin_snapshot(), Effect::Local, level)
    }

    /// Begins a transaction whose reads will lock: row by row if the engine can, or else the whole
    /// database at once (SQLite).
    ///
    /// # Errors
    /// SQLite may be busy for longer than the lock wait timeout.
    #[track_caller]
    pub fn begin_for_update(&mut self) -> impl Future<Output = Result<(), Fault>> {
        let sql = self.flavour.begin_for_update();
        // A plain begin takes no lock and no snapshot on any engine.
        let effect = if sql == self.flavour.begin() {
            Effect::Local
        } else {
            Effect::Conflicts
        };
        self.begin_with(sql, effect, self.level)
    }

    #[track_caller]
    pub(in crate::engine) fn begin_with(
        &mut self,
        sql: &'static str,
        effect: Effect,
        level: Isolation,
    ) -> impl Future<Output = Result<(), Fault>> {
        let step = self.statement(Action::Begin, "begin", sql, &[], effect);
        async move {
            self.command(step).await?;
            self.transaction = Some(Transaction::at(level));
            Ok(())
        }
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// If the connection breaks, it is [unknown](Kept::Unknown) whether the transaction was kept.
    ///
    /// InnoDB rolls a deadlock's victim back. A later COMMIT succeeds, and commits nothing.
    /// PostgreSQL would do the same after any refusal, and answer "ROLLBACK", which reads like
    /// success. So nothing is sent there, and the earlier refusal is returned again.
    #[track_caller]
    pub fn commit(&mut self) -> impl Future<Output = Result<(), Fault>> {
        let effect = Effect::Conflicts;
        let step = self.statement(Action::Commit, "commit", "COMMIT", &[], effect);
        async move {
            let transaction = self.transaction.as_ref();
            if let Some(refusal) = transaction.and_then(|it| it.refusal.as_ref()) {
                return Err(refusal.clone());
            }
            let is_rolled_back = transaction.is_some_and(|it| it.is_rolled_back);
            self.command(step).await?;
            if !is_rolled_back {
                self.kept = Kept::Something;
            }
            self.transaction = None;
            Ok(())
        }
    }

    /// Rolls the open transaction back, if there is one. Afterwards the session is as good as new:
    /// an earlier refusal is forgotten, and the next transaction gets a snapshot of its own.
    ///
    /// A strategy needs it after a lock timeout, which on InnoDB ends only the statement.
    ///
    /// It is recorded as a step, but the observer cannot hold it up: it belongs to the refusal that
    /// made it necessary.
    ///
    /// # Errors
    /// The session is of no further use then.
    #[track_caller]
    pub fn rollback(&mut self) -> impl Future<Output = Result<(), Fault>> {
        let effect = Effect::Conflicts;
        let step = self.statement(Action::Rollback, "rollback", "ROLLBACK", &[], effect);
        async move {
            if self.transaction.is_none() {
                return Ok(());
            }
            self.is_in_flight = true;
            let started = Instant::now();
            let result = self.connection.command(sql_of(&step)).await;
            self.after(step, started, &result, done);
            match &result {
                Ok(()) => self.transaction = None,
                Err(_) => self.is_broken = true,
            }
            result
        }
    }

    async fn command(&mut self, step: Step) -> Result<(), Fault> {
        perform_step!(self, step, self.connection.command(sql_of(&step)), done)
    }

    /// Whether the open transaction has read or written.
    pub(super) fn has_snapshot(&self) -> bool {
        self.transaction.as_ref().is_some_and(|it| it.has_snapshot)
    }
}
