//! # Only append
//!
//! The balance is not a number that is kept but a sum that is read: a deposit inserts its transaction and is
//! done. A ledger, event sourcing, `account.entries.create!(…)` with `entries.sum(:amount)` beside it.
//!
//! ## Why it holds
//!
//! Nobody reads a value in order to write it, so that there is nothing to overwrite. Two inserts are two rows,
//! whoever comes first. What the clients share, the account's row, is only looked at: for the foreign
//! key InnoDB takes a shared lock on it, and PostgreSQL one on its key, which many may have at once. SQLite
//! lets one write at a time, as always. So it holds on every engine at every level.
//!
//! The row says that no balance contains it (`appended`), so that deposits of all strategies may go to
//! one account: what it holds is the balance column, its slots and the appended transactions, all read in
//! one statement.
//!
//! ## What is not checked
//!
//! Anything about the sum: a deposit does not know it. Here that is the overflow, which there is none of,
//! since no column has to hold the sum; the audit reads it in halves. In a bank it is the overdraft:
//! a withdrawal must know the balance, and then reads a sum that grows old, as everything does that is read
//! before it is needed (write skew). Appending is a cure for deposits, not for withdrawals.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two clients have two schedules, one after the other, and both are safe.
//!
//! ## Sent twice, with an idempotency key
//!
//! Exactly once: with a key there is something that has to happen together with the insert, the answer, and the two
//! are one transaction.
//!
//! ## What it costs
//!
//! One round trip, one commit, and no wait for other deposits: the account may be as hot as it likes. Reading
//! pays for it: a balance is a sum over all rows, and somebody has to fold old ones into a number from time to
//! time. The receipt has no balance in it, because nobody knows one.

use super::{Deposit, Receipt, Refusal};
use crate::card::{Card, Count, on_every_engine, safe};
use crate::engine::Session;

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Only append",
    expected: &on_every_engine(BOTH_ORDERS),
    source: include_str!("append_only.rs"),
};

const BOTH_ORDERS: &[Count] = &[safe(2)];

/// Makes the deposit by putting it on record.
///
/// # Errors
/// The refusal of the statement. Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    // Without a key there is nothing that would have to happen together with the insert.
    let has_company = d.claim.is_some();
    if has_company {
        s.begin().await?;
    }
    s.run(
        "append transaction",
        "INSERT INTO transactions (account_id, amount, appended) VALUES (?, ?, 1)",
        &[d.account, d.amount],
    )
    .await?;
    let receipt = Receipt::without_a_balance();
    match has_company {
        true => d.commit(s, receipt).await,
        false => Ok(receipt),
    }
}
