//! # Each client renames a file of its own
//!
//! The export is written into a temporary file in the same folder and brought to the disk. Then the
//! file is renamed to `transactions.csv`, over the file that had that name.
//!
//! ## Why it holds
//!
//! No other client knows the temporary file, so no two exports meet in it. And a rename happens in
//! one instant. Before it the name leads to the old export, after it to the new one. At no moment
//! does it lead to nothing or to half an export. A reader that has the old file open goes on
//! reading it to its end: a file lives while it is open, with a name or without one. That is the
//! difference from `file_lock`: readers need not take part.
//!
//! The temporary file is in the *same* folder because a rename does not reach from one file system
//! into another: `mv` copies then, and a copy takes its time. It is brought to the disk first
//! (`fsync`). Otherwise a machine that loses its power may keep the new name and not what was
//! written under it.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 252 schedules of two clients that export are safe, and all 56 of one that
//! exports and one that downloads.
//!
//! ## What it costs
//!
//! Room for one export more while it is written, and the `fsync`. Of two exports at the same time
//! the last one to be ready remains. A download is a whole export, but perhaps another client's. A
//! client that needs its own uses `unique_file`.
//!
//! ## Where people meet it
//!
//! `os.replace`, `Files.move(…, ATOMIC_MOVE)`, `mv -T`. Editors when they save, package managers,
//! browsers' downloads (`.part`, `.crdownload`), `git`'s references.

use super::file::ExportFile;
use super::rows::Rows;
use super::{Export, ExportRequest, FileName, Folder, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Each client renames a file of its own",
    expected: &on_every_engine(&[safe(252)]),
    file: file!(),
    source: include_str!("atomic_rename.rs"),
};

/// What is expected of one client that downloads and one that exports.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(56)]);

/// Exports the account's transactions.
pub async fn export(
    s: &mut Session<'_>,
    folder: &Folder,
    wanted: &ExportRequest,
) -> Result<Export, Refusal> {
    let rows = Rows::of(s, wanted).await?;
    let temporary = FileName::draw()?.temporary();
    let mut file = ExportFile::create(s, folder, "create a temporary file", temporary).await?;
    let written = file.fill(s, wanted, rows).await?;
    file.rename(s, folder, &FileName::shared()).await?;
    Ok(written.into(FileName::shared()))
}
