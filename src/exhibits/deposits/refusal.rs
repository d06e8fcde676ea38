//! Why a deposit was not made, and what it left behind.

use super::keys;
use crate::engine::{Fault, FaultKind, Kept};
use crate::verdict::Outcome;

/// Why a strategy did not make a deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such account.
    UnknownAccount,
    /// The balance plus the amount is more than a BIGINT holds.
    Overflow {
        /// What the account was found to hold.
        balance: i128,
    },
    /// Every attempt was lost to somebody else.
    GaveUp {
        /// How many there were.
        attempts: u32,
    },
    /// The key under which it was to be made once does not allow it.
    Key(keys::Conflict),
    /// The engine refused.
    Engine(Fault),
}

impl From<Fault> for Refusal {
    /// The one foreign key of the exhibit is a transaction's, and what it lacks then is its account.
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::ForeignKeyViolation => Self::UnknownAccount,
            _ => Self::Engine(fault),
        }
    }
}

/// A deposit that was not acknowledged: why, and what it left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why it was not made.
    pub refusal: Refusal,
    /// What became of it; never [`Outcome::Applied`].
    pub outcome: Outcome,
}

impl Failure {
    pub(super) fn new(refusal: Refusal, kept: Kept) -> Self {
        Self {
            refusal,
            outcome: Outcome::of_what_was_kept(kept),
        }
    }

    /// A deposit for which nothing was begun.
    pub(super) fn before_the_first_step(fault: Fault) -> Self {
        Self {
            refusal: fault.into(),
            outcome: Outcome::Refused,
        }
    }
}
