//! Whether the database has disk space left, as far as the instance knows.
//!
//! Asking takes a write, so the database is asked only if there is doubt. An engine without space
//! refuses. But MySQL may let a COMMIT wait for space, and then other clients wait for that
//! client's locks in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::problem::Problem;
use crate::accounts;
use crate::engine::{Database, Fault, FaultKind, Flavour};

/// How long to wait for the end of a trial write.
const TRIAL: Duration = Duration::from_secs(1);

/// What is known about the disk space of a database.
#[derive(Debug)]
pub(super) struct Room {
    is_in_doubt: AtomicBool,
    /// One trial at a time: if one waits in the server, each further one would wait too.
    trial: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            is_in_doubt: AtomicBool::new(false),
            trial: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Room {
    /// Learns from how a write ended. `problem` is None if it succeeded.
    pub(super) fn learn(&self, flavour: Flavour, problem: Option<&Problem>) {
        let Some(problem) = problem else {
            self.is_in_doubt.store(false, Ordering::Relaxed);
            return;
        };
        let waits_for_room = matches!(flavour, Flavour::MySql | Flavour::MariaDb);
        let raises_doubt = |fault: FaultKind| {
            fault.is_about_room() || (waits_for_room && fault == FaultKind::LockTimeout)
        };
        if problem.fault.is_some_and(raises_doubt) {
            self.is_in_doubt.store(true, Ordering::Relaxed);
        }
    }

    /// Tries a write if there is doubt.
    ///
    /// # Errors
    /// The database's refusal; or a fault that says that this write, or an earlier one, still
    /// waits.
    pub(super) async fn must_be_there(&self, database: &Database) -> Result<(), Fault> {
        if !self.is_in_doubt.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Ok(permit) = Arc::clone(&self.trial).try_acquire_owned() else {
            return Err(still_waiting());
        };
        let database = database.clone();
        let trial = tokio::spawn(async move {
            let _one_at_a_time = permit;
            database.write_and_remove(&accounts::WRITE_PROBE).await
        });
        match timeout(TRIAL, trial).await {
            Err(_elapsed) => Err(still_waiting()),
            Ok(Ok(Ok(()))) => {
                self.is_in_doubt.store(false, Ordering::Relaxed);
                Ok(())
            }
            Ok(Ok(Err(fault))) if fault.is_no_outcome() => Err(fault),
            // Another client was in the way: that says nothing about room.
            Ok(Ok(Err(_collision))) => Ok(()),
            Ok(Err(panic)) => Err(Fault::other(panic.to_string())),
        }
    }
}

fn still_waiting() -> Fault {
    Fault::unavailable(
        "a write to the database does not end; its disk may be full, or all of it may be locked",
    )
}
