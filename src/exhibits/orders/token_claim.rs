//! # Claim a number, and withdraw if it is claimed twice
//!
//! A solution with nothing but the two tables, and a spare field in the head:
//!
//! 1. Read the highest number.
//! 2. Write a head with the next number. It is marked as *processed*, so that the consumer leaves
//!    it alone, and has a random token in the spare field.
//! 3. Count the heads with that number.
//! 4. If there is only one, the number is taken: write the lines, and release the head.
//! 5. If there are more, delete the own head, which the token tells from the other. Pause, and
//!    begin again.
//!
//! ## Why it holds
//!
//! Each client writes its claim *before* it counts. Of two clients that claim one number, the one
//! that counts last sees both claims. For both to find themselves alone, each would have to count
//! before the other has claimed. This is the flag half of Dekker's and Peterson's algorithms, and
//! it needs what they need: a read sees all that was written before it. In autocommit every level
//! of every engine here gives that. In one long transaction it would break, because a snapshot does
//! not show the other claim. A read that is sent to a replica would break it too.
//!
//! The consumer never sees an order that is not whole, because a head looks processed until its
//! last line is there.
//!
//! ## What it does not promise
//!
//! **That a client gets through.** If two see each other, both withdraw, and if they go on in step
//! they do so again: a livelock. The random pause makes that unlikely. The limit on attempts makes
//! it end, with a refusal (`gave-up`, 409). With many writers at once most of them give up.
//!
//! **That a single statement passes.** PostgreSQL at SERIALIZABLE refuses even single statements
//! that overlap (40001). The explorer does not show this, because it lets one statement end before
//! the next begins. The claim is withdrawn then.
//!
//! **That nothing stays behind.** A writer that is killed between claim and release leaves a head
//! that looks processed, and a number that is never shipped. It cannot be told from an order that
//! the ERP has taken.
//!
//! **That there are no gaps.** After a withdrawal another client may have gone on with the number
//! after.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none, neither for two writers nor beside the consumer. With one attempt each and one
//! line, 64 of 176 schedules end with a refusal and 112 with two orders.
//!
//! ## What it costs
//!
//! Three statements more than the plain way, and for each lost attempt three more and a pause.
//!
//! ## Where people meet it
//!
//! Where the schema belongs to others, and the interface has no transactions.

use super::{Order, Receipt, Refusal, insert_lines, next_number, tidy_up};
use crate::engine::{Fault, Session};
use crate::exhibits::card::{Card, Expectation, declined, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Claim a number, and withdraw if it is claimed twice",
    expected: &on_every_engine(&[declined(64), safe(112)]),
    file: file!(),
    source: include_str!("token_claim.rs"),
};

/// What is expected of one writer and the consumer.
pub const BESIDE_THE_CONSUMER: &[Expectation] = &on_every_engine(&[safe(6)]);

/// Claims a number with a head that the consumer does not take yet. Writes the order if no other
/// client has claimed the number.
///
/// # Errors
/// The refusal of a statement: what was written before it is kept. Or [`Refusal::GaveUp`] if
/// another client had claimed the number in each attempt: nothing is kept then.
pub async fn write(s: &mut Session<'_>, o: &Order) -> Result<Receipt, Refusal> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let number = next_number(s, o).await?;
        claim(s, o, number).await?;
        match write_if_alone(s, o, number).await {
            Ok(true) => {
                return Ok(Receipt {
                    attempts,
                    ..Receipt::at_first_try(number)
                });
            }
            Ok(false) => withdraw(s, o, number).await?,
            Err(fault) => {
                withdraw(s, o, number).await?;
                return Err(fault.into());
            }
        }
        if !s.pause().await {
            return Err(Refusal::GaveUp { attempts });
        }
    }
}

/// From the claim on, every other client that claims the number sees it.
async fn write_if_alone(s: &mut Session<'_>, o: &Order, number: i64) -> Result<bool, Fault> {
    if !is_alone(s, o, number).await? {
        return Ok(false);
    }
    if let Err(fault) = insert_lines(s, o, number).await {
        take_lines_back(s, o, number).await?;
        return Err(fault);
    }
    release(s, o, number).await?;
    Ok(true)
}

/// Writes a head that looks as if the consumer had taken it, with the writer's token in the spare
/// field.
async fn claim(s: &mut Session<'_>, o: &Order, number: i64) -> Result<(), Fault> {
    s.write(
        "claim number",
        number,
        "INSERT INTO order_head \
         (book, id, customer_no, delivery_date, processed, line_count, token) \
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
    tidy_up(
        s,
        "release head",
        "UPDATE order_head SET processed = 0 WHERE book = ? AND id = ? AND token = ?",
        &[o.book, number, o.drawn.token],
    )
    .await
}

async fn take_lines_back(s: &mut Session<'_>, o: &Order, number: i64) -> Result<(), Fault> {
    tidy_up(
        s,
        "take lines back",
        "DELETE FROM orderline WHERE book = ? AND order_id = ? AND written_by = ?",
        &[o.book, number, o.customer_no],
    )
    .await
}

async fn withdraw(s: &mut Session<'_>, o: &Order, number: i64) -> Result<(), Fault> {
    tidy_up(
        s,
        "withdraw",
        "DELETE FROM order_head WHERE book = ? AND id = ? AND token = ?",
        &[o.book, number, o.drawn.token],
    )
    .await?;
    // Nothing of this attempt is kept.
    s.count_anew();
    Ok(())
}
