//! A witness is told of each statement that was answered: as it was sent, with its values, and what
//! the session was like before and after it. It holds nothing up.

use std::fmt;
use std::time::Instant;

use crate::answer::{Answer, Datum};
use crate::engine::{ConnectionId, Fault};

/// Somebody who is told of all statements. It is called on the connection's own task, so it must
/// not wait for anything.
pub trait Witness: fmt::Debug + Send + Sync {
    /// A statement has come. Its answer follows, unless one side closes the connection first.
    fn came(&self, connection: ConnectionId, text: &str);

    /// A statement was answered.
    fn answered(&self, heard: Heard);

    /// The statements of this connection are not seen any more.
    fn lost_sight(&self, connection: ConnectionId, why: &str);
}

/// A statement that was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The server's number for the connection.
    pub connection: ConnectionId,
    /// What was sent.
    pub sent: Sent,
    /// The answer, or the refusal.
    pub answer: Result<Answer, Fault>,
    /// The first key that the engine has generated for it, if the answer says so. PostgreSQL
    /// returns it in a row.
    pub generated_key: Option<u64>,
    /// When it came.
    pub came: Instant,
    /// When it was answered.
    pub answered: Instant,
    /// The session when it came.
    pub before: SessionState,
    /// The session when it was answered.
    pub after: SessionState,
}

/// What a client has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The statement as it was prepared, or as it was sent, without a semicolon at its end.
    pub text: String,
    /// The values of its placeholders. Empty if it has none.
    pub arguments: Vec<Datum>,
    /// What is missing in it. None if it is whole.
    pub gap: Option<Gap>,
}

/// What is missing in a statement, so that it cannot be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// It was prepared when nobody was looking, so its text is not known.
    Unknown,
    /// Its text or a value was longer than what is kept.
    Cut,
    /// It was executed for several rows of values at once, which are not kept.
    Bulk,
    /// The client has sent a file or a stream with it.
    File,
    /// It was only to be prepared, and the server has refused that.
    Unprepared,
}

impl Gap {
    /// Why the statement cannot be sent again, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Unknown => "its text is not known",
            Self::Cut => "it is longer than what is kept of a statement",
            Self::Bulk => "it was executed for several rows of values at once",
            Self::File => "the client has sent a file with it",
            Self::Unprepared => "the server has refused to prepare it",
        }
    }
}

/// What a session is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionState {
    /// Whether a transaction is open. True if that is not certain.
    pub in_transaction: bool,
    /// Whether a statement outside a transaction commits by itself.
    pub autocommit: bool,
    /// How many sessions its connection has had before: a reset begins a new one.
    pub number: u32,
}

/// A statement that is under way, and what is known of it before its answer.
#[derive(Debug)]
pub(super) struct UnderWitness {
    pub(super) sent: Sent,
    pub(super) came: Instant,
    pub(super) before: SessionState,
    pub(super) generated_key: Option<u64>,
    /// Whether the session ends with it, and its transaction. No answer says so.
    pub(super) ends_the_session: bool,
    /// Whether it is told only if it was refused: it was to be prepared, and did not run.
    pub(super) is_preparation: bool,
}
