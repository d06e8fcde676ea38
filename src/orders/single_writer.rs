//! # One at a time, by a named lock

use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number};
use crate::card::{Card, Expectation};
use crate::engine::{Isolation, Session};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "One at a time, by a named lock",
    expected: &[],
    source: include_str!("single_writer.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

/// Writes the order while holding the lock that means the book.
///
/// # Errors
/// The refusal of a statement or of the commit, or a wait for the lock that took too long. Nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    // Whatever the session's level: in a snapshot from before the wait the highest number would be an old one.
    s.begin_at(Isolation::ReadCommitted).await?;
    // Others wait here.
    s.lock_by_name(o.book).await?;
    let number = next_number(s, o).await?;
    insert_head(s, o, number).await?;
    insert_lines(s, o, number).await?;
    s.commit().await?;
    s.unlock_by_name().await;
    Ok(Receipt::at_first_try(number))
}
