//! # One at a time, by a named lock
//!
//! A lock that is on nothing and stands for the book by agreement: `GET_LOCK`,
//! `pg_advisory_xact_lock`, a lock file on SQLite. (The deposits' strategy `advisory_lock` uses the
//! same kind, and an account with the book's number shares its lock.) Under it, the plain way in a
//! transaction.
//!
//! ## Why it holds
//!
//! The lock is taken before the highest number is read and released after the commit, so each
//! client reads all that was written before. It needs no row that can be locked, and no change to
//! the tables. It is what can be done about an interface that belongs to others, if all writers are
//! one's own.
//!
//! **The level matters.** On PostgreSQL, asking for the lock takes the snapshot. A client that has
//! waited would read an old highest number above READ COMMITTED. As two inserts do not conflict,
//! nothing would refuse the second: at REPEATABLE READ it would be a number twice, under a lock. So
//! the transaction asks for READ COMMITTED itself.
//!
//! On SQLite, code that writes without asking for the lock, as the consumer does, can cause a
//! refusal (517): that of a writer that has read its number and not written yet. Nothing goes
//! wrong, and it takes three clients to see it.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two writers have 84 schedules with two lines each (66 where the lock ends with
//! the transaction or is a file), and all are safe. Beside the consumer there is none either,
//! except at InnoDB's READ UNCOMMITTED, where 23 of 59 ship an order incomplete.
//!
//! ## What it costs
//!
//! Two round trips more (PostgreSQL: one). And the orders of one book are written one after the
//! other. Code that does not ask for the lock is not kept out.
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
    file: file!(),
    source: include_str!("single_writer.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[
    on(InnoDb, RU, &[shipped_incomplete(23), safe(36)]),
    on(InnoDb, FROM_RC, &[safe(12)]),
    on(InnoDbSnapshot, RU, &[shipped_incomplete(23), safe(36)]),
    on(InnoDbSnapshot, FROM_RC, &[safe(12)]),
    on(Postgres, POSTGRES_LEVELS, &[safe(8)]),
    on(SqliteWal, SQLITE_LEVEL, &[safe(8)]),
    on(SqliteRollback, SQLITE_LEVEL, &[safe(8)]),
];

/// Writes the order while holding the lock that stands for the book.
///
/// # Errors
/// The refusal of a statement or of the commit, or a wait for the lock that took too long. Nothing
/// is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    // Whatever the session's level is: a snapshot from before the wait would show an old highest
    // number.
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
