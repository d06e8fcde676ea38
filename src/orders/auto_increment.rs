//! # The engine gives the number

use super::{Order, Receipt, Refusal};
use crate::card::{Card, Expectation};
use crate::engine::Session;

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The engine gives the number",
    expected: &[],
    source: include_str!("auto_increment.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

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
