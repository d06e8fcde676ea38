//! How far a run has come, and what its requests brought.

use std::time::Instant;

use crate::answer::Answer;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The service answered and knows what is raced for.
    Probed,
    /// Every connection of a burst is open and warm; the release is next.
    Warm,
    /// A request was answered, or given up.
    Answered {
        /// The request's number, counted from 1.
        request: u32,
    },
}

/// What firing the requests brought, as it was observed.
#[derive(Debug)]
pub(crate) struct Volley {
    /// In any order.
    pub(crate) answers: Vec<Answer>,
    /// A burst's moments before its first release and after each.
    pub(crate) releases: Vec<Instant>,
}
