//! # All clients write the same file, one after the other
//!
//! As `shared_file`, but a writer holds an exclusive lock on a lock file beside it. Others wait
//! until it is released, as long as for a row's lock.
//!
//! ## Why it holds, and for whom
//!
//! While a writer holds the lock, no other writer opens the file, so no two exports ever meet in
//! it. The lock is the operating system's. It holds between processes, and between containers that
//! share the folder, and a process that is killed releases it. It is on a file of its own, which is
//! never removed or replaced. A lock on the export itself would be on a file that might no longer
//! be the one of that name.
//!
//! But the lock is one by agreement, among those that ask for it. Readers do not ask, here as
//! elsewhere: a browser, a web server that hands out files, an import that looks every minute. They
//! find the file empty or half written, as with `shared_file`. And the export that was there before
//! is lost as soon as the next one begins.
//!
//! ## The smallest schedule that breaks it
//!
//! Among writers: There is none. All 36 schedules of two are safe. With a reader it is
//! 'B B B A B B', where A downloads and B exports, and A finds an empty file. Of 45 schedules 28
//! break the download or mix it.
//!
//! ## What it costs
//!
//! Exports no longer run side by side. Each waits for all before it, and holds its database
//! connection meanwhile; one that is slow holds up all others. One that fails half way removes the
//! file, which no other client writes; but the export that it has emptied is gone. On network
//! drives, look before you trust: some keep `flock` to one host.
//!
//! ## Where people meet it
//!
//! `flock`, `File::lock`, in Python `fcntl.flock`, in a shell script `flock transactions.csv.lock
//! …`. `cron` jobs under `flock`, lock files of mail boxes and package managers.

use super::anomalies::{broken, mixed_export};
use super::file::ExportFile;
use super::rows::Rows;
use super::{Export, ExportRequest, FileName, Folder, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "All clients write the same file, one after the other",
    expected: &on_every_engine(&[safe(36)]),
    file: file!(),
    source: include_str!("file_lock.rs"),
};

/// What is expected of one client that downloads and one that exports.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[mixed_export(6), broken(22), safe(17)]);

/// Exports the account's transactions.
pub async fn export(
    s: &mut Session<'_>,
    folder: &Folder,
    wanted: &ExportRequest,
) -> Result<Export, Refusal> {
    let rows = Rows::of(s, wanted).await?;
    let lock = s.lock_file(&folder.lock_of(&FileName::shared())).await?;
    let mut file = ExportFile::overwrite(s, folder, &FileName::shared()).await?;
    let written = file.fill(s, wanted, rows).await?;
    file.finish();
    s.unlock_file(lock).await;
    Ok(written.into(FileName::shared()))
}
