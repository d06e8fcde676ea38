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
    /// Every attempt failed because of another client.
    GaveUp {
        /// How many there were.
        attempts: u32,
    },
    /// Its idempotency key does not allow it.
    Key(keys::Conflict),
    /// The engine refused.
    Engine(Fault),
}

impl From<Fault> for Refusal {
    /// The only foreign key of the exhibit is a transaction's reference to its account. If it is
    /// violated, there is no such account.
    fn from(fault: Fault) -> Self {
        if fault.kind == FaultKind::ForeignKeyViolation {
            Self::UnknownAccount
        } else {
            Self::Engine(fault)
        }
    }
}

/// Why a deposit was not acknowledged, and what it left behind.
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

    /// The failure of a deposit that had not begun yet.
    pub(super) fn before_the_first_step(fault: Fault) -> Self {
        Self {
            refusal: fault.into(),
            outcome: Outcome::Refused,
        }
    }
}
