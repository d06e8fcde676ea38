//! A snapshot: what it names, and its records.

use std::fs::File;
use std::sync::Arc;

use super::damage::{Damage, Unreadable, shown};
use super::filenames::version_in;
use super::manifest::{FileEntry, Manifest};
use super::metadata::{ManifestEntry, Metadata};
use super::record::Record;
use super::table::Table;
use super::{data, files};
use crate::exhibits::tables::{ReadTable, Wanted};

/// A snapshot that was found. It is in use while this value lives, so it does not expire.
#[derive(Debug, Clone)]
pub(in crate::exhibits::tables) struct Snapshot {
    table: Table,
    /// The name of its file in `metadata/`.
    pub(in crate::exhibits::tables) name: String,
    pub(in crate::exhibits::tables) metadata: Metadata,
    _in_use: Arc<File>,
}

impl Table {
    /// Opens a snapshot by the name of its file. None if there is no such file.
    pub(in crate::exhibits::tables) fn open_snapshot(
        &self,
        name: &str,
    ) -> Result<Option<Snapshot>, Unreadable> {
        let path = self.metadata_folder().join(name);
        let Some(version) = version_in(name) else {
            return Err(Damage::of(shown(&path), "it is no name of a version").into());
        };
        let opened = files::open(&path).map_err(|error| Unreadable::of_file(&path, &error))?;
        let Some(file) = opened else {
            return Ok(None);
        };
        Ok(Some(Snapshot {
            table: self.clone(),
            name: name.to_owned(),
            metadata: Metadata::read(&path, &file, version)?,
            _in_use: Arc::new(file),
        }))
    }
}

impl Snapshot {
    /// The data files that one of its manifests names.
    pub(in crate::exhibits::tables) fn files_in(
        &self,
        manifest: &ManifestEntry,
    ) -> Result<Vec<FileEntry>, Unreadable> {
        Ok(Manifest::read(&self.table, manifest)?.files)
    }

    /// The records of a data file that it names.
    pub(in crate::exhibits::tables) fn read(
        &self,
        file: &FileEntry,
    ) -> Result<Vec<Record>, Unreadable> {
        data::read(&self.table, file)
    }

    /// Whether a data file is there, and no client has it in use, such as the one that wrote it.
    pub(in crate::exhibits::tables) fn is_unused(
        &self,
        file: &FileEntry,
    ) -> Result<bool, Unreadable> {
        let path = self.table.data(&file.file)?;
        files::is_unused(&path).map_err(|error| Unreadable::of_file(&path, &error))
    }

    /// What reads its records. The snapshot has to live as long.
    pub(in crate::exhibits::tables) fn pages(&self) -> Pages {
        Pages {
            table: self.table.clone(),
            manifests: self.metadata.manifests.clone(),
        }
    }

    /// These records of it, with what another look at the table has counted.
    pub(in crate::exhibits::tables) fn with(
        &self,
        records: Vec<Record>,
        counted_in: &Self,
    ) -> ReadTable {
        ReadTable {
            total: counted_in.metadata.rows,
            counted_in: counted_in.metadata.snapshot_id,
            snapshot: self.metadata.snapshot_id,
            version: self.metadata.version,
            is_one_snapshot: counted_in.metadata.snapshot_id == self.metadata.snapshot_id,
            records,
        }
    }
}

/// The records of a snapshot.
#[derive(Debug)]
pub(in crate::exhibits::tables) struct Pages {
    table: Table,
    manifests: Vec<ManifestEntry>,
}

impl Pages {
    /// Reads some of the records. Files that have none of them are not opened.
    pub(in crate::exhibits::tables) fn read(
        &self,
        wanted: Wanted,
    ) -> Result<Vec<Record>, Unreadable> {
        let mut records = Vec::new();
        let mut before = wanted.offset;
        for entry in &self.manifests {
            if before >= entry.rows {
                before -= entry.rows;
                continue;
            }
            for file in Manifest::read(&self.table, entry)?.files {
                if before >= file.rows {
                    before -= file.rows;
                    continue;
                }
                let rows = data::read(&self.table, &file)?;
                let skipped = usize::try_from(before).unwrap_or(usize::MAX);
                records.extend(rows.into_iter().skip(skipped));
                before = 0;
                if records.len() as u64 >= wanted.limit {
                    records.truncate(usize::try_from(wanted.limit).unwrap_or(usize::MAX));
                    return Ok(records);
                }
            }
        }
        Ok(records)
    }
}
