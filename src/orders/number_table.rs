//! # A row that counts

use super::{Order, Receipt, Refusal, insert_head, insert_lines};
use crate::card::{Card, Expectation};
use crate::engine::{Fault, Session};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "A row that counts",
    expected: &[],
    source: include_str!("number_table.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

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
