//! # Only append
//!
//! The balance is not a number that is stored but a sum that is read. A deposit inserts its
//! transaction and is done.
//!
//! ## Why it holds
//!
//! No client reads a value in order to write it, so there is nothing to overwrite. Two inserts are
//! two rows, in whichever order they come. The account's row is shared, but it is only looked at:
//! for the foreign key InnoDB takes a shared lock on it, and PostgreSQL one on its key. Many
//! clients may hold these at once. SQLite lets one client write at a time, as always. So the
//! strategy holds on every engine at every level.
//!
//! The inserted row is marked as `appended`: the balance column does not contain it. So deposits of
//! all strategies may go to one account. What the account holds is the balance column, its slots
//! and the appended transactions, all read in one statement.
//!
//! ## What is not checked
//!
//! Nothing about the sum is checked, because a deposit does not know it. In a bank that would
//! concern the overdraft: a withdrawal must know the balance, and the sum that it reads may be old
//! when it is used (write skew). Appending works for deposits, not for withdrawals.
//!
//! Here it concerns the overflow, and a deposit keeps its distance instead of reading the sum. It
//! is appended if its amount is ordinary and the balance column is far from what a BIGINT holds. A
//! billion of these fit in between. Any other deposit is made as `edge.rs` says, under the row's
//! lock and with a look at the sum. It is refused if the sum would be too large. (`INSERT … SELECT
//! SUM(amount)` would read the sum each time, and on InnoDB lock every row that it adds up: two
//! clients would deadlock.)
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two clients have two schedules, one after the other, and both are safe.
//!
//! ## Sent twice, with an idempotency key
//!
//! The deposit is made exactly once. With a key, the answer has to be stored together with the
//! insert, and the two are one transaction.
//!
//! ## What it costs
//!
//! One round trip, one commit, and no wait for other deposits, however hot the account is. Reading
//! is dearer: a balance is a sum over all rows, and from time to time old rows have to be folded
//! into a number. The receipt contains no balance, because none is known.
//!
//! ## Where people meet it
//!
//! Ledgers, event sourcing, `account.entries.create!(…)` with `entries.sum(:amount)` beside it.

use super::{Deposit, Receipt, Refusal, edge};
use crate::engine::Session;
use crate::exhibits::card::{Card, Count, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Only append",
    expected: &on_every_engine(BOTH_ORDERS),
    file: file!(),
    source: include_str!("append_only.rs"),
};

const BOTH_ORDERS: &[Count] = &[safe(2)];

/// Makes the deposit by inserting its transaction.
///
/// # Errors
/// The refusal of the statement. Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    if d.amount > edge::ORDINARY {
        return edge::deposit(s, d).await;
    }
    // Without a key nothing has to be committed together with the insert.
    let has_company = d.claim.is_some();
    if has_company {
        s.begin().await?;
    }
    let appended = s
        .run(
            "append transaction",
            "INSERT INTO transactions (account_id, amount, appended) \
             SELECT id, ?, 1 FROM accounts WHERE id = ? AND balance <= ?",
            &[d.amount, d.account, edge::FAR],
        )
        .await?;
    if appended == 0 {
        match has_company {
            true => s.rollback().await?,
            // Nothing was written.
            false => s.count_anew(),
        }
        return edge::deposit(s, d).await;
    }
    let receipt = Receipt::without_a_balance();
    match has_company {
        true => d.commit(s, receipt).await,
        false => Ok(receipt),
    }
}
