//! What can go wrong with a scenario: a script that fails, and each of its invariants.

use crate::verdict::Anomaly;

/// A client could not go on, and the engine was not to blame.
pub(super) static FAILED: Anomaly = Anomaly {
    rank: 0,
    name: "failed",
    title: "failed: a script could not go on",
    does: "fails",
    word: "failed",
    meaning: "a script could not go on, and the engine was not to blame",
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
