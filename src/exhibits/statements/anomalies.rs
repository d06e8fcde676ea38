//! What can go wrong with a statement of account.

use crate::exhibits::card::{Count, anomalous};
use crate::verdict::Anomaly;

/// The database is right, but a client has read parts of it from different moments (A5A of Berenson
/// et al.).
pub static READ_SKEW: Anomaly = Anomaly {
    rank: 0,
    name: "read_skew",
    title: "read skew",
    does: "reads what never was together",
    word: "skewed",
    meaning: "a statement is read that does not balance",
};

/// All of them, the worst first.
pub static ANOMALIES: [&Anomaly; 1] = [&READ_SKEW];

/// The number of schedules that end with a statement that does not balance.
pub(super) const fn skewed(schedules: u64) -> Count {
    anomalous(&READ_SKEW, schedules)
}
