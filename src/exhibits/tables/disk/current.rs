//! Which snapshot is the current one.

use std::fs::{self, File};

use super::damage::{Damage, Unreadable, shown};
use super::data;
use super::filenames::{LARGEST, name_of, version_in};
use super::files::{self, Listing, names_in};
use super::kept_by::KeptBy;
use super::manifest::{FileEntry, Manifest};
use super::metadata::{ManifestEntry, Metadata};
use super::record::Record;
use super::table::Table;
use crate::exhibits::tables::{ReadTable, Wanted};

/// A snapshot that was found. It is in use while this value lives, so it does not expire.
#[derive(Debug)]
pub(in crate::exhibits::tables) struct Snapshot {
    table: Table,
    /// The name of its file in `metadata/`.
    pub(in crate::exhibits::tables) name: String,
    pub(in crate::exhibits::tables) metadata: Metadata,
    /// Kept open for its lock.
    _file: File,
}

/// How often a snapshot is looked for that expires before it is opened.
const TRIES: u32 = 100;

impl Table {
    /// The current snapshot.
    pub(in crate::exhibits::tables) fn current(&self) -> Result<Snapshot, Unreadable> {
        let kept_by = self.kept_by()?;
        for _ in 0..TRIES {
            let name = match kept_by {
                KeptBy::Versions => name_of(self.highest_version()?),
                KeptBy::Pointer => self.pointed_at()?,
            };
            if let Some(found) = self.open_snapshot(&name)? {
                return Ok(found);
            }
            if kept_by == KeptBy::Pointer && self.pointed_at()? == name {
                let why = format!("it names {name}, which is not there");
                return Err(Damage::of(shown(&self.pointer()), why).into());
            }
        }
        Err(Unreadable::Expired)
    }

    /// The current snapshot's metadata.
    pub fn metadata(&self) -> Result<Metadata, Unreadable> {
        self.current().map(|it| it.metadata)
    }

    /// Reads records of the snapshot with this number.
    pub fn read(&self, id: u64, wanted: Wanted) -> Result<ReadTable, Unreadable> {
        let snapshot = self.snapshot(id)?;
        let records = snapshot.pages().read(wanted)?;
        Ok(snapshot.with(records, &snapshot))
    }

    /// The snapshot with this number, if it has not expired.
    fn snapshot(&self, id: u64) -> Result<Snapshot, Unreadable> {
        self.kept_by()?;
        for listed in self.snapshots()? {
            match self.open_snapshot(&listed.name) {
                Ok(Some(found)) if found.metadata.snapshot_id == id => return Ok(found),
                // Another one that is damaged is told by the audit.
                Ok(_) | Err(Unreadable::Damaged(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(Unreadable::Expired)
    }

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
            _file: file,
        }))
    }

    /// The files of all snapshots, the newest first.
    pub(in crate::exhibits::tables) fn snapshots(&self) -> Result<Vec<Listing>, Unreadable> {
        let kept_by = self.kept_by()?;
        let folder = self.metadata_folder();
        let listed = names_in(&folder).map_err(|error| Unreadable::of_file(&folder, &error))?;
        let mut versions: Vec<_> = listed
            .into_iter()
            .filter_map(|it| Some((version_in(&it.name)?, it)))
            .filter(|(version, it)| (it.name == name_of(*version)) == (kept_by == KeptBy::Versions))
            .collect();
        versions.sort_by(|(one, _), (other, _)| other.cmp(one));
        Ok(versions.into_iter().map(|(_, it)| it).collect())
    }

    /// The truth is the highest version that exists. The hint says about where to begin. If it is
    /// missing or names a version that is not there, the folder is listed. From there it is counted
    /// up: no version between two others is ever missing, because the expiry deletes from the
    /// lowest one upwards.
    fn highest_version(&self) -> Result<u64, Unreadable> {
        let there = |version| self.has_version(version);
        let hinted = files::text_of(&self.hint()).ok().flatten();
        let hinted = hinted
            .and_then(|it| it.trim().parse::<u64>().ok())
            .filter(|it| *it < LARGEST);
        let mut version = match hinted {
            Some(hinted) if there(hinted)? => hinted,
            _ => {
                let newest = self.snapshots()?.into_iter().next();
                let newest = newest.and_then(|it| version_in(&it.name));
                newest.ok_or_else(|| self.without_snapshots())?
            }
        };
        while there(version + 1)? {
            version += 1;
        }
        // Without this look, the name that is missing would be given to another snapshot.
        match self.gap_between(version, version + 2)? {
            Some(gap) => Err(gap.into()),
            None => Ok(version),
        }
    }

    fn has_version(&self, version: u64) -> Result<bool, Unreadable> {
        let path = self.version(version);
        files::is_taken(&path).map_err(|error| Unreadable::of_file(&path, &error))
    }

    /// What is wrong if both versions are there, and the one after the lower is not. The lower is
    /// looked for last: while it is there, no later one has expired.
    fn gap_between(&self, lower: u64, higher: u64) -> Result<Option<Damage>, Unreadable> {
        let is_gap = self.has_version(higher)?
            && !self.has_version(lower + 1)?
            && self.has_version(lower)?;
        Ok(is_gap.then(|| Damage::absent(&self.version(lower + 1))))
    }

    /// A version that is missing between two others. None if none is, or a pointer keeps the truth.
    pub(in crate::exhibits::tables) fn gap(&self) -> Result<Option<Damage>, Unreadable> {
        if self.kept_by()? == KeptBy::Pointer {
            return Ok(None);
        }
        let listed = self.snapshots()?;
        let versions: Vec<_> = listed
            .iter()
            .filter_map(|it| version_in(&it.name))
            .collect();
        for pair in versions.windows(2) {
            if let [higher, lower] = *pair
                && lower + 1 < higher
                && let Some(gap) = self.gap_between(lower, higher)?
            {
                return Ok(Some(gap));
            }
        }
        Ok(None)
    }

    /// The name in the pointer.
    pub(in crate::exhibits::tables) fn pointed_at(&self) -> Result<String, Unreadable> {
        let path = self.pointer();
        let text = files::text_of(&path).map_err(|error| Unreadable::of_file(&path, &error))?;
        let why = match text {
            None => return Err(Damage::absent(&path).into()),
            Some(name) if version_in(&name).is_some() => return Ok(name),
            Some(name) if name.is_empty() => "it is empty",
            Some(_) => "it does not name a snapshot",
        };
        Err(Damage::of(shown(&path), why).into())
    }

    /// Says about where the highest version is. That it cannot be said changes nothing.
    pub(super) fn set_hint(&self, version: u64) {
        let temporary = self.temporary();
        let said = fs::write(&temporary, version.to_string())
            .and_then(|()| fs::rename(&temporary, self.hint()));
        if let Err(error) = said {
            tracing::debug!(%error, "the hint to the version could not be written");
        }
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

    /// Whether a client has a data file in use, perhaps the one that wrote it.
    pub(in crate::exhibits::tables) fn is_in_use(&self, file: &FileEntry) -> bool {
        let path = self.table.data(&file.file);
        path.is_ok_and(|it| files::is_in_use(&it))
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
