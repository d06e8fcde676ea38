//! What a run says about its target.

use std::fmt;

use crate::run::Error;

/// What a run says about its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every deposit was acknowledged and nothing was lost.
    Safe,
    /// Nothing was lost, but somebody was turned away.
    Refused,
    /// The account's balance and its transactions drifted apart during the run.
    LostUpdate {
        /// By how much the balance fell behind; negative where it is too high.
        lost: i128,
    },
    /// The balance and the transactions agree, and both lack deposits that were acknowledged.
    LostDeposits {
        /// How many acknowledged deposits have no transaction.
        deposits: u64,
    },
    /// Nothing was lost, but deposits that were sent again were made again.
    DoubleDeposits {
        /// How many transactions there are more than requests that may have been kept.
        deposits: u64,
    },
    /// The run proves neither.
    CouldNotTell(Doubt),
}

/// Why a run proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The account could not be read afterwards.
    NoAudit(Error),
    /// Every request was answered with 404.
    UnknownTarget {
        /// Where the requests went.
        url: String,
        /// What the service said about it.
        detail: Option<String>,
    },
    /// Some requests brought no answer, or one that does not say whether they were kept.
    Unclear {
        /// How many.
        requests: usize,
    },
    /// Fewer deposits left a transaction than were acknowledged, in an account that somebody else has changed.
    Vanished {
        /// How many acknowledged deposits have no transaction.
        deposits: u64,
    },
    /// No deposit was acknowledged, so there was nothing to lose.
    NoneAcknowledged,
}

impl Verdict {
    /// The process's exit status: 0 nothing lost, 1 lost updates, lost deposits or double deposits found, 2 could not tell.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Safe | Self::Refused => 0,
            Self::LostUpdate { .. } | Self::LostDeposits { .. } | Self::DoubleDeposits { .. } => 1,
            Self::CouldNotTell(_) => 2,
        }
    }

    /// The verdict as one word for machines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Refused => "refused",
            Self::LostUpdate { .. } => "lost_update",
            Self::LostDeposits { .. } => "lost_deposits",
            Self::DoubleDeposits { .. } => "double_deposits",
            Self::CouldNotTell(_) => "could_not_tell",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safe => f.write_str("safe: every deposit was acknowledged and nothing was lost"),
            Self::Refused => f.write_str("refused: some were turned away, and nothing was lost"),
            Self::LostUpdate { lost } => {
                let (by, direction) =
                    (lost.unsigned_abs(), if *lost > 0 { "less" } else { "more" });
                write!(
                    f,
                    "lost update: the balance is {by} {direction} than the account's own \
                     transactions add up to"
                )
            }
            Self::LostDeposits { deposits } => write!(
                f,
                "lost deposits: {deposits} of the acknowledged deposits left no transaction, and \
                 the balance lacks them too: no audit can see that"
            ),
            Self::DoubleDeposits { deposits } => write!(
                f,
                "double deposits: {deposits} more transactions than requests, because what was \
                 sent again was made again"
            ),
            Self::CouldNotTell(doubt) => write!(f, "could not tell: {doubt}"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAudit(error) => {
                write!(f, "the account could not be read after the run: {error}")
            }
            Self::UnknownTarget { url, detail } => {
                write!(
                    f,
                    "the target is unknown: {url} answered 404 to every request"
                )?;
                detail
                    .iter()
                    .try_for_each(|detail| write!(f, " ({detail})"))
            }
            Self::Unclear { requests } => write!(
                f,
                "nothing was lost so far, but {requests} of the requests brought no clear answer"
            ),
            Self::Vanished { deposits } => write!(
                f,
                "{deposits} of the acknowledged deposits left no transaction in the account, and \
                 somebody has changed the account meanwhile: its opening balance is another, or \
                 it has fewer transactions than before"
            ),
            Self::NoneAcknowledged => {
                f.write_str("no deposit was acknowledged, so nothing could be lost")
            }
        }
    }
}
