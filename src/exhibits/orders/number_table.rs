//! # A row that counts
//!
//! A table with one row for each book, which contains the last number that was given. `UPDATE
//! order_numbers SET last_number = last_number + 1`, read it, write the order, commit: all in one
//! transaction.
//!
//! ## Why it holds
//!
//! The `UPDATE` locks the row until the commit. The second client waits there, before it has read
//! anything, and counts on from what the first has committed. Unlike the highest head, the row
//! always exists and can be locked. It is also *changed*, which every engine notices.
//!
//! A rollback takes the number back, so there are **no gaps**. This holds for all writers that take
//! their numbers here. Code that still takes `MAX(id) + 1` is not kept out.
//!
//! Above READ COMMITTED PostgreSQL refuses a client that has waited with 40001, because its
//! snapshot is older than the row. MariaDB's `innodb_snapshot_isolation` does the same at
//! SERIALIZABLE, with 1020.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two writers have 66 schedules (with two lines each; on SQLite 14), and all are
//! safe, except that 50 are refused in the cases above. Beside the consumer there is none either,
//! except at InnoDB's READ UNCOMMITTED, where 10 of 24 ship an order incomplete.
//!
//! ## What it costs
//!
//! Two statements. And the orders of one book are written one after the other, because the lock is
//! held while the lines are written. Counting in a transaction of its own would shorten that, and
//! bring the gaps back.
//!
//! ## Where people meet it
//!
//! In every ERP ("number ranges"), in accounting, wherever numbers must have no gaps.

use super::anomalies::shipped_incomplete;
use super::{Order, Receipt, Refusal, insert_head, insert_lines};
use crate::engine::{Fault, Session};
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, EVERY_LEVEL, Expectation, RC, RR_SER, SER, SQLITE_LEVEL, UP_TO_RR, conflict, on,
    on_every_engine_but_dirty, safe, serialization,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "A row that counts",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[safe(66)]),
        on(InnoDbSnapshot, UP_TO_RR, &[safe(66)]),
        on(InnoDbSnapshot, SER, &[conflict(50), safe(16)]),
        on(Postgres, RC, &[safe(66)]),
        on(Postgres, RR_SER, &[serialization(50), safe(16)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(14)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(14)]),
    ],
    file: file!(),
    source: include_str!("number_table.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] =
    &on_every_engine_but_dirty(&[shipped_incomplete(10), safe(14)], &[safe(8)]);

/// Writes the order in one transaction that takes its number from the row that counts.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then; the number is taken back too.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    s.begin_for_update().await?;
    // Others wait here.
    s.run(
        "count",
        "UPDATE order_numbers SET last_number = last_number + 1 WHERE book = ?",
        &[o.book],
    )
    .await?;
    let number = s
        .read(
            "read number",
            "SELECT last_number FROM order_numbers WHERE book = ?",
            &[o.book],
        )
        .await?
        .ok_or_else(|| Fault::other("the book was not opened"))?;
    insert_head(s, o, number).await?;
    insert_lines(s, o, number).await?;
    s.commit().await?;
    Ok(Receipt::at_first_try(number))
}
