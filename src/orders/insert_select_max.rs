//! # The number within the INSERT

use super::{Order, Receipt, Refusal, insert_lines};
use crate::card::{Card, Expectation};
use crate::engine::Session;

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The number within the INSERT",
    expected: &[],
    source: include_str!("insert_select_max.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

/// Writes the head with a number that its own statement finds, and the lines under the one that is the highest then.
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
    // The number that was given is not told. This is the highest by now, and perhaps of somebody who came later.
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

/// One statement; whether its reading and its writing are one step too is up to the engine and the level.
pub const INSERT_HEAD: &str = "INSERT INTO order_head (book, id, customer_no, delivery_date, processed, line_count) \
    SELECT b.book, COALESCE((SELECT MAX(h.id) FROM order_head h WHERE h.book = b.book), 0) + 1, ?, ?, 0, ? \
    FROM order_numbers b WHERE b.book = ?";
