//! # Claim a number, and withdraw where one is not alone

use super::{Order, Receipt, Refusal, insert_lines, next_number};
use crate::card::{Card, Expectation};
use crate::engine::{Fault, Session};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Claim a number, and withdraw where one is not alone",
    expected: &[],
    source: include_str!("token_claim.rs"),
};

/// What is expected where one writes and the consumer reads.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &[];

/// Claims a number with a head that the consumer does not take yet, and writes the order if nobody else has claimed it.
///
/// # Errors
/// The refusal of a statement, after which what was written before it is kept; or that every number was claimed by
/// somebody else as well, and nothing is kept.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let number = next_number(s, o).await?;
        claim(s, o, number).await?;
        // From here on everybody who claims this number sees this claim.
        if is_alone(s, o, number).await? {
            insert_lines(s, o, number).await?;
            release(s, o, number).await?;
            return Ok(Receipt {
                attempts,
                ..Receipt::at_first_try(number)
            });
        }
        withdraw(s, o, number).await?;
        if !s.pause().await {
            return Err(Refusal::GaveUp { attempts });
        }
    }
}

/// A head that looks as if the consumer had taken it, with the writer's token in the spare field.
async fn claim(s: &mut Session<'_>, o: &Order, number: i64) -> Result<(), Fault> {
    s.write(
        "claim number",
        number,
        "INSERT INTO order_head (book, id, customer_no, delivery_date, processed, line_count, token) \
         VALUES (?, ?, ?, ?, 1, ?, ?)",
        &[
            o.book,
            number,
            o.customer_no,
            o.delivery_date.number(),
            o.line_count(),
            o.drawn.token,
        ],
    )
    .await?;
    Ok(())
}

async fn is_alone(s: &mut Session<'_>, o: &Order, number: i64) -> Result<bool, Fault> {
    let heads = s
        .read(
            "count heads",
            "SELECT COUNT(*) FROM order_head WHERE book = ? AND id = ?",
            &[o.book, number],
        )
        .await?;
    Ok(heads == Some(1))
}

/// Lets the consumer take the order.
async fn release(s: &mut Session<'_>, o: &Order, number: i64) -> Result<(), Fault> {
    s.run(
        "release head",
        "UPDATE order_head SET processed = 0 WHERE book = ? AND id = ? AND token = ?",
        &[o.book, number, o.drawn.token],
    )
    .await?;
    Ok(())
}

async fn withdraw(s: &mut Session<'_>, o: &Order, number: i64) -> Result<(), Fault> {
    s.run(
        "withdraw",
        "DELETE FROM order_head WHERE book = ? AND id = ? AND token = ?",
        &[o.book, number, o.drawn.token],
    )
    .await?;
    // Of this attempt nothing is kept.
    s.count_anew();
    Ok(())
}
