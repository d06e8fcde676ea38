//! # The lines before the head

use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number};
use crate::card::{Card, Expectation};
use crate::engine::Session;

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The lines before the head",
    expected: &[],
    source: include_str!("max_id_lines_first.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

/// Writes the order lines first, each statement in autocommit.
///
/// # Errors
/// The refusal of a statement. What was written before it is kept.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    let number = next_number(s, o).await?;
    // Lines take no number: whoever reads before the head is there gets the same.
    insert_lines(s, o, number).await?;
    // What the consumer finds from here on is whole.
    insert_head(s, o, number).await?;
    Ok(Receipt::at_first_try(number))
}
