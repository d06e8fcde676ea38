//! What can go wrong with an account's balance.

use crate::exhibits::card::{Count, anomalous};
use crate::verdict::Anomaly;

/// A deposit that was acknowledged has no effect (P4 of Berenson et al.).
pub static LOST_UPDATE: Anomaly = Anomaly {
    rank: 0,
    name: "lost_update",
    title: "lost update",
    does: "loses an update",
    word: "lost",
    meaning: "an acknowledged deposit is missing from the balance",
};

/// Part of a refused deposit was kept, or the balance grew without a deposit.
pub static UNBALANCED: Anomaly = Anomaly {
    rank: 1,
    name: "unbalanced",
    title: "books out of balance",
    does: "gets the books wrong",
    word: "unbalanced",
    meaning: "no acknowledged deposit is missing, but balance and transactions disagree",
};

/// All of them, the worst first.
pub static ANOMALIES: [&Anomaly; 2] = [&LOST_UPDATE, &UNBALANCED];

/// The number of schedules that lose an update.
pub(super) const fn lost(schedules: u64) -> Count {
    anomalous(&LOST_UPDATE, schedules)
}
