//! # Create the next version, which fails if it is there
//!
//! There is no pointer. The current snapshot is the highest version that exists, and a writer that
//! has read version N gives its own snapshot the name `v<N+1>.json`, if that is free.
//!
//! ## Why it holds
//!
//! A hard link gives a file that is whole a second name, and fails if the name is taken. The file
//! system decides both in one operation, for all processes: it compares and swaps. Of two writers
//! that have read version N one gets N+1, and the other one is told.
//!
//! The name appears together with the whole content. `open` with `O_EXCL` would decide as well, but
//! the file would be empty first, and a writer that is killed would leave half a version behind
//! that nobody may replace.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Of 70 schedules of two writers 68 refuse one of them, and in the other 2 one
//! comes after the other. With a reader all 15 are safe. A writer may be killed after any of its
//! steps: in all 5 schedules the table can be read, and lacks nothing that was acknowledged. If the
//! other writer also removes what is old, 294 of 330 refuse one, and none loses anything.
//!
//! ## What it costs
//!
//! Nobody waits, and a conflict costs the work of an attempt. It is refused, so the client has to
//! try again: `exclusive_create_retry` does so itself. It needs a file system with hard links on
//! which all writers agree. Many object stores have the same operation by another name: put if
//! absent.
//!
//! ## Where people meet it
//!
//! Delta Lake's `_delta_log/<N>.json`, Iceberg's Hadoop tables, `git`'s references (`.lock` files),
//! maildirs; `If-None-Match: *` on object stores.

use super::disk::Table;
use super::parts::{link_version, read_current, write_data, write_metadata};
use super::{Append, Appended, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, declined, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Create the next version, which fails if it is there",
    expected: &on_every_engine(&[declined(68), safe(2)]),
    file: file!(),
    source: include_str!("exclusive_create.rs"),
};

/// What is expected of one client that reads and one that appends.
pub const WITH_READER: &[Expectation] = &on_every_engine(&[safe(15)]);

/// What is expected of a writer that is killed, and one that kills it and appends.
pub const KILLED: &[Expectation] = &on_every_engine(&[safe(5)]);

/// What is expected of one client that appends, and one that appends and then removes what is old.
pub const WITH_EXPIRY: &[Expectation] = &on_every_engine(&[declined(294), safe(36)]);

/// Appends the records.
///
/// # Errors
/// [`Refusal::Conflict`] if another writer has committed first.
pub async fn append(
    s: &mut Session<'_>,
    table: &Table,
    wanted: &Append,
) -> Result<Appended, Refusal> {
    let current = read_current(s, table).await?;
    let data = write_data(s, table, wanted).await?;
    let draft = write_metadata(s, table, current, &data).await?;

    let (is_next, draft) = link_version(s, draft).await?;
    if is_next {
        Ok(draft.appended(1))
    } else {
        Err(Refusal::Conflict { attempts: 1 })
    }
}
