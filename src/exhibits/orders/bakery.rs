//! # One at a time, by tickets
//!
//! Lamport's bakery (1974) keeps clients apart with nothing but reading and writing. A client that
//! enters says that it is choosing, takes a ticket one higher than the highest it sees, and says
//! that it has chosen. Then it waits until no other client is choosing or has a smaller ticket. If
//! two draw the same ticket, the smaller token is served first. Here the tickets are in a table,
//! `order_locks`, beside an interface that cannot be changed.
//!
//! ## Why it holds
//!
//! Between waiting and leaving there is one writer. So reading the highest number and writing the
//! head belong together, although every statement commits by itself.
//!
//! "I am choosing" has to be visible before the ticket is read. Otherwise a client that is slow
//! between reading and writing its ticket would come with a small one when a larger is being served
//! already. One query asks about all other clients at once. That is as good as asking one after the
//! other: a client that enters after the query sees this ticket, and draws a larger one.
//!
//! The algorithm needs no lock and no transaction of the engine, only that a read sees what was
//! written before.
//!
//! ## Why it breaks
//!
//! The consumer does not know of the bakery, and the head is written before the lines. So the
//! consumer ships incomplete orders, as with [`max_id_head_first`](super::max_id_head_first).
//! Mutual exclusion holds among those that take part in it.
//!
//! ## The smallest schedule that breaks it
//!
//! Two writers: There is none. All 376 schedules (of orders with one line) are safe.
//!
//! Beside the consumer, which is A: 'B B B B B B A A A A B B'. Of 21 schedules 6 ship an order
//! incomplete.
//!
//! ## What it costs
//!
//! Five statements more than the plain way, and waiting by asking again and again. A client that is
//! killed in the bakery keeps all others out until its row is deleted (`DELETE FROM order_locks
//! WHERE book = …`). An engine's own lock goes with its connection; a row does not.
//!
//! ## Where people meet it
//!
//! In home-made lock tables, most of which lack "I am choosing", the token, or both.

use super::anomalies::shipped_incomplete;
use super::{Order, Receipt, Refusal, insert_head, insert_lines, next_number, tidy_up};
use crate::engine::{Fault, Kept, Session};
use crate::exhibits::card::{Card, Expectation, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "One at a time, by tickets",
    expected: &on_every_engine(&[safe(376)]),
    file: file!(),
    source: include_str!("bakery.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] =
    &on_every_engine(&[shipped_incomplete(6), safe(15)]);

/// Writes the order when the client's turn has come, each statement in autocommit.
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
    let queued = queue(s, o).await;
    // The ticket is no part of the order.
    s.count_anew();
    let written = match queued {
        Ok(()) => write_next(s, o).await,
        Err(fault) => Err(fault),
    };
    let kept = s.kept();
    // Also if it came to nothing, because all others wait for this client.
    tidy_up(
        s,
        "leave",
        "DELETE FROM order_locks WHERE book = ? AND token = ?",
        &[o.book, o.drawn.token],
    )
    .await?;
    if kept == Kept::Nothing {
        s.count_anew();
    }
    Ok(written?)
}

async fn queue(s: &mut Session<'_>, o: &Order) -> Result<(), Fault> {
    let ticket = take_ticket(s, o).await?;
    wait_for_turn(s, o, ticket).await
}

async fn write_next(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Fault> {
    let number = next_number(s, o).await?;
    insert_head(s, o, number).await?;
    insert_lines(s, o, number).await?;
    Ok(Receipt::at_first_try(number))
}

/// Takes a ticket after the highest. Two clients may draw the same.
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

/// Waits until no other client has a smaller ticket or is choosing one. Of two equal tickets, the
/// one with the smaller token comes first.
async fn wait_for_turn(s: &mut Session<'_>, o: &Order, ticket: i64) -> Result<(), Fault> {
    s.wait_until_none(
        "wait for turn",
        "SELECT COUNT(*) FROM order_locks WHERE book = ? AND token <> ? \
         AND (choosing = 1 OR ticket < ? OR (ticket = ? AND token < ?))",
        &[o.book, o.drawn.token, ticket, ticket, o.drawn.token],
    )
    .await
}
