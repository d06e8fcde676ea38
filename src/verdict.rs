//! What became of one client, its outcome; and of all that ran together, the verdict.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{FaultKind, Kept};

/// What became of what one client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was made.
    Applied,
    /// The engine or the strategy said no, and nothing was kept.
    Refused,
    /// It failed half way, and what it had written in autocommit was kept.
    Partial,
    /// The answer to its commit was lost: it may have been made or not.
    Unknown,
}

impl Outcome {
    /// What became of work that was not acknowledged, by what it left behind.
    pub fn of_what_was_kept(kept: Kept) -> Self {
        match kept {
            Kept::Nothing => Self::Refused,
            Kept::Something => Self::Partial,
            Kept::Unknown => Self::Unknown,
        }
    }

    /// The outcome as the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
        }
    }
}

/// How one run of several clients ended, judged by the exhibit's invariant. The worst that happened in it is the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(tag = "verdict", content = "fault", rename_all = "snake_case")]
pub enum Verdict {
    /// An acknowledged deposit is missing from the balance (P4).
    LostUpdate,
    /// Nothing acknowledged is missing, but balance and records disagree: part of what was refused was
    /// kept, or money came from nothing.
    Unbalanced,
    /// The books are right, but a client has read parts of them that never were together (A5A).
    ReadSkew,
    /// Two orders have the same number, and with it the same lines.
    DuplicateNumber,
    /// Under an order's number there are lines of another one.
    MixedOrder,
    /// An order lacks lines.
    IncompleteOrder,
    /// The books are right, but an order was shipped before all of its lines were there.
    ShippedIncomplete,
    /// An export that was said to be ready, or was downloaded, has rows of several.
    MixedExport,
    /// An export that was said to be ready, or was downloaded, is not whole: it cannot be parsed, or rows
    /// are missing or out of order.
    BrokenExport,
    /// Nothing was lost, but the engine turned a client away.
    Refused(FaultKind),
    /// Nothing was lost, but the strategy itself turned a client away.
    Declined,
    /// Every client was served and nothing was lost.
    Safe,
}

impl Verdict {
    /// Whether the exhibit's invariant was broken, in the books or in what somebody read of them.
    pub fn is_anomaly(self) -> bool {
        match self {
            Self::LostUpdate
            | Self::Unbalanced
            | Self::ReadSkew
            | Self::DuplicateNumber
            | Self::MixedOrder
            | Self::IncompleteOrder
            | Self::ShippedIncomplete
            | Self::MixedExport
            | Self::BrokenExport => true,
            Self::Refused(_) | Self::Declined | Self::Safe => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LostUpdate => f.write_str("lost update"),
            Self::Unbalanced => f.write_str("books out of balance"),
            Self::ReadSkew => f.write_str("read skew"),
            Self::DuplicateNumber => f.write_str("duplicate order number"),
            Self::MixedOrder => f.write_str("mixed order"),
            Self::IncompleteOrder => f.write_str("incomplete order"),
            Self::ShippedIncomplete => f.write_str("shipped incomplete"),
            Self::MixedExport => f.write_str("mixed export"),
            Self::BrokenExport => f.write_str("broken export"),
            Self::Refused(fault) => write!(f, "refused: {fault}"),
            Self::Declined => f.write_str("declined by the strategy"),
            Self::Safe => f.write_str("safe"),
        }
    }
}
