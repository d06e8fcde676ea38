//! Why an order was not written, and what it left behind.

use crate::engine::Fault;
use crate::verdict::Outcome;

/// Why a strategy did not write an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Every attempt was lost to somebody else.
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

/// An order that was not acknowledged: why, and what it left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why it was not written.
    pub refusal: Refusal,
    /// What became of it; never [`Outcome::Applied`].
    pub outcome: Outcome,
}

impl From<Fault> for Failure {
    /// A fault before anything was begun.
    fn from(fault: Fault) -> Self {
        Self {
            refusal: fault.into(),
            outcome: Outcome::Refused,
        }
    }
}
