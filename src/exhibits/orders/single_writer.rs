//! # One at a time, by a named lock
//!
//! A lock that is on nothing and means the book by agreement: `GET_LOCK`, `pg_advisory_xact_lock`, a lock file on SQLite (see
//! [`advisory_lock`](crate::exhibits::deposits::advisory_lock), whose account of the same number shares it). Under it, the plain way
//! in a transaction.
//!
//! ## Why it holds
//!
//! The lock is taken before the highest number is read and given up after the commit, so that whoever reads, reads all that
//! was written. It needs no row that is there to be locked, and no change to the tables: it is what can be done about an
//! interface that is somebody else's, as long as all writers are one's own.
//!
//! **The level matters.** Where asking for the lock takes the snapshot, as on PostgreSQL, whoever has waited would read an
//! old highest number above READ COMMITTED; and as two inserts do not conflict, nothing would refuse the second one: at
//! REPEATABLE READ it would be a number twice, under a lock. So the transaction asks for READ COMMITTED itself.
//!
//! On SQLite whoever writes without asking for the lock, as the consumer does, makes a writer that has read its number and
//! not written yet be refused (517). Nothing goes wrong, and it takes three clients to see it.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none: two writers have 84 schedules (with two lines each; where the lock ends with the transaction or is a file,
//! 66), and all are safe. Beside the consumer there is none either, but for InnoDB's READ UNCOMMITTED, where 23 of 59 ship an
//! order incomplete.
//!
//! ## What it costs
//!
//! Two round trips more (PostgreSQL: one), and that orders of one book are written one after the other. Whoever does not ask
//! for the lock is not kept out.
//!
//! ## Where people meet it
//!
//! As "only one worker may import", enforced by a lock instead of by a hope.

use super::anomalies::shipped_incomplete;
use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number};
use crate::engine::{Isolation, Session};
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, EVERY_LEVEL, Expectation, FROM_RC, POSTGRES_LEVELS, RU, SQLITE_LEVEL, on, safe,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "One at a time, by a named lock",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[safe(84)]),
        on(InnoDbSnapshot, EVERY_LEVEL, &[safe(84)]),
        on(Postgres, POSTGRES_LEVELS, &[safe(66)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(66)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(66)]),
    ],
    source: include_str!("single_writer.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[
    on(InnoDb, RU, &[shipped_incomplete(23), safe(36)]),
    on(InnoDb, FROM_RC, &[safe(12)]),
    on(InnoDbSnapshot, RU, &[shipped_incomplete(23), safe(36)]),
    on(InnoDbSnapshot, FROM_RC, &[safe(12)]),
    on(Postgres, POSTGRES_LEVELS, &[safe(8)]),
    on(SqliteWal, SQLITE_LEVEL, &[safe(8)]),
    on(SqliteRollback, SQLITE_LEVEL, &[safe(8)]),
];

/// Writes the order while holding the lock that means the book.
///
/// # Errors
/// The refusal of a statement or of the commit, or a wait for the lock that took too long. Nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    // Whatever the session's level: in a snapshot from before the wait the highest number would be an old one.
    s.begin_at(Isolation::ReadCommitted).await?;
    // Others wait here.
    s.lock_by_name(o.book).await?;
    let number = next_number(s, o).await?;
    insert_head(s, o, number).await?;
    insert_lines(s, o, number).await?;
    s.commit().await?;
    s.unlock_by_name().await;
    Ok(Receipt::at_first_try(number))
}
