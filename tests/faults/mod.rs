//! Refusals that need arranging: timeouts, lost connections, overflow; and what they leave behind.

mod books;
mod migrations;
mod opening;
mod refusals;
mod transactions;

use std::time::Duration;

use racy::engine::{FaultKind, Settings};
use racy::exhibits::deposits::{Failure, Refusal};

fn engine_fault(failure: &Failure) -> FaultKind {
    match &failure.refusal {
        Refusal::Engine(fault) => fault.kind,
        other => panic!("not the engine's refusal: {other:?}"),
    }
}

/// The shortest lock wait timeout.
fn impatient() -> Settings {
    Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    }
}

/// PostgreSQL looks for a deadlock when a client has waited for a while, which is short here.
fn quick_to_find_deadlocks() -> Settings {
    Settings {
        deadlock_timeout: Some(Duration::from_millis(10)),
        ..Settings::default()
    }
}
