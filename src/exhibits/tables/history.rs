//! The snapshots that a table still has.

use serde::Serialize;
use utoipa::ToSchema;

use super::disk::{KeptBy, Metadata, Summary, Table, Unreadable};

/// One snapshot in a table's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// Its version.
    pub version: u64,
    /// Its number.
    pub snapshot: u64,
    /// The snapshot from which it was made. Null for the first one.
    pub parent: Option<u64>,
    /// The number of records in the table.
    pub records: u64,
    /// When it was written, in microseconds since 1970-01-01 UTC.
    pub written_at_us: u64,
    /// Whether it is the current one.
    pub is_current: bool,
    /// What its commit has added.
    pub summary: Summary,
}

/// The newest snapshots of a table, the newest first, at most this number. One that is damaged is
/// left out: the audit names it.
pub fn history(table: &Table, most: usize) -> Result<Vec<HistoryEntry>, Unreadable> {
    let snapshots = table.snapshots()?;
    // The versions are listed once, so that the list is of one moment.
    let current = match table.kept_by()? {
        KeptBy::Versions => snapshots.first().map(|it| it.name.clone()),
        KeptBy::Pointer => Some(table.pointed_at()?),
    };
    let mut entries = Vec::new();
    for listed in snapshots {
        if entries.len() == most {
            break;
        }
        match table.open_snapshot(&listed.name) {
            Ok(Some(snapshot)) => {
                let is_current = Some(&listed.name) == current.as_ref();
                entries.push(entry(snapshot.metadata.clone(), is_current));
            }
            Ok(None) | Err(Unreadable::Damaged(_)) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(entries)
}

fn entry(metadata: Metadata, is_current: bool) -> HistoryEntry {
    HistoryEntry {
        version: metadata.version,
        snapshot: metadata.snapshot_id,
        parent: metadata.parent,
        records: metadata.rows,
        written_at_us: metadata.written_at_us,
        is_current,
        summary: metadata.summary,
    }
}
