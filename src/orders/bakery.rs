//! # One at a time, by tickets

use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number};
use crate::card::{Card, Expectation};
use crate::engine::{Fault, Session};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "One at a time, by tickets",
    expected: &[],
    source: include_str!("bakery.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

/// Writes the order when it is its turn, each statement in autocommit.
///
/// # Errors
/// The refusal of a statement, or a wait for the turn that took too long. What was written is kept.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    s.run(
        "enter",
        "INSERT INTO order_locks (book, token, choosing, ticket) VALUES (?, ?, 1, 0)",
        &[o.book, o.drawn.token],
    )
    .await?;
    let written = write_in_turn(s, o).await;
    // Also where it came to nothing: all others wait for this one.
    s.run(
        "leave",
        "DELETE FROM order_locks WHERE book = ? AND token = ?",
        &[o.book, o.drawn.token],
    )
    .await?;
    Ok(written?)
}

async fn write_in_turn(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Fault> {
    let ticket = take_ticket(s, o).await?;
    wait_for_turn(s, o, ticket).await?;
    let number = next_number(s, o).await?;
    insert_head(s, o, number).await?;
    insert_lines(s, o, number).await?;
    Ok(Receipt::at_first_try(number))
}

/// Two may draw the same ticket.
async fn take_ticket(s: &mut Session<'_>, o: &Order) -> Result<i64, Fault> {
    let highest = s
        .read(
            "read highest ticket",
            "SELECT MAX(ticket) FROM order_locks WHERE book = ?",
            &[o.book],
        )
        .await?;
    let ticket = highest.unwrap_or_default() + 1;
    s.write(
        "take ticket",
        ticket,
        "UPDATE order_locks SET ticket = ?, choosing = 0 WHERE book = ? AND token = ?",
        &[ticket, o.book, o.drawn.token],
    )
    .await?;
    Ok(ticket)
}

/// Until nobody has a smaller ticket, or is about to have one. Of two with the same, the smaller token comes first.
async fn wait_for_turn(s: &mut Session<'_>, o: &Order, ticket: i64) -> Result<(), Fault> {
    s.wait_until_none(
        "wait for turn",
        "SELECT COUNT(*) FROM order_locks WHERE book = ? AND token <> ? \
         AND (choosing = 1 OR ticket < ? OR (ticket = ? AND token < ?))",
        &[o.book, o.drawn.token, ticket, ticket, o.drawn.token],
    )
    .await
}
