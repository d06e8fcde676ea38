//! Data files: records as CSV.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::damage::{Damage, Unreadable, shown};
use super::manifest::FileEntry;
use super::name::PartitionName;
use super::record::Record;
use super::table::Table;
use super::{filenames, files};

/// The data files of one commit. They are in use while a clone of this value lives: from before a
/// snapshot names them until the client is answered.
pub(in crate::exhibits::tables) type DataFiles = Arc<Vec<DataFile>>;

/// A data file that was written.
#[derive(Debug)]
pub(in crate::exhibits::tables) struct DataFile {
    pub(in crate::exhibits::tables) entry: FileEntry,
    _in_use: File,
}

impl DataFile {
    /// Writes these records into a new file, and brings it to the disk.
    pub(in crate::exhibits::tables) fn write(
        table: &Table,
        records: &[Record],
        partition: Option<PartitionName>,
    ) -> io::Result<Self> {
        let mut lines = csv::Writer::from_writer(Vec::new());
        for record in records {
            lines.serialize(record)?;
        }
        let bytes = lines
            .into_inner()
            .map_err(|error| io::Error::other(error.to_string()))?;
        let file = format!("{}.csv", filenames::draw());
        let written = files::write_new(&table.data_folder().join(&file), &bytes)?;
        Ok(Self {
            entry: FileEntry {
                file,
                rows: records.len() as u64,
                bytes: bytes.len() as u64,
                partition,
            },
            _in_use: written,
        })
    }
}

/// Reads a data file that a manifest names. It must have the rows that the manifest says.
pub(super) fn read(table: &Table, entry: &FileEntry) -> Result<Vec<Record>, Unreadable> {
    let path = table.data(&entry.file)?;
    let opened = files::open(&path).map_err(|error| Unreadable::of_file(&path, &error))?;
    let Some(file) = opened else {
        return Err(Damage::absent(&path).into());
    };
    let rows = csv::Reader::from_reader(file).into_deserialize();
    let rows: Result<Vec<Record>, _> = rows.collect();
    let rows = rows.map_err(|error| Damage::of(shown(&path), error))?;
    if rows.len() as u64 != entry.rows {
        let why = format!(
            "it has {} rows, and its manifest says {}",
            rows.len(),
            entry.rows
        );
        return Err(Damage::of(shown(&path), why).into());
    }
    Ok(rows)
}
