//! # All clients write the same file
//!
//! `open("transactions.csv", "w")`, the header, row by row, close; then the page links to the file.
//! Such code is written in an afternoon for one user, and works for one user.
//!
//! ## Why it breaks
//!
//! Opening the file empties it, also while another client writes into it or reads it. And each
//! client that has it open writes at *its own* position, not at the file's end. So the second
//! client's rows lie over the first client's: rows of both, in one file that looks like any other.
//! Or the second client empties the file in the middle of the first one's rows. These go on behind
//! a gap, and the file begins with zero bytes.
//!
//! The clients do not notice. Every call succeeds, and both get the same answer: here is your file.
//! Most languages put a buffer in between. Then small exports are written at once and never meet,
//! and the race waits until they have grown.
//!
//! A transaction in the database does not help: the file takes no part in it.
//!
//! ## The smallest schedule that breaks it
//!
//! 'A A A B B B B A': B opens the file, and is done, between A's two rows. A is told that its file
//! is ready, and it has B's first row and A's second one. Of 70 schedules 40 mix the two exports,
//! and 8 break one: when B is told, the file begins with zero bytes.
//!
//! A reader needs less luck: 'B B A B B', where A downloads and B exports, and A finds an empty
//! file. Of 26 schedules 17 break it or mix it.
//!
//! ## What it costs
//!
//! Nothing, and that is how it gets everywhere. An export that fails half way removes the file, and
//! with it what others have written into it, because it cannot tell the writers apart. It is
//! answered with `refused`, which is true of this export, of which nothing is left. But the one
//! that was there before is gone as well. Other clients are told that theirs is ready, and find no
//! file.
//!
//! ## Where people meet it
//!
//! - Reports under a fixed name in `/tmp` or on a network drive.
//! - Nightly exports that overlap when a night gets longer.
//! - Uploads that are imported before they are complete.

use super::anomalies::{broken, mixed_export};
use super::file::ExportFile;
use super::rows::Rows;
use super::{Export, ExportRequest, FileName, Folder, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "All clients write the same file",
    expected: &on_every_engine(&[mixed_export(40), broken(8), safe(22)]),
    file: file!(),
    source: include_str!("shared_file.rs"),
};

/// What is expected of one client that downloads and one that exports.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[mixed_export(3), broken(14), safe(9)]);

/// Exports the account's transactions.
pub async fn export(
    s: &mut Session<'_>,
    folder: &Folder,
    wanted: &ExportRequest,
) -> Result<Export, Refusal> {
    let rows = Rows::of(s, wanted).await?;
    let mut file = ExportFile::overwrite(s, folder, &FileName::shared()).await?;
    let written = file.fill(s, wanted, rows).await?;
    file.finish();
    Ok(written.into(FileName::shared()))
}
