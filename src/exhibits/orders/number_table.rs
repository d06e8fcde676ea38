//! # A row that counts
//!
//! A table with one row for each book, which has the number that was given out last: `UPDATE order_numbers SET last_number =
//! last_number + 1`, read it, write the order, commit. All in one transaction.
//!
//! ## Why it holds
//!
//! The `UPDATE` locks the row until the commit. Whoever comes second waits there, before it has read anything, and counts on
//! from what the first has committed. The row is always there to be locked, which the highest head is not; and it is
//! *changed*, which every engine notices.
//!
//! Whoever rolls back takes the number back with it: there are **no gaps**. It holds for those who take their numbers here.
//! Any code that still takes `MAX(id) + 1` is not kept out.
//!
//! Above READ COMMITTED PostgreSQL refuses whoever has waited with 40001, because its snapshot is older than the row; so
//! does MariaDB's `innodb_snapshot_isolation` at SERIALIZABLE, with 1020.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none: two writers have 66 schedules (with two lines each; on SQLite 14), and all are safe, but for the 50 that
//! are refused there. Beside the consumer there is none either, but for InnoDB's READ UNCOMMITTED,
//! where 10 of 24 ship an order incomplete.
//!
//! ## What it costs
//!
//! Two statements, and that orders of one book are written one after the other: the lock is held while the lines are
//! written. Counting in a transaction of its own would shorten that, and bring the gaps back.
//!
//! ## Where people meet it
//!
//! In every ERP ("number ranges"), in accounting, wherever a number without gaps is asked for.

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
    source: include_str!("number_table.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] =
    &on_every_engine_but_dirty(&[shipped_incomplete(10), safe(14)], &[safe(8)]);

/// Writes the order in one transaction that takes its number from the row that counts.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then, also of the counting.
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
