//! Joining the tasks of a run.

use std::panic::resume_unwind;

use tokio::task::JoinError;

/// The result of a task that nobody aborts. A panic in it goes on here.
pub(crate) fn joined<T>(finished: Result<T, JoinError>) -> T {
    finished.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
