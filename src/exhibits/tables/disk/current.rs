//! Which snapshot is the current one.

use super::damage::{Damage, Unreadable, shown};
use super::filenames::{LARGEST_NUMBER, name_of, version_in};
use super::files::{self, Listing, names_in};
use super::kept_by::KeptBy;
use super::metadata::Metadata;
use super::snapshot::Snapshot;
use super::table::Table;
use crate::exhibits::tables::{ReadTable, Wanted};

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
        Err(Unreadable::NoSnapshot)
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
        Err(Unreadable::NoSnapshot)
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

    /// The truth is the highest version that exists. The hint names it, unless a writer is late or
    /// was killed. Then the folder is listed. From the highest one in the list it is counted up,
    /// because others may have committed since.
    ///
    /// No version between two others is ever missing: the expiry deletes from the lowest one
    /// upwards. If one was deleted by hand, its name must not be given to another snapshot. A list
    /// shows it, and so does a look one version further. The audit always lists.
    fn highest_version(&self) -> Result<u64, Unreadable> {
        if let Some(hinted) = self.hinted_version()
            && self.has_version(hinted)?
            && !self.has_version(hinted + 1)?
            && !self.has_version(hinted + 2)?
        {
            return Ok(hinted);
        }
        let versions = self.versions()?;
        if let Some(gap) = self.gap_in(&versions)? {
            return Err(gap.into());
        }
        let mut version = *versions.first().ok_or_else(|| self.without_snapshots())?;
        while self.has_version(version + 1)? {
            version += 1;
        }
        Ok(version)
    }

    fn hinted_version(&self) -> Option<u64> {
        let hinted = files::text_of(&self.hint()).ok().flatten()?;
        let hinted = hinted.trim().parse().ok();
        hinted.filter(|it| *it < LARGEST_NUMBER)
    }

    /// The numbers of all versions, the highest first.
    fn versions(&self) -> Result<Vec<u64>, Unreadable> {
        let snapshots = self.snapshots()?.into_iter();
        Ok(snapshots.filter_map(|it| version_in(&it.name)).collect())
    }

    fn has_version(&self, version: u64) -> Result<bool, Unreadable> {
        let path = self.version(version);
        files::is_taken(&path).map_err(|error| Unreadable::of_file(&path, &error))
    }

    /// A version that is missing between two others. None if none is, or a pointer keeps the truth.
    pub(in crate::exhibits::tables) fn gap(&self) -> Result<Option<Damage>, Unreadable> {
        match self.kept_by()? {
            KeptBy::Versions => self.gap_in(&self.versions()?),
            KeptBy::Pointer => Ok(None),
        }
    }

    /// The same in a list, the highest first.
    fn gap_in(&self, versions: &[u64]) -> Result<Option<Damage>, Unreadable> {
        for pair in versions.windows(2) {
            let [_higher, lower] = *pair else { continue };
            let next = lower + 1;
            // The list may be of two moments. The lower one is looked for last: as long as it is
            // there, no later one has expired.
            let is_missing = !pair.contains(&next) && !self.has_version(next)?;
            if is_missing && self.has_version(lower)? {
                return Ok(Some(Damage::absent(&self.version(next))));
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
        let said = files::write_in_passing(&self.hint(), version.to_string().as_bytes());
        if let Err(error) = said {
            tracing::debug!(%error, "the hint to the version could not be written");
        }
    }
}
