//! What a client asks for, and what it is told.

use serde::Serialize;
use utoipa::ToSchema;

use super::disk::{Damage, DataFiles, KeptBy, PartitionName, Record, Unreadable};
use crate::engine::Fault;

/// What a client wants to have in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The records, at least one.
    pub records: Vec<Record>,
    /// The partition that they belong to. None if the client names none.
    pub partition: Option<PartitionName>,
}

/// Records that are in the table.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Appended {
    /// The version of the snapshot that has them.
    pub version: u64,
    /// The number of that snapshot.
    pub snapshot: u64,
    /// How many records were appended.
    pub records: u64,
    /// The number of attempts that it took.
    pub attempts: u32,
    /// Whether this client has made the commit, and not another one with it.
    #[serde(skip)]
    pub leads: bool,
    /// How many appends were committed together. Absent if the strategy commits each alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<u64>,
    /// By these locks an audit knows which records are not acknowledged yet.
    #[serde(skip)]
    pub(super) _in_use: DataFiles,
}

/// Why a client is not told that its records are in the table. Unless it is unknown, they are not:
/// what was written is named by no snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another client has committed first.
    Conflict {
        /// The number of attempts.
        attempts: u32,
    },
    /// Other clients have committed first, each time.
    GaveUp {
        /// The number of attempts.
        attempts: u32,
        /// Whether this client has made them, and not another one with it.
        leads: bool,
    },
    /// The truth about this table is kept in another way than the strategy keeps it.
    KeptBy(KeptBy),
    /// A file of the table is not what it should be.
    Damaged(Damage),
    /// There is no such table, or no such snapshot.
    Unreadable(Unreadable),
    /// The file system has refused after the commit. The records are in the table, unless the
    /// machine has lost its power meanwhile, and the lab's book does not have them.
    Unknown(Fault),
    /// A lock was not to be had in time, or the file system refuses.
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Damaged(damage) => Self::Damaged(damage),
            Unreadable::Fault(fault) => Self::Fault(fault),
            missing @ (Unreadable::NoTable | Unreadable::NoSnapshot) => Self::Unreadable(missing),
        }
    }
}
