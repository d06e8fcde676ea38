//! # In one transaction, with a locking read

use super::{Order, Receipt, Refusal, insert_head, insert_lines};
use crate::card::{Card, Expectation};
use crate::engine::Session;

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "In one transaction, with a locking read",
    expected: &[],
    source: include_str!("transaction_locking_read.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

/// Writes the order in one transaction that locks the highest head.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    s.begin_for_update().await?;
    // Not MAX(id): PostgreSQL locks no rows of which it shows but an aggregate.
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
