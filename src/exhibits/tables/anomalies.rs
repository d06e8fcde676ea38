//! What can go wrong with a table.

use crate::exhibits::card::{Count, anomalous};
use crate::verdict::Anomaly;

/// Records that a client was told are in the table are not in its current snapshot.
pub static LOST_APPEND: Anomaly = Anomaly {
    rank: 0,
    name: "lost_append",
    title: "lost append",
    does: "loses an append",
    word: "lost",
    meaning: "a table lacks records that a client was told are in it",
};

/// The table has no snapshot that can be read.
pub static BROKEN_TABLE: Anomaly = Anomaly {
    rank: 1,
    name: "broken_table",
    title: "broken table",
    does: "breaks a table",
    word: "broken",
    meaning: "a table cannot be read",
};

/// What a reader has put together was never the table at one moment.
pub static TORN_READ: Anomaly = Anomaly {
    rank: 2,
    name: "torn_read",
    title: "torn read",
    does: "reads a table torn",
    word: "torn",
    meaning: "a reader has parts of two snapshots",
};

/// All of them, the worst first.
pub static ANOMALIES: [&Anomaly; 3] = [&LOST_APPEND, &BROKEN_TABLE, &TORN_READ];

/// The number of schedules that end with a lost append.
pub(super) const fn lost(schedules: u64) -> Count {
    anomalous(&LOST_APPEND, schedules)
}

/// The number of schedules in which a client finds a table that cannot be read.
pub(super) const fn broken(schedules: u64) -> Count {
    anomalous(&BROKEN_TABLE, schedules)
}

/// The number of schedules in which a reader gets parts of two snapshots.
pub(super) const fn torn(schedules: u64) -> Count {
    anomalous(&TORN_READ, schedules)
}
