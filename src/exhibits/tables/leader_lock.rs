//! # One writer at a time
//!
//! A writer takes an exclusive lock on a lock file, and all of its work happens while it has it.
//!
//! ## Why it holds
//!
//! While a writer has the lock, no other one reads the current snapshot in order to follow it. The
//! lock is the operating system's (`flock`): it holds between processes, and a process that is
//! killed releases it. So a killed writer does not lock the table for ever, as one does that makes
//! a file `LOCK` and removes it in the end.
//!
//! The commit itself is that of `exclusive_create`. A writer that does not ask for the lock is
//! found then, and does not overwrite anything. And readers need no lock.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 10 schedules of two writers are safe, all 21 with a reader, and all 6 in
//! which a writer is killed, also while it has the lock.
//!
//! ## What it costs
//!
//! All writers wait for the slowest one, also while it writes its data, which nobody else needs to
//! wait for. On network drives, look before you trust: some keep `flock` to one host.
//!
//! ## Where people meet it
//!
//! A lock table in DynamoDB or a lease in ZooKeeper before Delta Lake's or Iceberg's commit;
//! `flock` around a cron job; a single writer by decree.

use super::disk::Table;
use super::parts::{link_version, read_current, write_data, write_metadata};
use super::{Append, Appended, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "One writer at a time",
    expected: &on_every_engine(&[safe(10)]),
    file: file!(),
    source: include_str!("leader_lock.rs"),
};

/// What is expected of one client that reads and one that appends.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(21)]);

/// What is expected of a writer that is killed, and one that kills it and appends.
pub const KILLED: &[Expectation] = &on_every_engine(&[safe(6)]);

/// Appends the records.
///
/// # Errors
/// [`Refusal::Conflict`] if a writer without the lock has committed first.
pub async fn append(
    s: &mut Session<'_>,
    table: &Table,
    wanted: &Append,
) -> Result<Appended, Refusal> {
    let lock = s.lock_file(&table.leader_lock()).await?;
    let current = read_current(s, table).await?;
    let data = write_data(s, table, wanted).await?;
    let draft = write_metadata(s, table, current, &data).await?;
    let (is_next, draft) = link_version(s, draft).await?;
    s.unlock_file(lock).await;
    if is_next {
        Ok(draft.appended(1))
    } else {
        Err(Refusal::Conflict { attempts: 1 })
    }
}
