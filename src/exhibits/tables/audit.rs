//! The audit of a table: what is in its folder, held against the lab's own book of what clients
//! were told. It may run while clients append: what is in use is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::ErrorKind;

use serde::Serialize;
use utoipa::ToSchema;

use super::disk::{Listing, Snapshot, Table, Unreadable, is_unused};
use super::expiry::unused_files;
use crate::engine::FileLock;
use crate::exhibits::found::AnomalyCount;

/// The contents of a table's folder, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TableAudit)]
pub struct Audit {
    /// The current version. Null if no snapshot can be read.
    pub version: Option<u64>,
    /// The number of records in it.
    pub records: u64,
    /// The number of records that clients were told are in the table.
    pub acknowledged: u64,
    /// All kinds of anomalies, also those that were not found: records that were acknowledged and
    /// are missing, records that are there more often than they were acknowledged, snapshots whose
    /// parent is not the one before, files that no snapshot names, files that a snapshot names and
    /// that are not there, and files that cannot be read.
    pub anomalies: [AnomalyCount; 6],
}

/// How often a key was acknowledged, and how often it is in the table. For instance: two clients
/// append `k`. One is answered before the audit begins, and the other one while it goes on. Then
/// `acknowledged` is 1, and the other three are 2, or `settled` is still 1.
#[derive(Debug, Default)]
struct Copies {
    /// Before the table was read: as many have to be there.
    acknowledged: u64,
    there: u64,
    /// Those of clients that are answered. As many have to be acknowledged in the end.
    settled: u64,
    acknowledged_since: u64,
}

impl Audit {
    /// Audits a table.
    ///
    /// # Errors
    /// There is no such table, or the file system refuses.
    pub fn of(table: &Table) -> Result<Self, Unreadable> {
        table.kept_by()?;
        let _lock = without_expiry(table)?;
        let mut auditor = Auditor::default();
        // First the book: what is noted there is in every snapshot that comes later.
        let mut acknowledged = 0;
        auditor.read_book(table, |copies| {
            acknowledged += 1;
            copies.acknowledged += 1;
        })?;
        let left = unused_files(table)?;
        let settled = settled(table)?;
        let gap = table.gap()?;
        let current = table.current();
        if let Some(gap) = gap
            && current.as_ref().err() != Some(&gap.clone().into())
        {
            auditor.absent.found(|| gap.to_string());
        }
        let current = auditor.readable(current)?;
        if let Some(current) = &current {
            auditor.count_records(current)?;
            auditor.read_book(table, |copies| copies.acknowledged_since += 1)?;
        }
        auditor.look_at_snapshots(table, &settled, current.as_ref())?;
        auditor.look_at_files(left)?;
        auditor.compare();
        Ok(Self {
            version: current.as_ref().map(|it| it.metadata.version),
            records: current.as_ref().map_or(0, |it| it.metadata.rows),
            acknowledged,
            anomalies: auditor.into_anomalies(),
        })
    }

    /// Whether acknowledged records are missing.
    pub fn has_lost(&self) -> bool {
        self.anomalies[0].is_there()
    }

    /// Whether the table can be read.
    pub fn is_readable(&self) -> bool {
        self.version.is_some() && !self.anomalies[4].is_there() && !self.anomalies[5].is_there()
    }
}

#[derive(Debug)]
struct Auditor {
    copies: HashMap<String, Copies>,
    /// The names of all files that a snapshot names.
    named: BTreeSet<String>,
    missing: AnomalyCount,
    twice: AnomalyCount,
    lineage: AnomalyCount,
    orphans: AnomalyCount,
    absent: AnomalyCount,
    unreadable: AnomalyCount,
}

impl Default for Auditor {
    fn default() -> Self {
        Self {
            copies: HashMap::new(),
            named: BTreeSet::new(),
            missing: AnomalyCount::none("missing_records"),
            twice: AnomalyCount::none("duplicate_records"),
            lineage: AnomalyCount::none("broken_lineage"),
            orphans: AnomalyCount::none("orphan_files"),
            absent: AnomalyCount::none("absent_files"),
            unreadable: AnomalyCount::none("unreadable_files"),
        }
    }
}

