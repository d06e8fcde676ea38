//! How a scenario is explored, whatever its file says.

use std::time::Duration;

/// What is asked of a scenario besides what its file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The number of clients. None leaves it to the file.
    pub clients: Option<usize>,
    /// Whether the commit of a writing statement in autocommit is a step of its own.
    pub split_commits: bool,
    /// Whether the runs happen in the database of the URL itself.
    pub in_place: bool,
    /// How long a client that sends a request may show no sign before it counts as waiting outside
    /// the database.
    pub settle: Duration,
    /// Whether reports show no value that an application has sent or got.
    pub hides_values: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clients: None,
            split_commits: false,
            in_place: false,
            settle: Self::SETTLE,
            hides_values: false,
        }
    }
}

impl Options {
    /// The usual [`settle`](Self::settle).
    pub const SETTLE: Duration = Duration::from_millis(500);
}
