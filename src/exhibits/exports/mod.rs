//! The third exhibit: a CSV file. Several clients export an account's transactions on the server at
//! the same time, all into the same folder.
//!
//! | file | strategy |
//! |---|---|
//! | [`shared_file`] | each client writes `transactions.csv` |
//! | [`file_lock`] | the same, one client after the other |
//! | [`unique_file`] | each client writes a file of its own |
//! | [`atomic_rename`] | as the third, but each file is renamed to `transactions.csv` |
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
mod export;
mod file;
pub mod file_lock;
mod folder;
pub mod janitor;
mod lines;
mod name;
mod rows;
pub mod shared_file;
mod sheet;
mod strategy;
pub mod unique_file;

pub use anomalies::{ANOMALIES, BROKEN_EXPORT, MIXED_EXPORT};
pub use download::Download;
pub use explored::EXHIBIT;
pub use export::{Export, ExportRequest, Refusal};
pub use folder::{Folder, FolderUsage};
pub use name::{FileName, InvalidFileName};
pub use sheet::ExportId;
pub use strategy::Strategy;

use export::ExportTotals;

/// All ways to export, in the order in which they are taught.
pub static STRATEGIES: [Strategy; 4] = [
    Strategy {
        full_name: "exports/shared_file",
        name: "shared_file",
        card: &shared_file::CARD,
        with_reader: shared_file::WITH_READER,
        export: |s, folder, wanted| Box::pin(shared_file::export(s, folder, wanted)),
    },
    Strategy {
        full_name: "exports/file_lock",
        name: "file_lock",
        card: &file_lock::CARD,
        with_reader: file_lock::WITH_READER,
        export: |s, folder, wanted| Box::pin(file_lock::export(s, folder, wanted)),
    },
    Strategy {
        full_name: "exports/unique_file",
        name: "unique_file",
        card: &unique_file::CARD,
        with_reader: unique_file::WITH_READER,
        export: |s, folder, wanted| Box::pin(unique_file::export(s, folder, wanted)),
    },
    Strategy {
        full_name: "exports/atomic_rename",
        name: "atomic_rename",
        card: &atomic_rename::CARD,
        with_reader: atomic_rename::WITH_READER,
        export: |s, folder, wanted| Box::pin(atomic_rename::export(s, folder, wanted)),
    },
];
