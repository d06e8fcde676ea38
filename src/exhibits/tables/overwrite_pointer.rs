//! # Overwrite the pointer
//!
//! A small file says which snapshot is the current one. A writer reads it, writes its data and its
//! metadata, and writes the name of its own snapshot into that file.
//!
//! ## Why it breaks
//!
//! Two writers read the same snapshot, and each makes one that follows it. The last to write the
//! pointer wins. The other one's snapshot is whole, its client was told so, and no snapshot that
//! comes later has its records: a *lost append*. It is the lost update of the deposits, on files.
//!
//! And a file that is overwritten is empty first. A reader that comes in between finds a pointer to
//! nothing. If the writer is killed there, it stays so, and the table cannot be read any more.
//!
//! The truth about this table is the pointer. How many versions there are says nothing.
//!
//! ## The smallest schedule that breaks it
//!
//! 'A A A A B A': A has emptied the pointer, and B finds nothing in it. 2 of 244 schedules of two
//! writers go so. In 240 more an append is lost: in 'A A A B B B B B A A' A has read, B appends,
//! and A replaces B's pointer by its own.
//!
//! With a reader it is 'B B B B A B', 1 of 20. And if a writer is killed there, 'A A A A B B', the
//! table cannot be read any more: 1 of 6.
//!
//! ## What it costs
//!
//! Two reads and four small writes. It is the cheapest way, and the table is the price.
//!
//! ## Where people meet it
//!
//! A file named `latest`, `CURRENT` or `_metadata` in a data lake; a job's state in a JSON file;
//! the first table formats on plain files, and Iceberg's Hadoop catalog on an object store without
//! a rename.

use std::fs::File;
use std::io::Write as _;

use super::anomalies::{broken, lost};
use super::disk::Table;
use super::parts::{read_current, write_data, write_metadata_beside};
use super::{Append, Appended, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};
use crate::exhibits::files::blocking;
use crate::step::{Action, Effect};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Overwrite the pointer",
    expected: &on_every_engine(&[lost(240), broken(2), safe(2)]),
    file: file!(),
    source: include_str!("overwrite_pointer.rs"),
};

/// What is expected of one client that reads and one that appends.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[broken(1), safe(19)]);

/// What is expected of a writer that is killed, and one that kills it and appends.
pub const KILLED: &[Expectation] = &on_every_engine(&[broken(1), safe(5)]);

/// Appends the records.
pub async fn append(
    s: &mut Session<'_>,
    table: &Table,
    wanted: &Append,
) -> Result<Appended, Refusal> {
    let current = read_current(s, table).await?;
    let data = write_data(s, table, wanted).await?;
    let draft = write_metadata_beside(s, table, current, &data).await?;

    // Nobody asks whether the pointer still says what was read.
    let (pointer, name) = (table.pointer(), draft.name());
    let empty = blocking("the pointer could not be opened", || File::create(pointer));
    let step = (Action::Write, "empty pointer", Effect::Conflicts);
    let mut pointer = s.outside(step, &[], empty).await?;
    let write = blocking("the pointer could not be written", move || {
        pointer.write_all(name.as_bytes())
    });
    let step = (Action::Write, "write pointer", Effect::Conflicts);
    s.outside(step, &[], write).await?;
    Ok(draft.appended(1))
}
