//! Joining the tasks of a run.

use std::panic::resume_unwind;

use tokio::task::JoinError;

/// The result of a task. A panic in it continues here. The task must not have been aborted.
pub(crate) fn joined<T>(finished: Result<T, JoinError>) -> T {
    finished.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
