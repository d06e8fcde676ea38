//! # The number within the INSERT
//!
//! `INSERT INTO order_head SELECT MAX(id) + 1, … FROM order_head`. Reading and writing are one
//! statement, so that no other client comes in between.
//!
//! ## Why it breaks
//!
//! **The number is not reported.** No engine says which number a statement has computed.
//! (`LAST_INSERT_ID()` and `RETURNING` are for columns with a key, or for engines that have them.)
//! The lines need the number, so the highest number is read again. By then it may be another
//! client's. The heads are unique, and the lines are under the wrong ones. For the same reason the
//! answer names no number: the strategy does not know it.
//!
//! **One statement is not one step.** The explorer lets a statement end before the next begins, and
//! finds no number twice. Under load statements overlap. What happens then depends on the engine
//! and its level:
//!
//! - SQLite has one writer at a time: the numbers are unique.
//! - InnoDB at REPEATABLE READ and SERIALIZABLE locks what an `INSERT … SELECT` reads. The second
//!   client waits, or is refused as a deadlock's victim. At READ COMMITTED and below InnoDB does
//!   not lock: the same number twice.
//! - PostgreSQL reads from a snapshot: the same number twice at READ COMMITTED and REPEATABLE READ.
//!   At SERIALIZABLE the second client is refused with 40001.
//!
//! **The head comes first**, so the consumer ships incomplete orders, as with
//! [`max_id_head_first`](super::max_id_head_first). It also ships an order whose lines went
//! elsewhere.
//!
//! ## The smallest schedule that breaks it
//!
//! Two writers: 'A B B B B A A A'. A writes its head, B a whole order with the next number, and A's
//! lines go there. Of 70 schedules 40 mix two orders up.
//!
//! Beside the consumer, which is A: 'B A A A A B B B'. Of 36 schedules 31 ship an order incomplete:
//! there is one step more between the head and the first line.
//!
//! ## What it costs
//!
//! As many round trips as the plain way.
//!
//! ## Where people meet it
//!
//! As the first repair of `MAX(id) + 1`: "make it atomic". What is atomic is the number, not the
//! order.

use super::anomalies::{mixed, shipped_incomplete};
use super::{Order, Receipt, Refusal, insert_lines};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The number within the INSERT",
    expected: &on_every_engine(&[mixed(40), safe(30)]),
    file: file!(),
    source: include_str!("insert_select_max.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] =
    &on_every_engine(&[shipped_incomplete(31), safe(5)]);

/// Writes the head with a number that its own statement finds, and the lines under the number that
/// is the highest after that.
///
/// # Errors
/// The refusal of a statement. What was written before it is kept.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    s.run(
        "insert head",
        INSERT_HEAD,
        &[
            o.customer_no,
            o.delivery_date.number(),
            o.line_count(),
            o.book,
        ],
    )
    .await?;
    // The number that was given is not reported. This is the highest by now, and perhaps that of a
    // later client.
    let guess = s
        .read(
            "read highest number",
            "SELECT MAX(id) FROM order_head WHERE book = ?",
            &[o.book],
        )
        .await?;
    insert_lines(s, o, guess.unwrap_or_default()).await?;
    Ok(Receipt {
        order: None,
        attempts: 1,
    })
}

/// One statement. Whether its reading and its writing are one step depends on the engine and the
/// level.
pub const INSERT_HEAD: &str = "INSERT INTO order_head \
    (book, id, customer_no, delivery_date, processed, line_count) \
    SELECT b.book, COALESCE((SELECT MAX(h.id) FROM order_head h WHERE h.book = b.book), 0) + 1, \
    ?, ?, 0, ? FROM order_numbers b WHERE b.book = ?";
