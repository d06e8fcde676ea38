//! Statements of a user's: they go to the engine as they are, and what the session knows of its
//! transaction follows from their kinds.

use std::time::Instant;

use super::steps::{Text, sql_of};
use super::transactions::Transaction;
use super::{Kept, Session};
use crate::answer::{Answer, Datum};
use crate::engine::statement::{LocksByName, tokens};
use crate::engine::{Fault, Flavour, Isolation, StatementKind, UserStatement};
use crate::step::{Action, Effect, Ending, Record, Step};

/// What a user's statements have left in the session, besides the transaction.
#[derive(Debug, Default)]
pub(super) struct SessionState {
    /// A user's statement was run in it.
    pub(super) is_a_users: bool,
    /// The level that the connection had at first. None if it was not set.
    usual_level: Option<Isolation>,
    /// The connection may have another level than at first.
    pub(super) has_another_level: bool,
    /// The highest of the levels that a statement has set. None if it has set none.
    pub(super) highest_level: Option<Isolation>,
    /// Autocommit was switched off: a statement begins a transaction by itself.
    pub(super) autocommit_is_off: bool,
    /// Locks by name that do not end with the transaction, as far as the statements tell.
    locks: u32,
    /// Tables are locked, until they are unlocked or a transaction begins.
    tables_are_locked: bool,
}

impl SessionState {
    /// Whether it holds locks that do not end with the transaction.
    pub(super) fn holds_locks(&self) -> bool {
        self.locks > 0 || self.tables_are_locked
    }
}

