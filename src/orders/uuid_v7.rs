//! # The client names its order

use super::{Order, OrderId, Receipt, Refusal};
use crate::card::{Card, Expectation};
use crate::engine::Session;

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The client names its order",
    expected: &[],
    source: include_str!("uuid_v7.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

/// Writes the order in one transaction, under a name that it has already.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    let name = o.drawn.uuid.to_string();
    s.begin().await?;
    s.run(
        "insert head",
        "INSERT INTO uuid_orders (id, book, customer_no, delivery_date, line_count) \
         VALUES (?, ?, ?, ?, ?)",
        [
            name.as_str().into(),
            o.book.into(),
            o.customer_no.into(),
            o.delivery_date.number().into(),
            o.line_count().into(),
        ],
    )
    .await?;
    for line in &o.lines {
        s.run(
            "insert line",
            "INSERT INTO uuid_order_items (order_id, book, item_no, quantity, written_by) \
             VALUES (?, ?, ?, ?, ?)",
            [
                name.as_str().into(),
                o.book.into(),
                line.item_no.into(),
                line.quantity.into(),
                o.customer_no.into(),
            ],
        )
        .await?;
    }
    s.commit().await?;
    Ok(Receipt::at_first_try(OrderId::Uuid(name)))
}
