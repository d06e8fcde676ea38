//! Tables made of files: several clients append to one folder, read it, and remove what is old.

mod damage;
mod expiry;
mod history;
mod http;
mod processes;
mod races;

use std::fs;
use std::path::{Path, PathBuf};

use racy::exhibits::Retry;
use racy::exhibits::tables::audit::Audit;
use racy::exhibits::tables::{
    Append, Appended, Reader, Record, Refusal, Strategy, Table, Tables, Unreadable,
};
use racy::step::Unobserved;
use tempfile::TempDir;

use crate::support::{Lab, TestEngine};

/// A folder for tables, and a database for the sessions of their clients.
#[derive(Debug)]
struct Ground {
    lab: Lab,
    folder: TempDir,
    tables: Tables,
}

impl Ground {
    async fn new() -> Self {
        let lab = TestEngine::Sqlite.lab().await;
        let folder = tempfile::tempdir().unwrap();
        let tables = Tables::at(folder.path().join("tables"));
        tables.create().unwrap();
        Self {
            lab,
            folder,
            tables,
        }
    }

    /// The table of this name, which need not exist.
    fn table(&self, name: &str) -> Table {
        self.tables.table(&name.parse().unwrap())
    }

    /// A file of the table `t`.
    fn file(&self, path: &str) -> PathBuf {
        self.tables.path().join("t").join(path)
    }

    /// Appends one record to the table `t`.
    async fn append(&self, strategy: &str, key: &str) -> Result<Appended, Refusal> {
        self.append_to(&self.table("t"), strategy, key).await
    }

    async fn append_to(
        &self,
        table: &Table,
        strategy: &str,
        key: &str,
    ) -> Result<Appended, Refusal> {
        let strategy = Strategy::named(strategy).unwrap();
        let pauses = Retry::Jitter.pauses();
        let wanted = one(key);
        let appended = strategy.perform(&self.lab.database, table, &wanted, pauses, &Unobserved);
        appended.await
    }

    fn audit(&self) -> Audit {
        Audit::of(&self.table("t")).unwrap()
    }

    /// The keys in the current snapshot.
    async fn keys(&self) -> Vec<String> {
        let reader = Reader::named("read_snapshot").unwrap();
        let wanted = racy::exhibits::tables::Wanted::ALL;
        let table = self.table("t");
        let read = reader.perform(&self.lab.database, &table, wanted, &Unobserved);
        let read = read.await.unwrap();
        assert!(read.is_one_snapshot && read.total == read.records.len() as u64);
        read.records.into_iter().map(|it| it.key).collect()
    }
}

/// One record with this key.
fn one(key: &str) -> Append {
    Append {
        records: vec![Record {
            key: key.to_owned(),
            value: 1,
        }],
        partition: None,
    }
}

/// How often each anomaly was found: missing, twice, lineage, orphans, absent, unreadable.
fn counts(audit: &Audit) -> [u64; 6] {
    audit.anomalies.each_ref().map(|it| it.count)
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// What is said of the table when it is read.
fn complaint(table: &Table) -> String {
    match table.metadata() {
        Err(Unreadable::Damaged(damage)) => damage.to_string(),
        other => panic!("{other:?}"),
    }
}
