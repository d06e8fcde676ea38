//! The session: one client's connection, on which every begin, statement and commit runs as a
//! labelled, observed [`Step`](crate::step::Step).
//!
//! - `statements`: reading and writing. `transactions`: beginning and ending.
//! - `verbatim`: statements of a user's.
//! - `locks`: locks that are on no row. `waiting`: waits, delays and pauses.
//! - `steps`: how a step is made and shown to the observer.
//! - `kept`: what is known to be committed, learned from each answer.
//!
//! A session that is dropped in the middle of something closes its connection instead of returning
//! it to the pool: an open transaction or half an answer must never meet the next client.

#[macro_use]
mod steps;
mod kept;
mod locks;
mod statements;
mod tracking;
mod transactions;
mod verbatim;
mod waiting;

use std::path::PathBuf;
use std::time::Duration;

use super::connection::{Connection, ConnectionId};
use super::named_lock::NamedLock;
use super::{Engine, Fault, Flavour, Isolation, Tracker};
use crate::step::{Observer, Place};
pub use kept::Kept;
pub(crate) use steps::shared_work;
use transactions::Transaction;
use verbatim::SessionState;
use waiting::Pacing;
pub(super) use waiting::pause_before;

/// One client's connection. See the module's documentation.
#[derive(Debug)]
pub struct Session<'s> {
    connection: Connection,
    pub(super) flavour: Flavour,
    /// The isolation level of a transaction that asks for no other.
    level: Isolation,
    /// Whether a lock wait that times out ends the transaction, and not only the statement.
    rolls_back_on_timeout: bool,
    observer: &'s dyn Observer,
    pacing: Pacing,
    /// How long to wait for a lock, if the engine leaves the waiting to its clients.
    lock_wait: Duration,
    /// SQLite: the file whose lock stands for every named lock.
    lock_file: Option<PathBuf>,
    /// The named lock that is held, if it does not end with its transaction.
    named_lock: Option<NamedLock>,
    /// The open transaction.
    transaction: Option<Transaction>,
    /// Whether a statement was sent whose answer was not read to the end.
    is_in_flight: bool,
    /// Whether the connection is of no further use.
    is_broken: bool,
    kept: Kept,
    /// The strategy's line that has called the work that is being done, if several strategies share
    /// that work.
    called_at: Place,
    /// What a user's statements have left in the session.
    state: SessionState,
    /// What a user's statements have touched. None if that is not followed.
    tracker: Option<Tracker>,
}

impl<'s> Session<'s> {
    pub(super) fn new(
        connection: Connection,
        engine: &Engine,
        lock_wait: Duration,
        observer: &'s dyn Observer,
    ) -> Self {
        Self {
            connection,
            flavour: engine.flavour,
            level: engine.isolation,
            rolls_back_on_timeout: engine.rolls_back_on_timeout,
            observer,
            pacing: Pacing::default(),
            lock_wait,
            lock_file: None,
            named_lock: None,
            transaction: None,
            is_in_flight: false,
            is_broken: false,
            kept: Kept::Nothing,
            called_at: None,
            state: SessionState::default(),
            tracker: None,
        }
    }

    /// Sets the file whose lock stands for every named lock.
    pub(super) fn with_lock_file(mut self, lock_file: PathBuf) -> Self {
        self.lock_file = Some(lock_file);
        self
    }

    /// Replaces the observer and returns the one before: for work that is to be done unobserved
    /// before a client's first step.
    pub fn swap_observer(&mut self, observer: &'s dyn Observer) -> &'s dyn Observer {
        std::mem::replace(&mut self.observer, observer)
    }

    /// The number by which the engine's lock tables know this connection. None on SQLite, which has
    /// no such tables. Not a step.
    pub async fn connection_id(&mut self) -> Result<Option<ConnectionId>, Fault> {
        if self.flavour == Flavour::Sqlite {
            return Ok(None);
        }
        if let Some(known) = self.connection.number() {
            return Ok(Some(known.into()));
        }
        self.is_in_flight = true;
        let number = self.connection.ask_number(self.flavour).await;
        self.is_in_flight = false;
        let number = number?;
        self.connection.set_number(number.0);
        Ok(Some(number))
    }

    /// Ends the session and says what was kept. It rolls back what is still open, and gives the
    /// connection back to the pool, or closes it if it is of no further use.
    pub async fn end(mut self) -> Kept {
        if !self.is_broken {
            // If this fails, the connection is closed, and the engine rolls back.
            let _ = self.rollback().await;
        }
        // Only now: the next client that gets the lock must see what was decided.
        if let Some(step) = self.unlock_step().filter(|_| !self.is_broken) {
            self.is_in_flight = true;
            self.unlock(step).await;
        }
        self.kept
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let is_clean = self.transaction.is_none()
            && self.named_lock.is_none()
            && !self.is_in_flight
            && !self.state.has_another_level
            && !self.is_broken;
        if is_clean {
            self.connection.give_back();
        }
    }
}
