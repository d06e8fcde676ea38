//! # Read one snapshot
//!
//! The reader asks for the current snapshot once, and asks that one everything.
//!
//! ## Why it holds
//!
//! The files of a snapshot never change. What other clients commit meanwhile are other files, which
//! this snapshot does not name. So the reader sees the table as it was at one moment, for as long
//! as it likes, and no writer waits for it.
//!
//! It only has to keep the expiry away. It holds a shared lock on the snapshot's file, and a
//! snapshot that is in use is not removed.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 15 schedules of a reader and a writer are safe, and all 36 with a writer that
//! also removes what is old.
//!
//! ## What it costs
//!
//! The files of an old snapshot stay while it is read.
//!
//! ## Where people meet it
//!
//! Time travel: `AS OF VERSION`, `--snapshot-id`; a transaction at REPEATABLE READ.

use super::disk::Table;
use super::parts::{read_current, read_records};
use super::{ReadTable, Refusal, Wanted};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Read one snapshot",
    expected: &on_every_engine(&[safe(15)]),
    file: file!(),
    source: include_str!("read_snapshot.rs"),
};

/// What is expected of one client that reads, and one that appends and then removes what is old.
pub const WITH_EXPIRY: &[Expectation] = &on_every_engine(&[safe(36)]);

/// Reads the table.
pub async fn read(
    s: &mut Session<'_>,
    table: &Table,
    wanted: Wanted,
) -> Result<ReadTable, Refusal> {
    let snapshot = read_current(s, table).await?;
    let records = read_records(s, &snapshot, wanted).await?;
    Ok(snapshot.with(records, &snapshot))
}
