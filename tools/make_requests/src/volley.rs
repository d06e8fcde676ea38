//! How far a run has come, and what its requests brought.

use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use crate::answer::{Answer, Outcome};
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
        /// Whether the service promised that the result is kept.
        is_acknowledged: bool,
    },
}

impl Progress {
    /// What there is to tell of an answer.
    pub(crate) fn of(answer: &Answer) -> Self {
        Self::Answered {
            request: answer.request,
            is_acknowledged: matches!(answer.outcome, Outcome::Acknowledged { .. }),
        }
    }
}

/// What firing the requests brought, as it was observed.
#[derive(Debug)]
pub(crate) struct Volley {
    pub(crate) answers: Answers,
    /// The moment before a burst's first release, and the moment after each.
    pub(crate) releases: Vec<Instant>,
}

/// How long a run that is stopped waits for the answers to the requests that are under way.
const PATIENCE: Duration = Duration::from_secs(2);

/// What ends a run before all its requests are answered.
pub(crate) struct Stop {
    asked: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// When the patience is over. None if the run was not stopped.
    deadline: Option<tokio::time::Instant>,
}

impl Stop {
    pub(crate) fn when(asked: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            asked: Box::pin(asked),
            deadline: None,
        }
    }

    pub(crate) fn never() -> Self {
        Self::when(pending())
    }

    /// Whether no further request may be released.
    pub(crate) fn is_asked(&self) -> bool {
        self.deadline.is_some()
    }

    /// Waits until no further request may be released. The next call waits until the patience with
    /// those under way is over.
    pub(crate) async fn next(&mut self) -> StopPhase {
        match self.deadline {
            None => {
                self.asked.as_mut().await;
                self.deadline = Some(tokio::time::Instant::now() + PATIENCE);
                StopPhase::NoFurtherRequest
            }
            Some(deadline) => {
                sleep_until(deadline).await;
                StopPhase::NoFurtherAnswer
            }
        }
    }
}

/// How far a run's stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopPhase {
    /// No further request may be released.
    NoFurtherRequest,
    /// No further answer is waited for.
    NoFurtherAnswer,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
