//! # The next number is the highest plus one

use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number};
use crate::card::{Card, Expectation};
use crate::engine::Session;

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The next number is the highest plus one",
    expected: &[],
    source: include_str!("max_id_head_first.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

/// Writes the order head first, each statement in autocommit.
///
/// # Errors
/// The refusal of a statement. What was written before it is kept.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    let number = next_number(s, o).await?;
    // Whoever reads now gets the same number.
    insert_head(s, o, number).await?;
    // The consumer takes what it finds now.
    insert_lines(s, o, number).await?;
    Ok(Receipt::at_first_try(number))
}
