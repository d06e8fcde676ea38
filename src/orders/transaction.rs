//! # All of it in one transaction

use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number};
use crate::card::{Card, Expectation};
use crate::engine::Session;

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "All of it in one transaction",
    expected: &[],
    source: include_str!("transaction.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

/// Writes the order in one transaction.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    s.begin().await?;
    // Whoever reads before the commit gets the same number.
    let number = next_number(s, o).await?;
    insert_head(s, o, number).await?;
    insert_lines(s, o, number).await?;
    s.commit().await?;
    Ok(Receipt::at_first_try(number))
}
