//! What became of one client, its outcome; and of all that ran together, the verdict.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

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

/// One way in which an exhibit's invariant can be broken. It belongs to the exhibit that can show
/// it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Anomaly {
    /// Its place among the exhibit's anomalies, the worst first.
    pub rank: u8,
    /// Its key in JSON, e.g. `dirty_read`.
    pub name: &'static str,
    /// What a run with it is called, e.g. `lost update`.
    pub title: &'static str,
    /// What a strategy with it does, e.g. `loses an update`.
    pub does: &'static str,
    /// The word in a cell of the matrix, e.g. `lost`.
    pub word: &'static str,
    /// What the word means, for the matrix's legend, e.g. `an acknowledged update is missing`.
    pub meaning: &'static str,
}

/// The anomalies that were read from files. They stay for good, so that a verdict is as small as
/// one of an anomaly of ours; each is kept once.
static INTERNED: Mutex<Vec<&'static Anomaly>> = Mutex::new(Vec::new());

impl Anomaly {
    /// The anomaly with this rank and these texts: name, title, does, word and meaning. The same
    /// rank and texts are the same anomaly.
    pub fn interned(rank: u8, texts: [&str; 5]) -> &'static Self {
        // Nothing panics while it holds the lock.
        let mut known = INTERNED.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known
            .iter()
            .find(|it| it.rank == rank && it.texts() == texts);
        if let Some(found) = found {
            return found;
        }
        let [name, title, does, word, meaning] = texts.map(|it| &*it.to_owned().leak());
        let anomaly: &'static Self = Box::leak(Box::new(Self {
            rank,
            name,
            title,
            does,
            word,
            meaning,
        }));
        known.push(anomaly);
        anomaly
    }

    fn texts(&self) -> [&'static str; 5] {
        [self.name, self.title, self.does, self.word, self.meaning]
    }
}

/// How one run of several clients ended, judged by the exhibit's invariant. The worst that happened
/// in the run is its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "VerdictData")]
pub enum Verdict {
    /// The invariant was broken, in the database or in what a client read.
    Anomaly(&'static Anomaly),
    /// There is no anomaly, but the engine refused a client.
    Refused(FaultKind),
    /// There is no anomaly, but the strategy itself turned a client away.
    Declined,
    /// Every client was served, without an anomaly.
    Safe,
}

impl Verdict {
    /// The broken invariant. None if none was broken.
    pub fn anomaly(self) -> Option<&'static Anomaly> {
        match self {
            Self::Anomaly(anomaly) => Some(anomaly),
            Self::Refused(_) | Self::Declined | Self::Safe => None,
        }
    }

    /// Whether the exhibit's invariant was broken.
    pub fn is_anomaly(self) -> bool {
        self.anomaly().is_some()
    }

    /// The verdict as the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anomaly(anomaly) => anomaly.name,
            Self::Refused(_) => "refused",
            Self::Declined => "declined",
            Self::Safe => "safe",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anomaly(anomaly) => f.write_str(anomaly.title),
            Self::Refused(fault) => write!(f, "refused: {fault}"),
            Self::Declined => f.write_str("declined by the strategy"),
            Self::Safe => f.write_str("safe"),
        }
    }
}

/// A verdict as programs get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Verdict)]
pub struct VerdictData {
    /// `safe`, `declined`, `refused`, or the name of an anomaly.
    #[schema(value_type = String, example = "dirty_read")]
    pub verdict: Cow<'static, str>,
    /// The engine's refusal. Absent if the verdict is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultKind>,
}

impl VerdictData {
    /// Whether an invariant was broken.
    pub fn is_anomaly(&self) -> bool {
        let others = ["safe", "declined", "refused"];
        !others.contains(&&*self.verdict)
    }
}

impl From<Verdict> for VerdictData {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict: verdict.name().into(),
            fault: match verdict {
                Verdict::Refused(fault) => Some(fault),
                Verdict::Anomaly(_) | Verdict::Declined | Verdict::Safe => None,
            },
        }
    }
}

impl PartialSchema for Verdict {
    fn schema() -> RefOr<Schema> {
        VerdictData::schema()
    }
}

impl ToSchema for Verdict {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        VerdictData::schemas(schemas);
    }
}
