//! Why an order was not written, and what it left behind.

use crate::engine::Fault;
use crate::verdict::Outcome;

/// Why a strategy did not write an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Every attempt failed because of another client.
    GaveUp {
        /// How many there were.
        attempts: u32,
    },
    /// The engine refused.
    Engine(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault)
    }
}

/// Why an order was not acknowledged, and what it left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why it was not written.
    pub refusal: Refusal,
    /// What became of it; never [`Outcome::Applied`].
    pub outcome: Outcome,
}

impl From<Fault> for Failure {
    /// The failure of an order that had not begun yet.
    fn from(fault: Fault) -> Self {
        Self {
            refusal: fault.into(),
            outcome: Outcome::Refused,
        }
    }
}
