//! # Many appends in one commit
//!
//! A commit has a price, whether it adds one record or a thousand. So the instance collects the
//! appends that come while a commit is under way, and the next commit takes them all.
//!
//! ## Why it holds
//!
//! Each client puts its append into the queue, and takes the lock of its instance. The one that has
//! the lock leads: it takes all that waits, writes a data file for each append and one snapshot for
//! all, and commits as `exclusive_create_retry` does. The others find their answer when they get
//! the lock. Each is told of the snapshot that has its records, after it is the current one.
//!
//! The queue is in the memory of one instance. It saves work, and decides nothing: between
//! instances it is the version's name that decides.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 10 schedules of two writers in one instance are safe, and all 252 of two in
//! instances of their own; all 21 with a reader, and all 6 in which a writer is killed.
//!
//! ## What it costs
//!
//! Nothing for a client that comes alone. With many clients of one instance the commits become
//! fewer and larger, and conflicts rarer. All appends of a commit share its fate.
//!
//! ## Where people meet it
//!
//! Group commit of databases, Kafka's and Flink's sinks with a commit for each checkpoint, micro
//! batches of Spark.

use super::disk::Table;
use super::parts::{link_version, read_current, write_data_of_all, write_metadata};
use super::{Append, Appended, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Many appends in one commit",
    expected: &on_every_engine(&[safe(10)]),
    file: file!(),
    source: include_str!("batched.rs"),
};

/// What is expected of two clients of two instances.
pub const APART: &[Expectation] = &on_every_engine(&[safe(252)]);

/// What is expected of one client that reads and one that appends.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(21)]);

/// What is expected of a writer that is killed, and one that kills it and appends.
pub const KILLED: &[Expectation] = &on_every_engine(&[safe(6)]);

/// Appends the records, together with those that wait in the same instance.
///
/// # Errors
/// That of the batch. Nothing of it is in the table then.
pub async fn append(
    s: &mut Session<'_>,
    table: &Table,
    wanted: &Append,
) -> Result<Appended, Refusal> {
    let queue = table.queue();
    let place = queue.enter(wanted);
    let lock = s.lock_in_process(queue.lock()).await?;
    if !place.is_answered() {
        let batch = queue.batch();
        let committed = commit_together(s, table, &batch.appends).await;
        queue.answer(&batch, &committed);
    }
    s.unlock_in_process(lock).await;
    place.answer()
}

/// Commits the appends of all clients in one snapshot, in as many attempts as it takes.
async fn commit_together(
    s: &mut Session<'_>,
    table: &Table,
    batch: &[Append],
) -> Result<Appended, Refusal> {
    let data = write_data_of_all(s, table, batch).await?;
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
