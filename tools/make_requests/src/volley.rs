//! How far a run has come, and what its requests brought.

use std::time::Instant;

use crate::answers::Answers;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The service answered and knows what the requests race for.
    Probed,
    /// Every connection of a burst is open and warm. The release comes next.
    Warm,
    /// A request was answered, or the wait for its answer was given up.
    Answered {
        /// The request's number, counted from 1.
        request: u32,
    },
}

/// What firing the requests brought, as it was observed.
#[derive(Debug)]
pub(crate) struct Volley {
    pub(crate) answers: Answers,
    /// The moment before a burst's first release, and the moment after each.
    pub(crate) releases: Vec<Instant>,
}