impl Session<'_> {
    /// Runs one statement of a user's. It is a step with a letter, unless other clients cannot
    /// notice it.
    pub async fn verbatim(
        &mut self,
        label: impl Into<Text>,
        statement: &UserStatement,
    ) -> Result<Answer, Fault> {
        self.state.is_a_users = true;
        let kind = statement.kind;
        let step = Step {
            action: kind.action(),
            label: label.into(),
            sql: Some(statement.text.clone().into()),
            args: Vec::new(),
            effect: self.effect_of(statement),
            footprint: self.touches_of(statement),
            at: None,
        };
        let touches_nothing = step.footprint.as_ref().is_none_or(|it| it.is_empty());
        let is_noticed = kind == StatementKind::Compute && !touches_nothing;
        if kind.is_local() && !is_noticed {
            self.notice_level(statement);
            let answer = self.at_once(step).await;
            self.note_touches(statement, &answer);
            return answer;
        }
        let opens = self.state.autocommit_is_off && self.transaction.is_none();
        if opens && !matches!(kind, StatementKind::Commit | StatementKind::Rollback) {
            self.transaction = Some(Transaction::at(self.level));
        }
        let answer = self.ask(step).await;
        if let Ok(answer) = &answer {
            self.follow(statement, answer);
        }
        self.note_touches(statement, &answer);
        answer
    }

    /// Runs a statement that no schedule has a letter for: what the lab adds around a user's
    /// statement. The observer sees it when it is done.
    pub async fn unseen(&mut self, sql: &'static str) -> Result<(), Fault> {
        let statement = UserStatement::new(sql, self.flavour);
        let step = Step {
            action: statement.kind.action(),
            label: sql.into(),
            sql: Some(sql.into()),
            args: Vec::new(),
            effect: Effect::Local,
            footprint: self.touches_of(&statement),
            at: None,
        };
        let answer = self.at_once(step).await;
        if let Ok(answer) = &answer {
            self.follow(&statement, answer);
        }
        self.note_touches(&statement, &answer);
        answer.map(|_| ())
    }

    /// The names of the columns that a statement returns. Not a step.
    pub async fn columns_of(&mut self, sql: &str) -> Result<Vec<String>, Fault> {
        self.is_in_flight = true;
        let columns = self.connection.columns_of(sql).await;
        self.is_in_flight = false;
        columns
    }

    /// Sets the isolation level of this session's transactions. Not a step. The connection is given
    /// back only if it has its usual level again.
    pub async fn set_level(&mut self, level: Isolation) -> Result<(), Fault> {
        self.is_in_flight = true;
        let set = self.connection.answer(&self.flavour.set_level(level)).await;
        self.is_in_flight = false;
        let usual = *self.state.usual_level.get_or_insert(self.level);
        self.state.has_another_level = set.is_err() || level != usual;
        self.level = level;
        set.map(|_| ())
    }

    /// What a user's statement and the other clients do to each other. A plain begin takes neither
    /// a lock nor a snapshot; but InnoDB commits what was open.
    fn effect_of(&self, statement: &UserStatement) -> Effect {
        match statement.kind {
            StatementKind::Read if self.state.highest_level.is_some() => Effect::Conflicts,
            StatementKind::Read => self.effect_of_read(&statement.text),
            // MySQL releases the locks of LOCK TABLES as well.
            StatementKind::Begin(_)
                if self.transaction.is_none()
                    && !self.state.autocommit_is_off
                    && !self.is_lost_from_sight()
                    && !self.state.tables_are_locked
                    && statement.is_plain_begin(self.flavour) =>
            {
                Effect::Local
            }
            _ => Effect::Conflicts,
        }
    }

    /// Follows a statement that sets the isolation level.
    fn notice_level(&mut self, statement: &UserStatement) {
        if statement.sets_the_level(self.flavour) {
            let level = statement.level_in(self.flavour);
            let level = level.unwrap_or(Isolation::Serializable);
            self.state.highest_level = self.state.highest_level.max(Some(level));
        }
    }

    /// Whether a transaction is open that the engine has not ended by itself.
    pub fn is_in_transaction(&self) -> bool {
        let transaction = self.transaction.as_ref();
        transaction.is_some_and(|it| !it.is_rolled_back)
    }

    /// Whether this statement is going to commit a transaction. If it is not known whether one is
    /// open, it is taken to be so.
    pub fn is_going_to_commit(&self, statement: &UserStatement) -> bool {
        let kind = statement.kind;
        let is_open = self.session_facts().is_open;
        kind.ends_in_a_commit(self.flavour, is_open)
            || self.is_lost_from_sight() && kind.ends_in_a_commit(self.flavour, !is_open)
    }

    /// The refusal for which the open transaction can only be rolled back. None if it can be
    /// committed.
    pub fn doomed_by(&self) -> Option<&Fault> {
        self.transaction.as_ref()?.refusal.as_ref()
    }

    /// Ends what is still open, as the engine does for a client that disconnects: the transaction,
    /// and locks that are the session's. It is a step if there is something to end.
    pub async fn disconnect(&mut self, label: impl Into<Text>) -> Result<(), Fault> {
        let is_open = self.is_in_transaction() || self.state.holds_locks();
        if self.is_broken || !is_open {
            self.transaction = None;
            return Ok(());
        }
        let step = Step {
            action: Action::Rollback,
            label: label.into(),
            sql: Some(self.flavour.end_of_session(self.state.holds_locks()).into()),
            args: Vec::new(),
            effect: Effect::Conflicts,
            footprint: self.touches_of_the_end(),
            at: None,
        };
        self.ask(step).await?;
        self.transaction = None;
        self.state.locks = 0;
        self.state.tables_are_locked = false;
        Ok(())
    }

    /// Whether the connection is lost: the server has ended it, or does not answer on it.
    pub fn is_lost(&self) -> bool {
        self.is_broken
    }

    /// Closes the connection instead of returning it to the pool: what a user's statements have set
    /// for the session must not meet the next client. Waits until it is closed, because the
    /// last one to close a file of SQLite's locks it for a moment.
    pub async fn close(mut self) {
        if !self.is_broken {
            self.is_broken = true;
            self.connection.hang_up().await;
        }
    }

    async fn at_once(&mut self, step: Step) -> Result<Answer, Fault> {
        let started = Instant::now();
        self.is_in_flight = true;
        let answer = self.connection.answer(sql_of(&step)).await;
        self.is_in_flight = false;
        if let Err(fault) = &answer {
            self.learn_from(fault, step.action);
        }
        self.observer.after(&Record {
            ending: match &answer {
                Ok(answer) => Ending::Answered(answer.clone()),
                Err(fault) => self.refusal(fault),
            },
            step,
            started,
            ended: Instant::now(),
        });
        answer
    }

    async fn ask(&mut self, step: Step) -> Result<Answer, Fault> {
        perform_step!(
            self,
            step,
            self.connection.answer(sql_of(&step)),
            |answer: &Answer| Ending::Answered(answer.clone())
        )
    }

    /// Follows what a statement that went well has done to the transaction.
    fn follow(&mut self, statement: &UserStatement, answer: &Answer) {
        let kind = statement.kind;
        if kind.commits(self.flavour) {
            self.note_commit(kind);
        }
        match kind {
            StatementKind::Begin(level) => {
                self.state.tables_are_locked = false;
                let is_open = self.transaction.is_some() && self.flavour == Flavour::Postgres;
                if is_open {
                    // It warns, and takes the level all the same.
                    self.state.highest_level = self.state.highest_level.max(level);
                } else {
                    self.transaction = Some(Transaction::at(level.unwrap_or(self.level)));
                }
            }
            StatementKind::Commit | StatementKind::Rollback => {
                let chains = is_chained(statement, self.flavour);
                let level = self.transaction.as_ref().map_or(self.level, |it| it.level);
                self.transaction = chains.then(|| Transaction::at(level));
            }
            StatementKind::Schema if kind.commits(self.flavour) => {
                self.transaction = None;
                self.kept = Kept::Something;
            }
            StatementKind::LockTables => {
                self.transaction = None;
                self.state.tables_are_locked = true;
            }
            StatementKind::UnlockTables => self.state.tables_are_locked = false,
            StatementKind::Write => self.notice_autocommit(statement),
            StatementKind::Savepoint
            | StatementKind::Read
            | StatementKind::LockingRead
            | StatementKind::Schema
            | StatementKind::Compute
            | StatementKind::Setting => {}
        }
        self.notice_locks(statement, answer);
        // PostgreSQL does nothing well in a transaction that it has given up, except for going back
        // to a savepoint.
        if let Some(transaction) = &mut self.transaction {
            transaction.refusal = None;
        }
    }

    fn note_commit(&mut self, kind: StatementKind) {
        let Some(transaction) = &self.transaction else {
            return;
        };
        let is_kept = !transaction.is_rolled_back && transaction.refusal.is_none();
        // A transaction that has done nothing leaves nothing behind.
        if is_kept && (kind == StatementKind::Commit || transaction.has_snapshot) {
            self.kept = Kept::Something;
        }
    }

    /// Counts locks by name, which outlive the transaction.
    fn notice_locks(&mut self, statement: &UserStatement, answer: &Answer) {
        let first = answer.rows.first().and_then(|row| row.first());
        let was_denied = first.is_some_and(|it| ["0", "f"].contains(&it.to_string().as_str()))
            || first == Some(&Datum::Null);
        if was_denied {
            return;
        }
        match statement.locks_by_name(self.flavour) {
            Some(LocksByName::Taken) => self.state.locks += 1,
            Some(LocksByName::Released) => self.state.locks = self.state.locks.saturating_sub(1),
            Some(LocksByName::AllReleased) => self.state.locks = 0,
            None => {}
        }
    }

    /// Follows `SET autocommit = …`.
    fn notice_autocommit(&mut self, statement: &UserStatement) {
        let Some(is_on) = statement.sets_autocommit(self.flavour) else {
            return;
        };
        self.state.autocommit_is_off = !is_on;
        if is_on {
            // Switching it on commits what is open.
            self.note_commit(StatementKind::Commit);
            self.transaction = None;
        }
    }
}

/// Whether the next transaction begins at once: `COMMIT AND CHAIN`.
fn is_chained(statement: &UserStatement, flavour: Flavour) -> bool {
    let words = tokens(&statement.text, flavour);
    let at = words.iter().position(|it| it.is("CHAIN"));
    at.is_some_and(|at| at > 0 && !words[at - 1].is("NO"))
}
