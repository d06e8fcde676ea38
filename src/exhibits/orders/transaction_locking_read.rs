//! # In one transaction, with a locking read
//!
//! As [`transaction`](super::transaction), but the highest number is read with `FOR UPDATE`.
//!
//! ## Why it holds on some engines, and breaks on others
//!
//! A row lock is on a *row*. What has to be prevented is that another row appears after it.
//!
//! - **InnoDB at REPEATABLE READ and SERIALIZABLE** locks the gap behind the highest number as well
//!   (a next-key lock), so that no other head gets in. Two clients that both have locked the gap
//!   can wait for each other: the engine ends one (1213).
//! - **InnoDB at READ COMMITTED and below** has no gap locks. The second client waits for the
//!   highest head as it was, and goes on with it when the first has committed: the same number.
//! - **PostgreSQL** has no gap locks at any level. A client that has waited gets the row that it
//!   waited for, which has not changed, and not the one that came after it. That is the same
//!   number, also at REPEATABLE READ. At SERIALIZABLE it is refused with 40001.
//! - **SQLite** has no row locks: `BEGIN IMMEDIATE` takes the one write lock before anything is
//!   read. That holds.
//!
//! In an empty book there is no row to lock. PostgreSQL locks nothing then; InnoDB locks the whole
//! gap for both clients, and ends one of them. The cure is a row that always exists:
//! [`number_table`](super::number_table).
//!
//! ## The smallest schedule that breaks it
//!
//! Two writers, on InnoDB at REPEATABLE READ: There is none; of 36 schedules 6 are refused. At READ
//! COMMITTED it is 'A A B B A A A B B B', and 6 of 36 give a number twice. On PostgreSQL 24 of 36
//! do. At SERIALIZABLE PostgreSQL refuses these, and so does MariaDB's `innodb_snapshot_isolation`
//! at that level (6 with 1213, 18 with 1020).
//!
//! Beside the consumer there is none, except at InnoDB's READ UNCOMMITTED, where 3 of 13 ship an
//! order incomplete.
//!
//! ## What it costs
//!
//! A transaction that others wait for. `SELECT MAX(id) … FOR UPDATE` would be shorter, but
//! PostgreSQL does not accept it.
//!
//! ## Where people meet it
//!
//! In code that was written on MySQL at its default level, works, and is then moved to another
//! engine.

use super::anomalies::{duplicate, shipped_incomplete};
use super::{Order, Receipt, Refusal, insert_head, insert_lines};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, Expectation, RC_RR, RR, RR_SER, RU_RC, SER, SQLITE_LEVEL, conflict, deadlock, on,
    on_every_engine_but_dirty, safe, serialization,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "In one transaction, with a locking read",
    expected: &[
        on(InnoDb, RU_RC, &[duplicate(6), safe(30)]),
        on(InnoDb, RR_SER, &[deadlock(6), safe(30)]),
        on(InnoDbSnapshot, RU_RC, &[duplicate(6), safe(30)]),
        on(InnoDbSnapshot, RR, &[deadlock(6), safe(30)]),
        on(InnoDbSnapshot, SER, &[deadlock(6), conflict(18), safe(12)]),
        on(Postgres, RC_RR, &[duplicate(24), safe(12)]),
        on(Postgres, SER, &[serialization(24), safe(12)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(10)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(10)]),
    ],
    file: file!(),
    source: include_str!("transaction_locking_read.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] =
    &on_every_engine_but_dirty(&[shipped_incomplete(3), safe(10)], &[safe(6)]);

/// Writes the order in one transaction that locks the highest head.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    s.begin_for_update().await?;
    // Not MAX(id): PostgreSQL accepts no FOR UPDATE with an aggregate.
    let highest = s
        .read(
            "lock highest number",
            "SELECT id FROM order_head WHERE book = ? ORDER BY id DESC LIMIT 1 FOR UPDATE",
            &[o.book],
        )
        .await?;
    let number = highest.unwrap_or_default() + 1;
    insert_head(s, o, number).await?;
    insert_lines(s, o, number).await?;
    s.commit().await?;
    Ok(Receipt::at_first_try(number))
}
