//! What a run says about its target.

use std::fmt;

use crate::audit::Anomaly;
use crate::error::Error;

/// What a run says about its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every request was acknowledged and nothing went wrong.
    Safe,
    /// Nothing went wrong, but some requests were refused.
    Refused,
    /// Something went wrong.
    Anomaly {
        /// One word for machines, e.g. `lost_update`.
        name: String,
        /// What went wrong, and how often or by how much.
        explanation: String,
    },
    /// The run proves nothing.
    CouldNotTell(Doubt),
}

/// Why a run proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The audit after the run could not be read.
    NoAudit(Error),
    /// A part of the result could not be examined, for the reason in the text.
    NotExamined(String),
    /// Every request was answered with 404.
    UnknownTarget {
        /// The URL of the requests.
        url: String,
        /// What the service said about it.
        detail: Option<String>,
    },
    /// Some requests brought no answer, or one that does not say whether they were kept.
    Unclear {
        /// How many.
        requests: usize,
    },
    /// Fewer requests left a trace than were acknowledged, and other clients may be the reason.
    NoTrace {
        /// How many.
        requests: u64,
        /// Which trace is missing.
        trace: Trace,
    },
    /// No request was acknowledged, so nothing could go wrong.
    NoneAcknowledged,
}

/// The trace that an acknowledged request leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// What misses it, e.g. `deposits left no transaction`.
    pub(crate) missing: &'static str,
    /// Where it should be, e.g. `account`.
    pub(crate) place: &'static str,
}

impl Verdict {
    /// The verdict that these anomalies make. None if none of them is wrong.
    pub(crate) fn of(anomalies: &[Anomaly]) -> Option<Self> {
        let wrong: Vec<_> = anomalies.iter().filter(|it| it.is_wrong()).collect();
        let counted = |anomaly: &&Anomaly| format!("{} × {}", anomaly.count, anomaly.in_words());
        Some(Self::Anomaly {
            name: wrong.first()?.name.clone(),
            explanation: wrong.iter().map(counted).collect::<Vec<_>>().join(", "),
        })
    }

    /// The process's exit status: 0 nothing wrong, 1 an anomaly found, 2 could not tell.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Safe | Self::Refused => 0,
            Self::Anomaly { .. } => 1,
            Self::CouldNotTell(_) => 2,
        }
    }

    /// The verdict as one word for machines. Of several anomalies it is the one that the audit
    /// lists first.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Safe => "safe",
            Self::Refused => "refused",
            Self::Anomaly { name, .. } => name,
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
            Self::Refused => {
                f.write_str("refused: some requests were refused, and nothing went wrong")
            }
            Self::Anomaly { explanation, .. } => f.write_str(explanation),
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
            Self::NotExamined(reason) => f.write_str(reason),
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
            Self::NoTrace {
                requests,
                trace: Trace { missing, place },
            } => write!(
                f,
                "{requests} of the acknowledged {missing} in the {place}: the service did not keep \
                 them, or another client changed the {place} meanwhile"
            ),
            Self::NoneAcknowledged => {
                f.write_str("no request was acknowledged, so nothing could go wrong")
            }
        }
    }
}
