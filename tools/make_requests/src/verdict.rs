//! What a run says about its target.

use std::fmt;

use crate::audit::Anomaly;
use crate::error::Error;
use crate::target::Exhibit;

/// What a run says about its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every request was acknowledged and nothing went wrong.
    Safe,
    /// Nothing went wrong, but somebody was turned away.
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
    /// The audits found what must not be: of a book of orders, or of exported files.
    Anomalies(Vec<Anomaly>),
    /// The run proves neither.
    CouldNotTell(Doubt),
}

/// Why a run proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The audit could not be read afterwards.
    NoAudit(Error),
    /// The consumer could not ship after the last order, so that nobody has seen what it would ship.
    NothingShipped(Error),
    /// Some files could not be downloaded to their end, or not be audited.
    Unseen {
        /// How many.
        looks: usize,
        /// Why one of them could not.
        cause: Error,
    },
    /// No answer said which file it wrote.
    NoFiles,
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
    /// Fewer requests left a trace than were acknowledged, and an account may have been changed by somebody else.
    Vanished {
        /// Of what.
        exhibit: Exhibit,
        /// How many acknowledged requests left no trace: a deposit's transaction, an order in its book.
        requests: u64,
    },
    /// No request was acknowledged, so there was nothing to go wrong.
    NoneAcknowledged,
}

impl Verdict {
    /// The process's exit status: 0 nothing wrong, 1 an anomaly found, 2 could not tell.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Safe | Self::Refused => 0,
            Self::LostUpdate { .. }
            | Self::LostDeposits { .. }
            | Self::DoubleDeposits { .. }
            | Self::Anomalies(_) => 1,
            Self::CouldNotTell(_) => 2,
        }
    }

    /// The verdict as one word for machines; of several anomalies the one that the audit lists first.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Safe => "safe",
            Self::Refused => "refused",
            Self::LostUpdate { .. } => "lost_update",
            Self::LostDeposits { .. } => "lost_deposits",
            Self::DoubleDeposits { .. } => "double_deposits",
            Self::Anomalies(anomalies) => anomalies.first().map_or("anomaly", |it| &it.name),
            Self::CouldNotTell(_) => "could_not_tell",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safe => {
                f.write_str("safe: every request was acknowledged and nothing went wrong")
            }
            Self::Refused => f.write_str("refused: some were turned away, and nothing went wrong"),
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
            Self::Anomalies(anomalies) => {
                let found = anomalies
                    .iter()
                    .map(|it| format!("{} × {}", it.count, it.in_words()));
                f.write_str(&found.collect::<Vec<_>>().join(", "))
            }
            Self::CouldNotTell(doubt) => write!(f, "could not tell: {doubt}"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAudit(error) => {
                write!(f, "the audit could not be read after the run: {error}")
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
                "nothing went wrong so far, but {requests} of the requests brought no clear answer"
            ),
            Self::NothingShipped(error) => {
                write!(f, "the consumer could not ship the last orders: {error}")
            }
            Self::Unseen { looks, cause } => write!(
                f,
                "nothing went wrong so far, but {looks} of the looks at a file failed: {cause}"
            ),
            Self::NoFiles => f.write_str("no answer said which file it wrote"),
            Self::Vanished { exhibit, requests } => {
                let (trace, place) = match exhibit {
                    Exhibit::Deposits => ("deposits left no transaction", "account"),
                    Exhibit::Orders => ("orders left no head", "book"),
                    Exhibit::Exports => ("exports left no file", "folder"),
                };
                write!(
                    f,
                    "{requests} of the acknowledged {trace} in the {place}: they were not kept, or \
                     somebody else changed the {place} meanwhile"
                )
            }
            Self::NoneAcknowledged => {
                f.write_str("no request was acknowledged, so nothing could go wrong")
            }
        }
    }
}
