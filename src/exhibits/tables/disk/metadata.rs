//! The metadata of a snapshot: `metadata/v<N>.json`.

use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::damage::{Damage, Unreadable, shown};
use super::filenames::LARGEST_NUMBER;
use super::files;
use super::name::PartitionName;

/// A snapshot: what the table is at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The version's number, from 0. It is in the file's name as well.
    pub version: u64,
    /// The number of the columns' schema: always 0, which is `key` and `value`.
    pub schema_id: u32,
    /// The snapshot's number, drawn at random.
    pub snapshot_id: u64,
    /// The number of the snapshot from which this one was made. Null for the first one.
    pub parent: Option<u64>,
    /// When it was written, in microseconds since 1970-01-01 UTC.
    pub written_at_us: u64,
    /// The number of records in the table.
    pub rows: u64,
    /// The manifests, which name the data files. The newest is last.
    pub manifests: Vec<ManifestEntry>,
    /// What the commit has added.
    pub summary: Summary,
}

/// A manifest, as a snapshot names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// The file's name in `metadata/`.
    pub file: String,
    /// How often its entries were merged with those of other manifests.
    pub level: u32,
    /// The number of data files that it names.
    pub files: u64,
    /// The number of records in these.
    pub rows: u64,
}

/// What a commit has added to the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The number of data files.
    pub added_files: u64,
    /// The number of records.
    pub added_rows: u64,
    /// The partitions that they belong to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub partitions: Vec<PartitionName>,
}

impl Metadata {
    /// The first snapshot of a table, without records.
    pub(super) fn first() -> Self {
        Self {
            version: 0,
            schema_id: 0,
            snapshot_id: draw_id(),
            parent: None,
            written_at_us: now_us(),
            rows: 0,
            manifests: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// The snapshot after this one.
    pub(super) fn next(&self, manifests: Vec<ManifestEntry>, summary: Summary) -> Self {
        Self {
            version: self.version + 1,
            schema_id: self.schema_id,
            snapshot_id: draw_id(),
            parent: Some(self.snapshot_id),
            written_at_us: now_us(),
            rows: self.rows + summary.added_rows,
            manifests,
            summary,
        }
    }

    /// Reads a snapshot. Its content must be what its name and its own numbers say.
    pub(super) fn read(path: &Path, file: &File, version: u64) -> Result<Self, Unreadable> {
        let read: Self = files::json_of(path, file)?;
        let rows = read.manifests.iter().map(|it| u128::from(it.rows));
        let rows = rows.sum::<u128>();
        let why = if read.version != version {
            format!("it says that it is version {}", read.version)
        } else if version >= LARGEST_NUMBER || rows > u128::from(LARGEST_NUMBER) {
            format!("no table has {rows} rows at version {version}")
        } else if rows != u128::from(read.rows) {
            format!("it says {} rows, and its manifests have {rows}", read.rows)
        } else {
            return Ok(read);
        };
        Err(Damage::of(shown(path), why).into())
    }
}

fn draw_id() -> u64 {
    fastrand::u64(1..=LARGEST_NUMBER)
}

fn now_us() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |it| u64::try_from(it.as_micros()).unwrap_or(u64::MAX))
}
