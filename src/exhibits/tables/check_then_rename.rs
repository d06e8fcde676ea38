//! # Look again before the rename
//!
//! As `rename_pointer`, but the writer reads the pointer once more before it renames. If another
//! writer has committed meanwhile, it gives up and says so.
//!
//! ## Why it breaks
//!
//! Between the look and the rename there is still a moment. Two writers look, both find what they
//! had read, and both rename. The window is smaller than before, because the slow part of the work
//! lies before the look. It is not gone, and no third look closes it: what is needed is one
//! operation that compares *and* swaps.
//!
//! The truth about this table is the pointer.
//!
//! ## The smallest schedule that breaks it
//!
//! 'A A A A B B B B B A': A has looked again, B appends, and A renames. 140 of 252 schedules of two
//! writers lose an append, and in 110 one of them is told of a conflict.
//!
//! There is none that shows a reader half a pointer, of 21, and none in which a kill breaks the
//! table, of 6.
//!
//! ## What it costs
//!
//! A read more than `rename_pointer`. It loses less often, so it is found later: in production, on
//! the day with the most load.
//!
//! ## Where people meet it
//!
//! `if (lastModified == before) save()`; `If-Unmodified-Since` that a server checks before it opens
//! the file; a script that compares a checksum and moves the file then.

use super::anomalies::lost;
use super::disk::Table;
use super::parts::{read_current, rename_pointer, step, write_data, write_metadata_beside};
use super::{Append, Appended, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, declined, on_every_engine, safe};
use crate::step::{Action, Effect};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Look again before the rename",
    expected: &on_every_engine(&[lost(140), declined(110), safe(2)]),
    file: file!(),
    source: include_str!("check_then_rename.rs"),
};

/// What is expected of one client that reads and one that appends.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(21)]);

/// What is expected of a writer that is killed, and one that kills it and appends.
pub const KILLED: &[Expectation] = &on_every_engine(&[safe(6)]);

/// Appends the records.
///
/// # Errors
/// [`Refusal::Conflict`] if another writer was seen to have committed.
pub async fn append(
    s: &mut Session<'_>,
    table: &Table,
    wanted: &Append,
) -> Result<Appended, Refusal> {
    let current = read_current(s, table).await?;
    let read = current.name.clone();
    let data = write_data(s, table, wanted).await?;
    let draft = write_metadata_beside(s, table, current, &data).await?;

    let look = (Action::Read, "look at pointer again", Effect::Reads);
    let again = table.clone();
    let now = step(s, look, move || again.pointed_at()).await?;
    if now != read {
        return Err(Refusal::Conflict { attempts: 1 });
    }
    // Here another writer may still rename.
    rename_pointer(s, table, &draft).await?;
    Ok(draft.appended(1))
}
