//! What can go wrong with a scenario: a client that fails, and each of its invariants.

use crate::verdict::Anomaly;

/// A client could not go on, and the engine was not to blame.
pub(super) static FAILED: Anomaly = Anomaly {
    rank: 0,
    name: "failed",
    title: "failed: a client could not go on",
    does: "fails",
    word: "failed",
    meaning: "a client could not go on, and the engine was not to blame",
};

/// A run ended like no serial order of its clients.
pub(super) static NOT_SERIAL: Anomaly = Anomaly {
    // After a violated invariant, which says more.
    rank: 2,
    name: "not_serial",
    title: "not serial: no order of the clients, one after the other, ends like this",
    does: "ends like no serial order",
    word: "not serial",
    meaning: "no order of the clients, one after the other, ends like this",
};

/// The anomaly that a run has in which this invariant is false.
pub(super) fn violation(name: &str) -> &'static Anomaly {
    Anomaly::interned(
        VIOLATED,
        [
            name,
            &format!("violated: {name}"),
            &format!("violates {name:?}"),
            "violated",
            "an invariant of the scenario is false",
        ],
    )
}

/// The rank of a violated invariant, after that of a client that has failed.
const VIOLATED: u8 = 1;

/// The counts that every entry of `expect` can name.
pub(super) const EXPECTED_COUNTS: [&str; 6] = [
    "violated",
    "failed",
    "not_serial",
    "refused",
    "declined",
    "safe",
];
