//! The third exhibit: a CSV file. Several clients export an account's transactions on the server at
//! the same time, all into the same folder.
//!
//! | file | strategy |
//! |---|---|
//! | [`shared_file`] | each client writes `transactions.csv` |
//! | [`file_lock`] | each client writes it, one after the other |
//! | [`unique_file`] | each client writes a file of its own |
//! | [`atomic_rename`] | each client writes a file of its own and renames it to `transactions.csv` |
//!
//! The invariant: an export that was reported as ready, and one that is downloaded, is whole and is
//! *one* export. [`audit`] reads this off the file: every row has the number of its export, and the
//! last line says how many rows there are. It does not ask whose export it is. A download of
//! `transactions.csv` is the last export, perhaps another client's.
//!
//! In the explorer two clients export the same account of two transactions. Each audits its file at
//! the moment at which it is told that the file is ready. In `…, reader` client A downloads the
//! file of an earlier export, while every other client exports.

mod anomalies;
pub mod atomic_rename;
pub mod audit;
mod download;
mod explored;
mod file;
pub mod file_lock;
mod folder;
pub mod janitor;
mod lines;
mod name;
mod rows;
pub mod shared_file;
mod sheet;
pub mod unique_file;

use std::pin::Pin;

use serde::Serialize;
use utoipa::ToSchema;

pub use anomalies::{ANOMALIES, BROKEN_EXPORT, MIXED_EXPORT};
pub use download::Download;
pub use explored::{EXPLORED, Explored};
pub use folder::{Folder, Held};
pub use name::{FileName, NoName};
pub use sheet::ExportId;

use crate::engine::{Database, Engine, Fault, Session};
use crate::exhibits::card::{Card, Expectation};
use crate::step::Observer;

/// What is to be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The account's number.
    pub account: i64,
}

/// What was written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    export: ExportId,
    rows: u64,
    bytes: u64,
}

impl Written {
    /// It is to be had under this name.
    fn into(self, file: FileName) -> Export {
        Export {
            export: self.export,
            file,
            rows: self.rows,
            bytes: self.bytes,
        }
    }
}

/// An export that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Export {
    /// The number that every row of it has.
    pub export: ExportId,
    /// Its name.
    #[schema(value_type = String)]
    pub file: FileName,
    /// How many transactions it has.
    pub rows: u64,
    /// How many bytes were written.
    pub bytes: u64,
}

/// Why there is no export. Nothing is left of it then; what it has emptied or removed for that, be it an earlier export
/// or one that somebody else was writing into the same file, does not come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such account.
    UnknownAccount,
    /// The engine refused, a lock was not to be had in time, or the file could not be written.
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a strategy's function returns.
pub type Exporting<'f> = Pin<Box<dyn Future<Output = Result<Export, Refusal>> + Send + 'f>>;

/// One way to export, as it is registered.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// Its name among the strategies of all exhibits.
    pub name: &'static str,
    /// Its name where only exports are spoken of, as a request gives it.
    pub short_name: &'static str,
    /// What its file says about it.
    pub card: &'static Card,
    /// What the schedules of one who downloads and one who exports lead to, engine by engine.
    pub with_reader: &'static [Expectation],
    /// The function itself.
    pub export: for<'f> fn(&'f mut Session<'_>, &'f Folder, &'f Wanted) -> Exporting<'f>,
}

/// All ways to export, in the order in which they are taught.
pub static STRATEGIES: [Strategy; 4] = [
    Strategy {
        name: "exports/shared_file",
        short_name: "shared_file",
        card: &shared_file::CARD,
        with_reader: shared_file::WITH_READER,
        export: |s, folder, wanted| Box::pin(shared_file::export(s, folder, wanted)),
    },
    Strategy {
        name: "exports/file_lock",
        short_name: "file_lock",
        card: &file_lock::CARD,
        with_reader: file_lock::WITH_READER,
        export: |s, folder, wanted| Box::pin(file_lock::export(s, folder, wanted)),
    },
    Strategy {
        name: "exports/unique_file",
        short_name: "unique_file",
        card: &unique_file::CARD,
        with_reader: unique_file::WITH_READER,
        export: |s, folder, wanted| Box::pin(unique_file::export(s, folder, wanted)),
    },
    Strategy {
        name: "exports/atomic_rename",
        short_name: "atomic_rename",
        card: &atomic_rename::CARD,
        with_reader: atomic_rename::WITH_READER,
        export: |s, folder, wanted| Box::pin(atomic_rename::export(s, folder, wanted)),
    },
];

impl Strategy {
    /// The one of that short name.
    pub fn named(short_name: &str) -> Option<&'static Self> {
        let mut strategies = STRATEGIES.iter();
        strategies.find(|it| it.short_name == short_name)
    }

    /// Whether no export is ever mixed or broken on this engine, for those who write and for those who download.
    pub fn must_be_safe_on(&self, engine: &Engine) -> bool {
        let with_reader = Expectation::on(engine, self.with_reader);
        self.card.must_be_safe_on(engine) && with_reader.is_some_and(Expectation::is_safe)
    }

    /// Exports on a connection from the pool.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn perform(
        &self,
        database: &Database,
        folder: &Folder,
        wanted: &Wanted,
        observer: &dyn Observer,
    ) -> Result<Export, Refusal> {
        let session = database.session(observer).await?;
        self.perform_in(session, folder, wanted).await
    }

    /// As [`perform`](Self::perform), in a session that is there already.
    ///
    /// # Errors
    /// As [`perform`](Self::perform).
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        folder: &Folder,
        wanted: &Wanted,
    ) -> Result<Export, Refusal> {
        let exported = (self.export)(&mut session, folder, wanted).await;
        session.end().await;
        exported
    }
}
