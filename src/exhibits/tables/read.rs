//! What a reader asks for, and what it has got.

use serde::Serialize;
use utoipa::ToSchema;

use super::disk::Record;

/// Which of a table's records are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// How many are left out before them.
    pub offset: u64,
    /// How many there are at most.
    pub limit: u64,
}

impl Wanted {
    /// All of them.
    pub const ALL: Self = Self {
        offset: 0,
        limit: u64::MAX,
    };
}

/// A table as a reader has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadTable {
    /// The number of records in the table.
    pub total: u64,
    /// The snapshot that says so.
    pub counted_in: u64,
    /// The snapshot that the records are from.
    pub snapshot: u64,
    /// Its version.
    pub version: u64,
    /// Whether the two are one snapshot.
    pub is_one_snapshot: bool,
    /// The records.
    pub records: Vec<Record>,
}
