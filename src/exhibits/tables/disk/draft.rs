//! A snapshot that was written and is not the current one yet.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::damage::{Damage, Unreadable};
use super::data::DataFiles;
use super::filenames::{LARGEST_NUMBER, name_beside};
use super::files;
use super::manifest::{added_to, cannot_write};
use super::metadata::{Metadata, Summary};
use super::snapshot::Snapshot;
use super::table::Table;
use crate::exhibits::tables::Appended;

/// A snapshot that follows another one. Its manifest is written, and its metadata is in a file that
/// no other client looks for. Both are in use while this value lives.
#[derive(Debug)]
pub(in crate::exhibits::tables) struct Draft {
    table: Table,
    pub(in crate::exhibits::tables) metadata: Metadata,
    path: PathBuf,
    added: DataFiles,
    _in_use: Vec<File>,
    /// As long as it is in use, no version after it expires. So the name of the next one is free
    /// only if there never was one.
    _base: Snapshot,
}

/// What became of a draft that was to be the next version.
#[derive(Debug)]
pub(in crate::exhibits::tables) enum Linked {
    /// It is the next version.
    IsNext,
    /// There is one already.
    IsTaken,
    /// It is the next version, and may not survive a loss of power.
    Unknown(io::Error),
}

impl Draft {
    /// Writes the snapshot after `base`, with these data files added, into a temporary file.
    pub(in crate::exhibits::tables) fn write(
        table: &Table,
        base: Snapshot,
        added: DataFiles,
    ) -> Result<Self, Unreadable> {
        Self::write_at(table, base, added, table.temporary())
    }

    /// The same into `v<N>-<id>.json`, which a pointer can name.
    pub(in crate::exhibits::tables) fn write_beside(
        table: &Table,
        base: Snapshot,
        added: DataFiles,
    ) -> Result<Self, Unreadable> {
        let name = name_beside(base.metadata.version + 1);
        Self::write_at(table, base, added, table.metadata_folder().join(name))
    }

    fn write_at(
        table: &Table,
        base: Snapshot,
        added: DataFiles,
        path: PathBuf,
    ) -> Result<Self, Unreadable> {
        let entries: Vec<_> = added.iter().map(|it| it.entry.clone()).collect();
        let partitions = entries.iter().filter_map(|it| it.partition.clone());
        let mut partitions: Vec<_> = partitions.collect();
        partitions.sort();
        partitions.dedup();
        let summary = Summary {
            added_files: entries.len() as u64,
            added_rows: entries.iter().map(|it| it.rows).sum(),
            partitions,
        };
        if base.metadata.version + 1 >= LARGEST_NUMBER {
            return Err(
                Damage::of(format!("metadata/{}", base.name), "no version can follow").into(),
            );
        }
        let (manifests, mut files) = added_to(table, &base.metadata.manifests, entries)?;
        let metadata = base.metadata.next(manifests, summary);
        let written = files::json(&metadata).and_then(|json| files::write_new(&path, &json));
        files.push(written.map_err(|error| cannot_write(&error))?);
        Ok(Self {
            table: table.clone(),
            metadata,
            path,
            added,
            _in_use: files,
            _base: base,
        })
    }

    /// The name of its file.
    pub(in crate::exhibits::tables) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// What its client is told, if this snapshot becomes the current one in this attempt.
    pub(in crate::exhibits::tables) fn appended(&self, attempts: u32) -> Appended {
        Appended {
            version: self.metadata.version,
            snapshot: self.metadata.snapshot_id,
            records: self.metadata.summary.added_rows,
            attempts,
            leads: true,
            together: None,
            _in_use: Arc::clone(&self.added),
        }
    }

    /// Makes it the next version, unless there is one already. Returns whether it is.
    ///
    /// `link` gives a file a second name, and fails if the name is taken. A client that looks
    /// for the name finds nothing or the whole file.
    pub(in crate::exhibits::tables) fn link(&self) -> io::Result<Linked> {
        let version = self.metadata.version;
        let is_next = files::link_new(&self.path, &self.table.version(version))?;
        // What is left of it is no harm: the expiry finds it.
        let _ = fs::remove_file(&self.path);
        if !is_next {
            return Ok(Linked::IsTaken);
        }
        self.table.set_hint(version);
        let synced = files::sync_names(&self.table.metadata_folder());
        Ok(synced.map_or_else(Linked::Unknown, |()| Linked::IsNext))
    }
}
