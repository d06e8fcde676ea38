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
//! Anything about the sum: a deposit does not know it. In a bank that is the overdraft: a
//! withdrawal must know the balance, and the sum that it reads may be old when it is needed (write
//! skew). Appending is a cure for deposits, not for withdrawals.
//!
//! Here it is the overflow, and a deposit keeps its distance instead of looking. It is appended
//! where its amount is ordinary and the balance column is far from what a BIGINT holds: a billion
//! of them fit in between. Any other is made as `edge.rs` says, under the row's lock and with a
//! look at the sum. It is refused if the sum would be too much. (`INSERT … SELECT SUM(amount)`
//! would look each time, and on InnoDB lock every row that it adds up: two clients would deadlock.)
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

use super::{Deposit, Receipt, Refusal, edge};
use crate::engine::Session;
use crate::exhibits::card::{Card, Count, on_every_engine, safe};

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
    if d.amount > edge::ORDINARY {
        return edge::deposit(s, d).await;
    }
    // Without a key there is nothing that would have to happen together with the insert.
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
