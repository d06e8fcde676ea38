//! The expiry: removes old snapshots and the files that no snapshot names any more.
//!
//! It keeps the newest `--table-keep` snapshots of each table, and every one that a reader is in.
//! It keeps nothing in memory, so a restart changes nothing. A client that reads a snapshot, or
//! writes files that no snapshot names yet, has a shared lock on them; a client that was killed has
//! not. The expiry deletes a file only while it has the exclusive lock, for which it does not wait.
//!
//! The order matters. Which files nobody uses is found first, and which of them are named is read
//! afterwards. A file gets its name when it is locked already (`write_new`), and its writer lets go
//! of it only after the commit (`Draft`, `DataFiles`). So a file that was found unused is either
//! named by then, or its writer has given up.
//!
//! A writer also holds the snapshot that its own is going to follow (`Draft`), so the name of the
//! next version is never free again. Versions are deleted from the lowest one upwards, and the
//! first that is in use ends it: the highest version is found by counting up, so no version may be
//! missing in between.
//!
//! If several replicas share a folder, one of them works on a table at a time: the one that holds
//! the lock file.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::disk::{
    KeptBy, Listing, Table, Tables, Unreadable, is_data, is_manifest, is_temporary, is_unused,
    names_in,
};
use crate::engine::{Fault, FileLock};
use crate::exhibits::files::blocking;

/// The tables to look after, and how.
#[derive(Debug, Clone)]
pub struct Expiry {
    /// The tables.
    pub tables: Tables,
    /// How many of its newest snapshots each table keeps. At least 1.
    pub keep: usize,
    /// The time from one look to the next.
    pub every: Duration,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// The number of snapshots.
    pub snapshots: u64,
    /// The number of data files, manifests and temporary files.
    pub files: u64,
}

impl Expiry {
    /// Looks after all tables now and after each interval, without end.
    pub async fn run(self) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let expiry = self.clone();
            let looked = blocking("the tables could not be listed", move || {
                expiry.look_after_all();
                Ok(())
            });
            if let Err(fault) = looked.await {
                tracing::warn!("tables: {fault}");
            }
        }
    }

    fn look_after_all(&self) {
        let names = match self.tables.names() {
            Ok(names) => names,
            Err(error) => return tracing::warn!("tables: they could not be listed: {error}"),
        };
        for name in names {
            match expire(&self.tables.table(&name), self.keep) {
                Ok(Some(expired)) if expired != Expired::default() => tracing::info!(
                    "tables: {} old snapshots and {} unused files of {name} removed",
                    expired.snapshots,
                    expired.files
                ),
                Ok(_) | Err(Unreadable::NoTable) => {}
                // A damaged table is left as it is: what is unused cannot be told.
                Err(why) => tracing::warn!("tables: {name} is left as it is: {why}"),
            }
        }
    }
}

/// Removes what a table does not need any more. None if another instance or an audit is at it.
///
/// # Errors
/// A snapshot that is kept cannot be read, a version is missing between two others, or the file
/// system refuses.
pub fn expire(table: &Table, keep: usize) -> Result<Option<Expired>, Unreadable> {
    let Some(mut sweep) = Sweep::begin(table)? else {
        return Ok(None);
    };
    sweep.remove_snapshots(keep)?;
    sweep.remove_files()?;
    Ok(Some(sweep.expired))
}

/// One look after a table. No other instance looks after it while this value lives.
#[derive(Debug)]
pub(super) struct Sweep {
    table: Table,
    unused: Vec<Listing>,
    expired: Expired,
    _lock: FileLock,
}

impl Sweep {
    /// Finds the files that nobody uses. None if another instance or an audit is at the table.
    pub(super) fn begin(table: &Table) -> Result<Option<Self>, Unreadable> {
        table.kept_by()?;
        let lock = FileLock::try_take(&table.expiry_lock());
        let Some(lock) = lock.map_err(refused)? else {
            return Ok(None);
        };
        if let Some(gap) = table.gap()? {
            return Err(gap.into());
        }
        Ok(Some(Self {
            table: table.clone(),
            unused: unused_files(table)?,
            expired: Expired::default(),
            _lock: lock,
        }))
    }

    /// Removes all but the newest snapshots, up to the first that is in use. Nothing is removed if
    /// one that stays is damaged.
    pub(super) fn remove_snapshots(&mut self, keep: usize) -> Result<(), Unreadable> {
        let (table, kept_by) = (&self.table, self.table.kept_by()?);
        let current = table.current()?;
        let snapshots = table.snapshots()?;
        let (kept, old) = snapshots.split_at(keep.max(1).min(snapshots.len()));
        named_files(table, kept)?;
        for old in old.iter().rev() {
            if old.name == current.name {
                break;
            }
            // A pointer may have come to name it since. No client can do so while it is locked.
            let is_old =
                || kept_by == KeptBy::Versions || table.pointed_at() != Ok(old.name.clone());
            if !remove_unused(&old.path, is_old).map_err(refused)? {
                break;
            }
            self.expired.snapshots += 1;
        }
        Ok(())
    }

    /// Removes the files that nobody uses and no snapshot names.
    pub(super) fn remove_files(&mut self) -> Result<(), Unreadable> {
        let named = named_files(&self.table, &self.table.snapshots()?)?;
        for file in &self.unused {
            if !named.contains(&file.name) && remove_unused(&file.path, || true).map_err(refused)? {
                self.expired.files += 1;
            }
        }
        Ok(())
    }
}

/// Data files, manifests and temporary files that nobody uses at this moment.
pub(super) fn unused_files(table: &Table) -> Result<Vec<Listing>, Unreadable> {
    let mut unused = Vec::new();
    for folder in [table.data_folder(), table.metadata_folder()] {
        let refused = |error| Unreadable::of_file(&folder, &error);
        for file in names_in(&folder).map_err(refused)? {
            let is_ours =
                is_data(&file.name) || is_manifest(&file.name) || is_temporary(&file.name);
            // A file of which it cannot be said is never taken for unused.
            if is_ours && is_unused(&file.path).map_err(refused)? {
                unused.push(file);
            }
        }
    }
    Ok(unused)
}

/// The names of all files that these snapshots name.
fn named_files(table: &Table, snapshots: &[Listing]) -> Result<BTreeSet<String>, Unreadable> {
    let mut named = BTreeSet::new();
    for listed in snapshots {
        let Some(snapshot) = table.open_snapshot(&listed.name)? else {
            continue;
        };
        for manifest in &snapshot.metadata.manifests {
            // Most snapshots name the same ones.
            if named.insert(manifest.file.clone()) {
                let files = snapshot.files_in(manifest)?;
                named.extend(files.into_iter().map(|it| it.file));
            }
        }
    }
    Ok(named)
}

/// Deletes a file, unless it is in use, or is still wanted once it is locked. Returns whether it is
/// gone.
fn remove_unused(path: &Path, is_old: impl FnOnce() -> bool) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    if file.try_lock().is_err() || !is_old() {
        return Ok(false);
    }
    fs::remove_file(path)?;
    Ok(true)
}

fn refused(error: io::Error) -> Unreadable {
    Unreadable::Fault(Fault::of_file("a table could not be tidied up", &error))
}
