//! Manifests: lists of data files.
//!
//! A commit writes a manifest of its own data files alone, and its snapshot names the manifests of
//! the snapshot before as well. Before ten manifests of one level stand side by side, they are
//! written together as one of the next level, up to ten thousand data files in one. So a snapshot
//! of a million commits names some hundred manifests, and each data file was written into five at
//! most.

use std::io;

use serde::{Deserialize, Serialize};

use super::damage::{Damage, Unreadable, shown};
use super::filenames::LARGEST_NUMBER;
use super::metadata::ManifestEntry;
use super::name::PartitionName;
use super::table::Table;
use super::{filenames, files};

/// How many manifests of one level are merged.
const TOGETHER: usize = 10;

/// The largest number of data files in a manifest that was merged. It has about a megabyte then.
const MOST_FILES: u64 = 10_000;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::exhibits::tables) struct Manifest {
    pub(in crate::exhibits::tables) files: Vec<FileEntry>,
}

/// A data file, as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::exhibits::tables) struct FileEntry {
    /// The file's name in `data/`.
    pub(in crate::exhibits::tables) file: String,
    pub(in crate::exhibits::tables) rows: u64,
    pub(in crate::exhibits::tables) bytes: u64,
    /// The partition to which it belongs. Absent if the table has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::exhibits::tables) partition: Option<PartitionName>,
}

impl Manifest {
    /// Reads a manifest that a snapshot names. Its numbers must be those that the snapshot says.
    pub(in crate::exhibits::tables) fn read(
        table: &Table,
        entry: &ManifestEntry,
    ) -> Result<Self, Unreadable> {
        let path = table.manifest(&entry.file)?;
        let opened = files::open(&path).map_err(|error| Unreadable::of_file(&path, &error))?;
        let Some(file) = opened else {
            return Err(Damage::absent(&path).into());
        };
        let manifest: Self = files::json_of(&path, &file)?;
        let rows = sum(manifest.files.iter().map(|it| it.rows));
        let said = (Some(entry.rows), entry.files);
        if (rows, manifest.files.len() as u64) != said {
            let rows = rows.map_or("too many".to_owned(), |it| it.to_string());
            let why = format!(
                "it names {} files with {rows} rows, and the snapshot says {} with {}",
                manifest.files.len(),
                entry.files,
                entry.rows
            );
            return Err(Damage::of(shown(&path), why).into());
        }
        Ok(manifest)
    }

    /// Writes it under a new name, in `metadata/`.
    fn write(&self, table: &Table, level: u32) -> io::Result<(ManifestEntry, std::fs::File)> {
        let file = format!("{}.json", filenames::draw());
        let path = table.metadata_folder().join(&file);
        let written = files::write_new(&path, &files::json(self)?)?;
        let entry = ManifestEntry {
            file,
            level,
            files: self.files.len() as u64,
            rows: self.files.iter().map(|it| it.rows).sum(),
        };
        Ok((entry, written))
    }
}

/// The sum of numbers of rows. None if they cannot be rows of one table.
pub(super) fn sum(mut rows: impl Iterator<Item = u64>) -> Option<u64> {
    rows.try_fold(0, |sum: u64, it| {
        sum.checked_add(it).filter(|it| *it <= LARGEST_NUMBER)
    })
}

/// Adds these data files to the manifests of a snapshot: in a manifest of their own, or merged with
/// others. Returns the new list, and the new files, which are in use.
pub(super) fn added_to(
    table: &Table,
    before: &[ManifestEntry],
    added: Vec<FileEntry>,
) -> Result<(Vec<ManifestEntry>, Vec<std::fs::File>), Unreadable> {
    let mut kept = before.to_vec();
    let mut manifest = Manifest { files: added };
    let mut level = 0;
    // The newest are last, and no level stands before a higher one.
    loop {
        let first = kept.partition_point(|it| it.level > level);
        if kept.len() - first < TOGETHER - 1 {
            break;
        }
        let files = kept[first..].iter().map(|it| it.files).sum::<u64>();
        if files + manifest.files.len() as u64 > MOST_FILES {
            break;
        }
        let mut merged = Manifest { files: Vec::new() };
        for entry in kept.split_off(first) {
            merged.files.extend(Manifest::read(table, &entry)?.files);
        }
        merged.files.append(&mut manifest.files);
        (manifest, level) = (merged, level + 1);
    }
    let written = manifest.write(table, level);
    let (entry, file) = written.map_err(|error| cannot_write(&error))?;
    kept.push(entry);
    Ok((kept, vec![file]))
}

pub(super) fn cannot_write(error: &io::Error) -> Unreadable {
    Unreadable::Fault(crate::engine::Fault::of_file(
        "the table could not be written",
        error,
    ))
}
