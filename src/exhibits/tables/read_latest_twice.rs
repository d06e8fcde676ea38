//! # Read the latest snapshot for each question
//!
//! How many records are there? The current snapshot says it. Which ones? The current snapshot says
//! that too. The reader asks for the current snapshot each time.
//!
//! ## Why it breaks
//!
//! Between the two questions another client commits. The count is of one snapshot and the records
//! are of the next. Both are right, and together they were never the table: read skew, on files.
//!
//! ## The smallest schedule that breaks it
//!
//! 'A B B B B A A': A reads how many records there are, B appends, and A reads the records. It is
//! one of 4 that tear the read, of 35.
//!
//! ## What it costs
//!
//! It reads the metadata twice.
//!
//! ## Where people meet it
//!
//! A report with a total and a list from two queries; a job that plans its work by one listing of a
//! folder and reads by another one.

use super::anomalies::torn;
use super::disk::Table;
use super::parts::{read_current, read_records};
use super::{ReadTable, Refusal, Wanted};
use crate::engine::Session;
use crate::exhibits::card::{Card, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Read the latest snapshot for each question",
    expected: &on_every_engine(&[torn(4), safe(31)]),
    file: file!(),
    source: include_str!("read_latest_twice.rs"),
};

/// Reads the table.
pub async fn read(
    s: &mut Session<'_>,
    table: &Table,
    wanted: Wanted,
) -> Result<ReadTable, Refusal> {
    let first = read_current(s, table).await?;
    // Here another client may commit.
    let second = read_current(s, table).await?;
    let records = read_records(s, &second, wanted).await?;
    Ok(second.with(records, &first))
}