impl Auditor {
    /// What could be read. None if it is damaged, which is noted.
    fn readable<T>(&mut self, read: Result<T, Unreadable>) -> Result<Option<T>, Unreadable> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(Unreadable::Damaged(damage)) if damage.is_absence() => {
                self.absent.found(|| damage.to_string());
                Ok(None)
            }
            Err(Unreadable::Damaged(damage)) => {
                self.unreadable.found(|| damage.to_string());
                Ok(None)
            }
            Err(refused) => Err(refused),
        }
    }

    /// Reads the book of what was acknowledged.
    fn read_book(
        &mut self,
        table: &Table,
        mut note: impl FnMut(&mut Copies),
    ) -> Result<(), Unreadable> {
        let read = table.each_acknowledged(|key| {
            note(self.copies.entry(key.to_owned()).or_default());
        });
        read.map_err(|error| Unreadable::of_file(&table.acknowledged(), &error))
    }

    fn count_records(&mut self, current: &Snapshot) -> Result<(), Unreadable> {
        for manifest in &current.metadata.manifests {
            let files = current.files_in(manifest);
            for file in self.readable(files)?.unwrap_or_default() {
                // Looked at first: its own reading uses the file as well.
                let is_settled = current.is_unused(&file);
                let is_settled = self.readable(is_settled)? == Some(true);
                let read = current.read(&file);
                for record in self.readable(read)?.unwrap_or_default() {
                    let copies = self.copies.entry(record.key).or_default();
                    copies.there += 1;
                    copies.settled += u64::from(is_settled);
                }
            }
        }
        Ok(())
    }

    /// Which files the snapshots name, and whose parent is whose. `settled` are those that nobody
    /// was writing before the current one was read: each of them is followed by that one, or was
    /// lost.
    fn look_at_snapshots(
        &mut self,
        table: &Table,
        settled: &BTreeSet<String>,
        current: Option<&Snapshot>,
    ) -> Result<(), Unreadable> {
        let mut known = BTreeMap::new();
        let mut read = BTreeSet::new();
        for listed in table.snapshots()? {
            let opened = table.open_snapshot(&listed.name);
            let Some(snapshot) = self.readable(opened)?.flatten() else {
                continue;
            };
            for manifest in &snapshot.metadata.manifests {
                if read.insert(manifest.file.clone()) {
                    let files = snapshot.files_in(manifest);
                    let files = self.readable(files)?.unwrap_or_default();
                    self.named.extend(files.into_iter().map(|it| it.file));
                }
            }
            let id = snapshot.metadata.snapshot_id;
            known.insert(id, (listed.name, snapshot.metadata.clone()));
        }
        self.named.extend(read);
        let mut next = current.map(|it| it.metadata.snapshot_id);
        let mut of_the_table = BTreeSet::new();
        while let Some(id) = next.filter(|it| of_the_table.insert(*it)) {
            next = known.get(&id).and_then(|(_, metadata)| metadata.parent);
        }
        for (id, (name, metadata)) in &known {
            let parent = metadata.parent.and_then(|it| known.get(&it));
            let follows = parent.is_none_or(|(_, it)| it.version + 1 == metadata.version);
            if current.is_some() && settled.contains(name) && !of_the_table.contains(id) {
                self.lineage
                    .found(|| format!("metadata/{name}: the current snapshot does not follow it"));
            } else if !follows {
                self.lineage
                    .found(|| format!("metadata/{name}: its parent is not the version before"));
            }
        }
        Ok(())
    }

    /// `left` are the files that nobody used before it was read which of them are named.
    fn look_at_files(&mut self, left: Vec<Listing>) -> Result<(), Unreadable> {
        for file in left {
            let is_left = is_unused(&file.path);
            let is_left = is_left.map_err(|error| Unreadable::of_file(&file.path, &error))?;
            if is_left && !self.named.contains(&file.name) {
                let name = file.name;
                self.orphans
                    .found(|| format!("{name}: no snapshot names it"));
            }
        }
        Ok(())
    }

    fn compare(&mut self) {
        let mut copies: Vec<_> = self.copies.drain().collect();
        copies.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (key, copies) in copies {
            for _ in copies.there..copies.acknowledged {
                self.missing
                    .found(|| format!("{key:?} was acknowledged, and is not there"));
            }
            // One that was never acknowledged may be of a client whose answer was lost.
            for _ in copies.acknowledged_since.max(1)..copies.settled {
                self.twice
                    .found(|| format!("{key:?} is there {} times", copies.there));
            }
        }
    }

    fn into_anomalies(self) -> [AnomalyCount; 6] {
        [
            self.missing,
            self.twice,
            self.lineage,
            self.orphans,
            self.absent,
            self.unreadable,
        ]
    }
}

/// Keeps the expiry away, which could otherwise be between the removal of a snapshot and that of
/// its files. None if nothing can be removed, because the folder is read-only.
fn without_expiry(table: &Table) -> Result<Option<FileLock>, Unreadable> {
    let lock = table.expiry_lock();
    match FileLock::take_shared(&lock) {
        Ok(taken) => Ok(Some(taken)),
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => Ok(None),
        Err(error) => Err(Unreadable::of_file(&lock, &error)),
    }
}

/// The snapshots that nobody is writing or reading.
fn settled(table: &Table) -> Result<BTreeSet<String>, Unreadable> {
    let mut settled = BTreeSet::new();
    for listed in table.snapshots()? {
        let unused = is_unused(&listed.path);
        if unused.map_err(|error| Unreadable::of_file(&listed.path, &error))? {
            settled.insert(listed.name);
        }
    }
    Ok(settled)
}
