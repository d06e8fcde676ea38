//! # Create the next version, and try again if it is there
//!
//! As `exclusive_create`, but a writer that was too late reads the new current snapshot and makes
//! its own follow that one: it *rebases*. Its data file is written already and stays as it is.
//!
//! ## Why it holds
//!
//! Each attempt is an `exclusive_create` of its own, so no commit is ever overwritten. An append
//! does not depend on what is in the table, so it may follow any snapshot. A change that depends on
//! what it has read would have to read again, and perhaps decide otherwise.
//!
//! At most five further attempts are made, after random pauses that grow (`--retry` has other
//! policies to compare). Then the client is told how many attempts there were.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 70 schedules of two writers are safe, all 15 with a reader, and all 5 in
//! which a writer is killed.
//!
//! ## What it costs
//!
//! A lost attempt costs the metadata again, and not the data. With many writers of one table many
//! attempts are lost: commits of one table come one after the other, whatever the strategy. Then
//! `batched` gains more than any policy of pauses.
//!
//! ## Where people meet it
//!
//! Iceberg's `commit.retry.num-retries`, Delta Lake's optimistic concurrency, a `git push` after
//! `git pull --rebase`.

use super::disk::Table;
use super::parts::{link_version, read_current, write_data, write_metadata};
use super::{Append, Appended, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Create the next version, and try again if it is there",
    expected: &on_every_engine(&[safe(70)]),
    file: file!(),
    source: include_str!("exclusive_create_retry.rs"),
};

/// What is expected of one client that reads and one that appends.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(15)]);

/// What is expected of a writer that is killed, and one that kills it and appends.
pub const KILLED: &[Expectation] = &on_every_engine(&[safe(5)]);

/// Appends the records, in as many attempts as it takes.
///
/// # Errors
/// [`Refusal::GaveUp`] after too many attempts.
pub async fn append(
    s: &mut Session<'_>,
    table: &Table,
    wanted: &Append,
) -> Result<Appended, Refusal> {
    let data = write_data(s, table, wanted).await?;
    let mut attempts = 1;
    loop {
        let current = read_current(s, table).await?;
        let draft = write_metadata(s, table, current, &data).await?;

        let (is_next, draft) = link_version(s, draft).await?;
        if is_next {
            return Ok(draft.appended(attempts));
        }
        if !s.pause().await {
            return Err(Refusal::GaveUp {
                attempts,
                leads: true,
            });
        }
        attempts += 1;
    }
}
