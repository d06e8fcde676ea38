//! # Lock the row, without a transaction
//!
//! `SELECT … FOR UPDATE`, then the write, each statement in autocommit.
//!
//! ## Why it breaks
//!
//! A lock is held until the end of the transaction that took it. In autocommit that is the end of
//! the `SELECT` itself: one statement takes the lock, reads the balance and releases the lock. It
//! waits for clients that are writing at that moment, and keeps no client out afterwards.
//!
//! What remains is [`non_atomic_no_delay`](super::non_atomic), down to the number of schedules: a
//! **lost update**. No isolation level helps, because there is no transaction that could have
//! one. SQLite has no `FOR UPDATE`, so the clause is left out there. The cure on SQLite would be
//! `BEGIN IMMEDIATE`, which is a transaction by its name.
//!
//! What makes this dangerous is that it looks reviewed. The clause is there, it does lock, and a
//! test with a long transaction on the other side sees it wait.
//!
//! ## The smallest schedule that breaks it
//!
//! ```text
//! A A        A locks, reads 0, unlocks; inserts
//!     B B B  B locks, reads 0, unlocks; inserts, writes 100
//! A          A writes 100: B's 100 is lost
//! ```
//!
//! (`racy explore lock_without_transaction` finds it, and `--schedule 'A A B B B A'` runs it
//! again.)
//!
//! Of the 20 schedules of two clients, 18 lose an update on every engine, and no client ever waits.
//!
//! ## Sent twice, with an idempotency key
//!
//! The deposit is made at most once, not exactly once. Without a transaction, the answer cannot be
//! committed together with the deposit, so it is stored first. If the service dies in between, a
//! client that sends the key again is told that its deposit was made, although it was not.
//!
//! ## What it costs
//!
//! Three round trips, two of them with a commit of their own, and a lock that protects nothing.
//!
//! ## Where people meet it
//!
//! In code that has one half of the remedy, and none of these libraries complains:
//!
//! - Rails: `Account.lock.find(id)` outside `transaction do`.
//! - Sequelize: `findByPk(id, { lock: true })` without `transaction: t`.
//! - PDO: `query('SELECT … FOR UPDATE')` without `beginTransaction()`.
//!
//! Django does complain: "select_for_update cannot be used outside of a transaction."

use super::anomalies::lost;
use super::{Deposit, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Count, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Lock the row, without a transaction",
    expected: &on_every_engine(ALWAYS),
    file: file!(),
    source: include_str!("lock_without_transaction.rs"),
};

const ALWAYS: &[Count] = &[lost(18), safe(2)];

/// Makes the deposit in three statements, each for itself; the first one locks.
///
/// # Errors
/// The refusal of a statement. What the statements before it wrote stays written.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    // The lock is taken here, and is gone before this line is done.
    let balance = s
        .read(
            "lock and read balance",
            "SELECT balance FROM accounts WHERE id = ? FOR UPDATE",
            &[d.account],
        )
        .await?
        .ok_or(Refusal::UnknownAccount)?;

    // The window: `balance` may be out of date, as without the lock.
    s.think().await;

    let new_balance = d.added_to(balance)?;
    let receipt = Receipt::at_first_try(balance, new_balance);
    d.answer_first(s, &receipt).await?;
    s.run(
        "insert transaction",
        "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
        &[d.account, d.amount],
    )
    .await?;
    s.write(
        "write balance",
        new_balance,
        "UPDATE accounts SET balance = ? WHERE id = ?",
        &[new_balance, d.account],
    )
    .await?;
    Ok(receipt)
}
