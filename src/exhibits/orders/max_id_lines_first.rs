//! # The lines before the head
//!
//! As [`max_id_head_first`](super::max_id_head_first), the other way round: the lines first, the
//! head last.
//!
//! ## Why it holds, and why it breaks
//!
//! The consumer begins with the heads. While an order has no head, its lines do not exist for the
//! consumer. Once it has one, all lines are there. This is publication by the last write, as a file
//! is written under another name and then renamed. It needs no transaction: a cure for the reader,
//! for free.
//!
//! Between two writers it makes everything worse. A number is taken by its *head*, and now the head
//! comes last. The window from reading the highest number to taking the next is as long as all
//! lines together.
//!
//! ## The smallest schedule that breaks it
//!
//! Two writers: 'A A A B B B B A'. Of 70 schedules 68 give a number twice: all but the two in which
//! one writer comes after the other.
//!
//! Beside the consumer: There is none. All 5 schedules are safe. (At READ UNCOMMITTED too: nothing
//! here is uncommitted.)
//!
//! ## What it costs
//!
//! The same statements in another order. A writer that is cut off leaves lines without a head. They
//! are never shipped, and the next order of that number finds them under its own.
//!
//! ## Where people meet it
//!
//! As good advice for half of the problem: "write the lines first, then nobody sees half an order".

use super::anomalies::duplicate;
use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The lines before the head",
    expected: &on_every_engine(&[duplicate(68), safe(2)]),
    file: file!(),
    source: include_str!("max_id_lines_first.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &on_every_engine(&[safe(5)]);

/// Writes the order lines first, each statement in autocommit.
///
/// # Errors
/// The refusal of a statement. What was written before it is kept.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    let number = next_number(s, o).await?;
    // Lines take no number: a client that reads before the head is there gets the same.
    insert_lines(s, o, number).await?;
    // What the consumer finds from here on is whole.
    insert_head(s, o, number).await?;
    Ok(Receipt::at_first_try(number))
}
