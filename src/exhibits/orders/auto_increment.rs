//! # The engine gives the number
//!
//! A column that counts: `AUTO_INCREMENT`, `GENERATED … AS IDENTITY`, `AUTOINCREMENT`. It needs
//! tables that were made for it, here `orders` and `order_items`, with keys.
//!
//! ## Why it holds
//!
//! The engine counts outside any transaction, under a latch of its own that is held for an instant.
//! No client reads a number in order to write the next one, so nothing can come in between. Each
//! statement reports its own number (`LAST_INSERT_ID()`, `RETURNING id`), which belongs to the
//! connection and is no guess. Head and lines are in one transaction, so the consumer sees all of
//! an order or nothing. The foreign key ensures that every line has its order.
//!
//! Because the engine counts outside the transaction, a number that was given is not taken back: a
//! rollback leaves a **gap**. Where the law wants invoice numbers without gaps, this is the wrong
//! tool; see [`number_table`](super::number_table).
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two writers have 70 schedules (with one line each; on SQLite, where one waits for
//! the other, 24), and all are safe. Beside the consumer there is none either, except at InnoDB's
//! READ UNCOMMITTED, where 3 of 12 ship an order incomplete. No way to write helps a reader of what
//! is not committed.
//!
//! ## What it costs
//!
//! Nothing: no statement asks for a number.
//!
//! ## Where people meet it
//!
//! Everywhere, and it is right. What is met at work is its absence.

use super::anomalies::shipped_incomplete;
use super::{Order, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, EVERY_LEVEL, Expectation, POSTGRES_LEVELS, SQLITE_LEVEL, on, on_every_engine_but_dirty,
    safe,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The engine gives the number",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[safe(70)]),
        on(InnoDbSnapshot, EVERY_LEVEL, &[safe(70)]),
        on(Postgres, POSTGRES_LEVELS, &[safe(70)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(24)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(24)]),
    ],
    file: file!(),
    source: include_str!("auto_increment.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] =
    &on_every_engine_but_dirty(&[shipped_incomplete(3), safe(9)], &[safe(5)]);

/// Writes the order in one transaction, with a number from the engine.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    s.begin().await?;
    // No statement reads what another one is going to write.
    let number = s
        .insert(
            "insert head",
            "INSERT INTO orders (book, customer_no, delivery_date, line_count) VALUES (?, ?, ?, ?)",
            &[
                o.book,
                o.customer_no,
                o.delivery_date.number(),
                o.line_count(),
            ],
        )
        .await?;
    for line in &o.lines {
        s.write(
            "insert line",
            number,
            "INSERT INTO order_items (book, order_id, item_no, quantity, written_by) \
             VALUES (?, ?, ?, ?, ?)",
            [
                o.book.into(),
                number.into(),
                line.item_no.into(),
                line.quantity.into(),
                o.customer_no.into(),
            ],
        )
        .await?;
    }
    s.commit().await?;
    Ok(Receipt::at_first_try(number))
}
