//! Whether the database has room for a write, as far as the instance knows.
//!
//! It is asked only where it is in doubt, because asking takes a write. An engine that has no room
//! refuses; but MySQL may keep the COMMIT waiting for room, and then others wait for that client's
//! locks in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::problem::Problem;
use crate::accounts;
use crate::engine::{Database, Fault, FaultKind, Flavour};

/// How long a trial's end is waited for.
const TRIAL: Duration = Duration::from_secs(1);

/// What is known about the room in a database.
#[derive(Debug)]
pub(super) struct Room {
    is_in_doubt: AtomicBool,
    /// One trial at a time: where one waits in the server, each further one would as well.
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
    /// Learns from how a write ended. `problem` is None if it was made.
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

    /// Tries a write where room is in doubt.
    ///
    /// # Errors
    /// As the database refuses; or that the write, or an earlier one, has not come to its end.
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
        "the database takes a write and does not come to its end; its disk may be full, or something \
         has locked it as a whole",
    )
}
