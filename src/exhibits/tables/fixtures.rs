//! The tables that the explorer's runs work on: one for each run, in a temporary folder.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use super::Strategy;
use super::disk::{DataFile, Draft, KeptBy, Record, Table, TableName, Tables, Unreadable};
use crate::engine::{Database, Fault};
use crate::exhibits::files::blocking;
use crate::explore::{Pending, Rows};

/// A folder of tables. It is removed when the last run has ended.
#[derive(Debug)]
pub(super) struct Ground {
    writer: Strategy,
    /// How many commits a table has seen when a run begins.
    commits: u32,
    place: OnceLock<Result<TempDir, Fault>>,
    next: AtomicI64,
}

impl Ground {
    /// A folder for tables of this strategy, which have seen this number of commits.
    pub(super) fn of(writer: Strategy, commits: u32) -> Self {
        Self {
            writer,
            commits,
            place: OnceLock::new(),
            // Larger than any number of a version or of records.
            next: AtomicI64::new(1000),
        }
    }

    /// What one instance of the service has in its memory about the folder.
    pub(super) fn tables(&self) -> Result<Tables, Fault> {
        let place = self.place.get_or_init(|| {
            let made = tempfile::Builder::new().prefix("racy_explore_").tempdir();
            made.map_err(|error| Fault::of_file("the explorer's folder", &error))
        });
        place
            .as_ref()
            .map(|it| Tables::at(it.path()))
            .map_err(Clone::clone)
    }

    /// The table of this run.
    pub(super) fn table(&self, run: i64) -> Result<Table, Fault> {
        Ok(self.tables()?.table(&name_of(run)?))
    }
}

/// The name of a run's table.
pub(super) fn name_of(run: i64) -> Result<TableName, Fault> {
    format!("run{run}")
        .parse()
        .map_err(|error| Fault::other(format!("run {run}: {error}")))
}

impl Rows for Ground {
    /// Each table has a record, so that a pointer to nothing is not taken for an empty table.
    fn make<'a>(
        &'a self,
        _database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        Box::pin(async move {
            let mut runs = Vec::new();
            for _ in 0..count {
                let run = self.next.fetch_add(1, Ordering::Relaxed);
                let table = self.table(run)?;
                let (kept_by, commits) = (self.writer.kept_by, self.commits);
                let made = blocking("the table could not be made", move || {
                    begin(&table, kept_by, commits).map_err(|why| io::Error::other(why.to_string()))
                });
                made.await?;
                runs.push(run);
            }
            Ok(runs)
        })
    }

    fn remove<'a>(
        &'a self,
        _database: &'a Database,
        ids: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move {
            for run in ids {
                let path = self.table(*run)?.path().to_owned();
                blocking("the table could not be removed", || {
                    fs::remove_dir_all(path)
                })
                .await?;
            }
            Ok(())
        })
    }

    /// No step has the number of its table.
    fn id_is_unambiguous(&self, _id: i64) -> bool {
        true
    }
}

/// Makes a table with a record for each commit.
fn begin(table: &Table, kept_by: KeptBy, commits: u32) -> Result<(), Unreadable> {
    let _kept = table.prepare(kept_by)?;
    for number in 0..commits {
        commit(table, kept_by, format!("first {number}"))?;
    }
    Ok(())
}

fn commit(table: &Table, kept_by: KeptBy, key: String) -> Result<(), Unreadable> {
    let refused = |error: io::Error| Unreadable::of_file(&table.metadata_folder(), &error);
    let record = Record { key, value: 0 };
    let base = table.current()?;
    let data = DataFile::write(table, std::slice::from_ref(&record), None).map_err(refused)?;
    let added = Arc::new(vec![data]);
    match kept_by {
        KeptBy::Versions => {
            Draft::write(table, base, added)?.link().map_err(refused)?;
        }
        KeptBy::Pointer => {
            let draft = Draft::write_beside(table, base, added)?;
            fs::write(table.pointer(), draft.name()).map_err(refused)?;
        }
    }
    table.acknowledge(&[record]).map_err(refused)
}
