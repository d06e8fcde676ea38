//! # Everybody writes a file of their own
//!
//! `transactions-8f3a6c21d94be07f.csv`: the name has 64 random bits, and the answer tells it to nobody but the one who has
//! asked for the export.
//!
//! ## Why it holds
//!
//! What is not shared needs no lock. The file is made with `O_EXCL`, so that even if the same name were drawn twice, the
//! second one would be refused and not write into the first one's file. And nobody reads it too early, because nobody
//! knows its name before it is whole. A name made of the time, the user or the process would not do: two clicks fall into
//! one second, users have two windows, and process numbers come again.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 70 schedules of two who export are safe, and all 35 of one who exports and one who downloads.
//!
//! ## What it costs
//!
//! Files pile up, and somebody has to take them away: here the janitor, who deletes what is older than `--export-ttl`
//! and what nobody has open. There is no name under which the latest export is always to be found.
//!
//! ## Where people meet it
//!
//! `mkstemp`, uploads in web frameworks, S3 keys with a UUID in them, build caches.

use super::file::ExportFile;
use super::rows::Rows;
use super::{Export, FileName, Folder, Refusal, Wanted};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Everybody writes a file of their own",
    expected: &on_every_engine(&[safe(70)]),
    source: include_str!("unique_file.rs"),
};

/// What a reader gets of an earlier export while somebody exports.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(35)]);

/// Exports the account's transactions.
///
/// # Errors
/// [`Refusal`].
pub async fn export(
    s: &mut Session<'_>,
    folder: &Folder,
    wanted: &Wanted,
) -> Result<Export, Refusal> {
    let rows = Rows::of(s, wanted).await?;
    let name = FileName::draw()?;
    let path = name.as_str().to_owned();
    let mut file = ExportFile::create(s, folder, "create a file of its own", path).await?;
    let written = file.fill(s, wanted, rows).await?;
    file.finish();
    Ok(written.into(name))
}
