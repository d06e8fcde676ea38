//! # Rename a new pointer over the old one
//!
//! As `overwrite_pointer`, but the new pointer is written beside the old one, and renamed over it.
//!
//! ## Why it breaks
//!
//! A rename happens in one instant, so every reader finds a whole pointer: the old one or the new
//! one. That is a cure for readers. Two writers that have read the same snapshot still rename one
//! after the other, and the last one wins. A rename asks nothing: it replaces whatever is there.
//!
//! The truth about this table is the pointer.
//!
//! ## The smallest schedule that breaks it
//!
//! 'A A A B B B B A': A has read, B appends, and A renames its pointer over B's. 68 of 70 schedules
//! of two writers lose an append. In the other 2 one comes after the other.
//!
//! There is none that shows a reader half a pointer, of 15, and none in which a kill breaks the
//! table, of 5. The other writer may also remove what is old, as in 'A A A B B B B B B B A'. Then
//! 294 of 330 schedules lose an append, and none loses a file.
//!
//! ## What it costs
//!
//! A temporary file more than `overwrite_pointer`. A writer that is killed leaves files that no
//! snapshot names, and never a table that cannot be read.
//!
//! ## Where people meet it
//!
//! "Write to a temporary file and rename it" is good advice, and is taken for more than it is: for
//! state files, for caches, and for `latest` links that are switched with `ln -sfn`.

use super::anomalies::lost;
use super::disk::Table;
use super::parts::{read_current, rename_pointer, write_data, write_metadata_beside};
use super::{Append, Appended, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Rename a new pointer over the old one",
    expected: &on_every_engine(&[lost(68), safe(2)]),
    file: file!(),
    source: include_str!("rename_pointer.rs"),
};

/// What is expected of one client that reads and one that appends.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(15)]);

/// What is expected of a writer that is killed, and one that kills it and appends.
pub const KILLED: &[Expectation] = &on_every_engine(&[safe(5)]);

/// What is expected of one client that appends, and one that appends and then removes what is old.
pub const WITH_EXPIRY: &[Expectation] = &on_every_engine(&[lost(294), safe(36)]);

/// Appends the records.
pub async fn append(
    s: &mut Session<'_>,
    table: &Table,
    wanted: &Append,
) -> Result<Appended, Refusal> {
    let current = read_current(s, table).await?;
    let data = write_data(s, table, wanted).await?;
    let draft = write_metadata_beside(s, table, current, &data).await?;

    // Whole at every moment, and still nobody asks what it replaces.
    rename_pointer(s, table, &draft).await?;
    Ok(draft.appended(1))
}
