//! The step: one visible action of a strategy, and the observer that sees it before and after.
//!
//! A strategy is plain code. Every statement, commit and delay in it is a [`Step`], and an
//! [`Observer`] is called before and after each. The service's observer records a timeline. The
//! explorer's, and those of tests, decide which client moves next.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::Answer;
use crate::footprint::Footprint;

/// What kind of action a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A transaction begins.
    Begin,
    /// A statement that reads.
    Read,
    /// A statement that changes rows.
    Write,
    /// A transaction is committed.
    Commit,
    /// A transaction is given up.
    Rollback,
    /// A lock that is on no row is taken.
    Lock,
    /// A lock that is on no row is released.
    Unlock,
    /// Time passes without a statement: the lesson's delay.
    Think,
    /// Time passes between a lost attempt and the next one.
    Pause,
    /// A request is sent to an application, or a program is started.
    Request,
    /// The application has answered it, or the program has ended.
    Answer,
    /// The client waits for something outside the database.
    Outside,
}

impl Action {
    /// Whether it is no statement and touches nothing, so that it does not matter when it happens.
    pub fn is_beside_the_database(self) -> bool {
        matches!(
            self,
            Self::Think | Self::Pause | Self::Request | Self::Answer | Self::Outside
        )
    }
}

/// What a step and the other clients do to each other. Two neighbouring steps of different clients
/// without an effect on each other are *independent* in the sense of partial-order reduction: both
/// orders lead to the same end, and the explorer may leave one of them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Local: it touches nothing that others see or lock. Independent of every other step.
    Local,
    /// Read-only: it sees what others change, and neither changes, locks nor releases anything. Nor
    /// does a rollback, if the strategy gives up after it. Independent of other reads.
    Reads,
    /// It may change, lock or release something that others see or wait for. Always a safe answer
    /// for a step of which nothing is known.
    Conflicts,
}

/// A value bound to a placeholder of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Argument {
    /// An integer, as nearly all are.
    Integer(i64),
    /// A text.
    Text(String),
}

impl From<i64> for Argument {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Argument {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// As an SQL literal.
impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Text(value) => write!(f, "'{}'", value.replace('\'', "''")),
        }
    }
}

/// The values of one statement: `&[i64]` if all are integers, `[value.into(), …]` otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments(pub Vec<Argument>);

impl From<&[i64]> for Arguments {
    fn from(values: &[i64]) -> Self {
        Self(values.iter().copied().map(Argument::from).collect())
    }
}

impl<const N: usize> From<&[i64; N]> for Arguments {
    fn from(values: &[i64; N]) -> Self {
        values.as_slice().into()
    }
}

impl<const N: usize> From<[Argument; N]> for Arguments {
    fn from(values: [Argument; N]) -> Self {
        Self(values.into())
    }
}

/// One visible action of a strategy, before it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What kind of action it is.
    pub action: Action,
    /// A few words for people, e.g. `read value`.
    pub label: Cow<'static, str>,
    /// The statement as the engine gets it. None for a delay, and for a step on a file.
    pub sql: Option<Cow<'static, str>>,
    /// The values bound to the statement's placeholders, in order. For a step on a file, the rows
    /// it concerns.
    pub args: Vec<Argument>,
    /// What it and the other clients do to each other.
    pub effect: Effect,
    /// What it touches, for a finer answer than `effect` gives. None if it was not worked out.
    pub footprint: Option<Arc<Footprint>>,
    /// The line of code that runs it. None if no code of this program stands for it.
    pub at: Place,
}

impl Step {
    /// A step that is no statement and that no other client can notice.
    pub fn beside(action: Action, label: impl Into<Cow<'static, str>>) -> Self {
        Self {
            action,
            label: label.into(),
            sql: None,
            args: Vec::new(),
            effect: Effect::Local,
            footprint: None,
            at: None,
        }
    }
}

/// A line of this program's code.
pub type Place = Option<&'static Location<'static>>;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It was done, with the value that was read or written. None if it has no value to show.
    Done(Option<i64>),
    /// It was done and changed nothing: no row met its condition.
    MatchedNoRow,
    /// It was a statement of a user's, and the engine has answered it.
    Answered(Answer),
    /// The engine refused it.
    Failed {
        /// The kind of fault, as the API spells it, e.g. `lock_timeout`.
        kind: &'static str,
        /// The engine's own code.
        code: Option<String>,
        /// The refusal in words.
        refusal: String,
    },
}

/// One step that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What was done.
    pub step: Step,
    /// When it was sent to the engine.
    pub started: Instant,
    /// When the engine's answer had come. A wait for a lock lies between the two.
    pub ended: Instant,
    /// How it ended.
    pub ending: Ending,
}

/// A connection to the database that a client has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// When the client asked for one.
    pub asked: Instant,
    /// When it had one.
    pub got: Instant,
    /// The engine's number for it. None if the engine has no numbers, or did not tell.
    pub number: Option<i64>,
}

/// The future that [`Observer::before`] returns: the client is parked until it is done.
pub type Parked<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The future that [`Observer::held_up`] returns: true if the step is to be tried again.
pub type Turn<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Sees each step of one client, before and after it.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Called before a step, which happens when the future is done. Here a gate parks a client
    /// until it is this client's turn.
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a>;

    /// Called when another client's lock blocks the step and there is no engine's queue to wait in:
    /// on SQLite, or for a lock in the process. When the future is done, the step is tried again if
    /// it returns true, and given up otherwise. If the observer returns None, the session waits
    /// until the lock wait timeout.
    fn held_up<'a>(&'a self, _step: &'a Step) -> Option<Turn<'a>> {
        None
    }

    /// Called when the step has ended, well or not.
    fn after(&self, record: &Record);

    /// Called when the client has got a connection, before its first step on it.
    fn connected(&self, _connected: Connected) {}
}

/// The observer that records nothing and parks no client.
#[derive(Debug, Clone, Copy)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn before<'a>(&'a self, _step: &'a Step) -> Parked<'a> {
        Box::pin(std::future::ready(()))
    }

    fn after(&self, _record: &Record) {}
}
