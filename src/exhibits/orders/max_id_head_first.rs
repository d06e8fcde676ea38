//! # The highest number plus one, head first
//!
//! `SELECT MAX(id) FROM order_head`, add one, write the head, write the lines. This fills an
//! interface to an ERP that has no auto-increment.
//!
//! ## Why it breaks
//!
//! It breaks in two ways, each of which is enough.
//!
//! - **Two writers.** Between reading the highest number and writing the head, another client reads
//!   the same number. Nothing refuses the second head, because no number is unique. Now two orders
//!   have one number. Lines know their order by its number alone, so each order has the lines of
//!   both.
//! - **One writer and the consumer.** The head is there before its lines are. The consumer finds
//!   the head, ships the lines that are there by then, perhaps none, and marks the head. It never
//!   looks at the other lines again.
//!
//! Each statement is right, and each commits by itself. The isolation level makes no difference,
//! because it only holds within a transaction.
//!
//! ## The smallest schedule that breaks it
//!
//! Two writers: 'A B B B B A A A'. A reads, B writes a whole order, A writes under the same number.
//! Of 70 schedules 40 give a number twice. In the others one client has written its head before the
//! other reads.
//!
//! Beside the consumer, which is A then: 'B B A A A A B B'. B writes its head, A ships it without
//! lines. Of 17 schedules 12 ship an order incomplete.
//!
//! (`racy explore orders/max_id_head_first` finds both.)
//!
//! ## What it costs
//!
//! One round trip for the number, one for the head, one for each line. No client waits.
//!
//! ## Where people meet it
//!
//! In every web shop that was ever connected to such an interface. In imports that ran nightly, one
//! at a time, until they ran every minute. Wherever a text contains `MAX(id) + 1`.

use super::anomalies::{duplicate, shipped_incomplete};
use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number};
use crate::engine::Session;
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "The highest number plus one, head first",
    expected: &on_every_engine(&[duplicate(40), safe(30)]),
    file: file!(),
    source: include_str!("max_id_head_first.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] =
    &on_every_engine(&[shipped_incomplete(12), safe(5)]);

/// Writes the order head first, each statement in autocommit.
///
/// # Errors
/// The refusal of a statement. What was written before it is kept.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    let number = next_number(s, o).await?;
    // A client that reads now gets the same number.
    insert_head(s, o, number).await?;
    // The consumer takes what it finds now.
    insert_lines(s, o, number).await?;
    Ok(Receipt::at_first_try(number))
}
