//! What the proxy has to say of connections: who was turned away, and what was not understood.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::ConnectionId;

/// What there is to say.
#[derive(Debug, Default)]
pub(super) struct Remarks(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    /// How many clients have connected.
    tries: u64,
    /// How many of them have got in.
    connections: u64,
    /// Why clients did not get in, each reason once.
    refused: BTreeSet<String>,
    others: BTreeSet<String>,
}

impl Remarks {
    fn said(&self) -> MutexGuard<'_, Said> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client has connected, and is not in yet.
    pub(super) fn tries(&self) {
        self.said().tries += 1;
    }

    /// A client is in.
    pub(super) fn connected(&self) {
        self.said().connections += 1;
    }

    /// A client did not get in.
    pub(super) fn refused(&self, why: &str) {
        tracing::warn!(why, "a client of the proxy was turned away");
        self.said().refused.insert(why.to_owned());
    }

    /// Nothing can be said of a connection any more.
    pub(super) fn opaque(&self, connection: ConnectionId, why: &str) {
        tracing::warn!(%connection, why, "a connection is only forwarded from here on");
        self.said().others.insert(format!(
            "the statements of a connection are not seen any more, because {why}"
        ));
    }

    /// An answer was too long to be held.
    pub(super) fn long_answer(&self, connection: ConnectionId) {
        tracing::debug!(%connection, "an answer is too long to be held");
        let words = "an answer was too long to be held: the application got its beginning at once";
        self.said().others.insert(words.to_owned());
    }

    /// A statement names another database.
    pub(super) fn elsewhere(&self, name: &str) {
        self.said().others.insert(format!(
            "a statement names the database {name}, which is neither brought back nor judged"
        ));
    }

    /// Connections could not be accepted for a while.
    pub(super) fn not_accepted(&self, error: &std::io::Error) {
        let words = format!("the proxy could not accept a connection: {error}");
        self.said().others.insert(words);
    }

    pub(super) fn count_of_tries(&self) -> u64 {
        self.said().tries
    }

    pub(super) fn connections(&self) -> u64 {
        self.said().connections
    }

    pub(super) fn refusals(&self) -> Vec<String> {
        self.said().refused.iter().cloned().collect()
    }

    pub(super) fn others(&self) -> Vec<String> {
        self.said().others.iter().cloned().collect()
    }
}
