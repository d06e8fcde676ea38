//! # A partition for each writer
//!
//! As `exclusive_create_retry`, but a writer that was too late looks at what has come in between.
//! If the others have added to other partitions, it follows them. If one has added to its own
//! partition, it is refused.
//!
//! ## Why it holds
//!
//! Commits of different partitions have nothing to do with each other, so their order makes no
//! difference, and they are merged without asking. Two commits of one partition may be the same
//! hour's data, written twice by two jobs. Which of them is right is for the clients to say, not
//! for a loop.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 70 schedules of two writers of different partitions are safe. Of 70 in which
//! both append to one partition, 68 refuse one of them. With a reader all 15 are safe, and so are
//! all 5 in which a writer is killed.
//!
//! ## What it costs
//!
//! Writers of different partitions still commit one after the other, because the table has one
//! history. What a partition saves is the decision, not the order. It needs a rule who writes
//! which partition.
//!
//! ## Where people meet it
//!
//! Hourly and daily partitions, one job for each; Delta Lake's conflict detection by partition;
//! Iceberg's `validateNoConflictingDataFiles`.

use super::disk::{PartitionName, Snapshot, Table, Unreadable};
use super::parts::{link_version, read_current, step, write_data, write_metadata};
use super::{Append, Appended, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, declined, on_every_engine, safe};
use crate::step::{Action, Effect};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "A partition for each writer",
    expected: &on_every_engine(&[safe(70)]),
    file: file!(),
    source: include_str!("partitioned.rs"),
};

/// What is expected of one client that reads and one that appends.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(15)]);

/// What is expected of a writer that is killed, and one that kills it and appends.
pub const KILLED: &[Expectation] = &on_every_engine(&[safe(5)]);

/// What is expected of two clients that append to the same partition.
pub const SAME_PARTITION: &[Expectation] = &on_every_engine(&[declined(68), safe(2)]);

/// Appends the records, in as many attempts as it takes.
///
/// # Errors
/// [`Refusal::Conflict`] if another writer has added to the same partition meanwhile, and
/// [`Refusal::GaveUp`] after too many attempts.
pub async fn append(
    s: &mut Session<'_>,
    table: &Table,
    wanted: &Append,
) -> Result<Appended, Refusal> {
    let mut current = read_current(s, table).await?;
    // In use until the end, so that no snapshot after it expires.
    let begun = current.clone();
    let data = write_data(s, table, wanted).await?;
    let mut attempts = 1;
    loop {
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
        current = read_current(s, table).await?;
        if added_to(s, table, &current, &begun, wanted.partition.clone()).await? {
            return Err(Refusal::Conflict { attempts });
        }
        attempts += 1;
    }
}

/// Whether one of the snapshots after `begun`, up to the current one, has added to the partition.
/// Records without a partition may belong to any.
async fn added_to(
    s: &mut Session<'_>,
    table: &Table,
    current: &Snapshot,
    begun: &Snapshot,
    partition: Option<PartitionName>,
) -> Result<bool, Unreadable> {
    let (table, begun) = (table.clone(), begun.metadata.version);
    let newest = current.metadata.version;
    let compare = (Action::Read, "compare partitions", Effect::Local);
    step(s, compare, move || {
        for version in begun + 1..=newest {
            // One that has expired may have added to any.
            let Some(snapshot) = table.open_snapshot(&super::disk::name_of(version))? else {
                return Ok(true);
            };
            let summary = snapshot.metadata.summary;
            let is_apart = partition.as_ref().is_some_and(|it| {
                !summary.partitions.is_empty() && !summary.partitions.contains(it)
            });
            if !is_apart {
                return Ok(true);
            }
        }
        Ok(false)
    })
    .await
}
