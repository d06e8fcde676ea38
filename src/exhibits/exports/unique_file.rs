//! # Each client writes a file of its own
//!
//! `transactions-8f3a6c21d94be07f.csv`: the name has 64 random bits, and only the client that has
//! asked for the export is told the name.
//!
//! ## Why it holds
//!
//! What is not shared needs no lock. The file is made with `O_EXCL`: even if the same name were
//! drawn twice, the second export would be refused and not write into the first one's file. And no
//! client reads the file too early, because no client knows its name before it is whole. A name
//! made of the time, the user or the process would not do: two clicks fall into one second, users
//! have two windows, and process numbers are reused.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 70 schedules of two clients that export are safe, and all 35 of one that
//! exports and one that downloads.
//!
//! ## What it costs
//!
//! Files pile up and have to be deleted: here by the janitor, which deletes files that are older
//! than `--export-ttl` and not open. There is no name under which the latest export can always be
//! found.
//!
//! ## Where people meet it
//!
//! `mkstemp`, uploads in web frameworks, S3 keys with a UUID in them, build caches.

use super::file::ExportFile;
use super::rows::Rows;
use super::{Export, ExportRequest, FileName, Folder, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Each client writes a file of its own",
    expected: &on_every_engine(&[safe(70)]),
    file: file!(),
    source: include_str!("unique_file.rs"),
};

/// What is expected of one client that downloads an earlier export and one that exports.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(35)]);

/// Exports the account's transactions.
pub async fn export(
    s: &mut Session<'_>,
    folder: &Folder,
    wanted: &ExportRequest,
) -> Result<Export, Refusal> {
    let rows = Rows::of(s, wanted).await?;
    let name = FileName::draw()?;
    let path = name.as_str().to_owned();
    let mut file = ExportFile::create(s, folder, "create a file of its own", path).await?;
    let written = file.fill(s, wanted, rows).await?;
    file.finish();
    Ok(written.into(name))
}
