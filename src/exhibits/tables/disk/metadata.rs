//! The metadata of a snapshot: `metadata/v<N>.json`.

use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::damage::{Damage, Unreadable, shown};
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

/// The largest snapshot number: JSON's numbers are exact up to here.
const LARGEST_ID: u64 = (1 << 53) - 1;

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
        let rows = read.manifests.iter().map(|it| it.rows).sum::<u64>();
        let why = if read.version != version {
            format!("it says that it is version {}", read.version)
        } else if rows != read.rows {
            format!("it says {} rows, and its manifests have {rows}", read.rows)
        } else {
            return Ok(read);
        };
        Err(Damage::of(shown(path), why).into())
    }
}

fn draw_id() -> u64 {
    fastrand::u64(1..=LARGEST_ID)
}

fn now_us() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |it| u64::try_from(it.as_micros()).unwrap_or(u64::MAX))
}

/// The name of a version's file, if the versions keep the truth.
pub(in crate::exhibits::tables) fn name_of(version: u64) -> String {
    format!("v{version}.json")
}

/// The name of a version's file, if a pointer keeps the truth: several may have the same number.
pub(super) fn name_beside(version: u64) -> String {
    format!("v{version}-{}.json", files::draw())
}

/// The version in the name of a snapshot's file. None if it is no such name.
pub(in crate::exhibits::tables) fn version_in(name: &str) -> Option<u64> {
    let stem = name.strip_prefix('v')?.strip_suffix(".json")?;
    let (number, drawn) = stem
        .split_once('-')
        .map_or((stem, None), |(it, id)| (it, Some(id)));
    let is_plain = number == "0" || !number.starts_with('0');
    let is_right = is_plain && drawn.is_none_or(super::manifest::is_drawn);
    let digits = number.bytes().all(|it| it.is_ascii_digit());
    (is_right && digits).then(|| number.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_names_that_are_written_here() {
        assert_eq!(version_in(&name_of(0)), Some(0));
        assert_eq!(version_in(&name_of(12)), Some(12));
        assert_eq!(version_in(&name_beside(3)), Some(3));
        for name in [
            "v.json",
            "v01.json",
            "v1",
            "w1.json",
            "v1-.json",
            "v1-x.json",
            "v+1.json",
        ] {
            assert_eq!(version_in(name), None, "{name}");
        }
    }
}
