//! What can go wrong with an exported file.

use crate::exhibits::card::{Count, anomalous};
use crate::verdict::Anomaly;

/// An export that was reported as ready, or was downloaded, has rows of several exports.
pub static MIXED_EXPORT: Anomaly = Anomaly {
    rank: 0,
    name: "mixed_export",
    title: "mixed export",
    does: "mixes exports",
    word: "mixed",
    meaning: "an export has rows of several exports",
};

/// An export that was reported as ready, or was downloaded, cannot be parsed, or its rows are not
/// complete or not in order.
pub static BROKEN_EXPORT: Anomaly = Anomaly {
    rank: 1,
    name: "broken_export",
    title: "broken export",
    does: "breaks an export",
    word: "broken",
    meaning: "an export is not whole",
};

/// All of them, the worst first.
pub static ANOMALIES: [&Anomaly; 2] = [&MIXED_EXPORT, &BROKEN_EXPORT];

/// The number of schedules that end with an export that has rows of several.
pub(super) const fn mixed_export(schedules: u64) -> Count {
    anomalous(&MIXED_EXPORT, schedules)
}

/// The number of schedules that end with an export that is not whole.
pub(super) const fn broken(schedules: u64) -> Count {
    anomalous(&BROKEN_EXPORT, schedules)
}
