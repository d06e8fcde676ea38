//! # Read, modify, write, in autocommit
//!
//! This is the code that comes to mind first. It reads the balance, inserts the transaction, and
//! writes the balance that it read plus the amount. Each statement is a transaction of its own.
//!
//! ## Why it breaks
//!
//! The new balance is computed from a value that may be old by the time it is written. If another
//! client writes between this client's read and its write, this client overwrites that value
//! unseen: a **lost update**. (It is P4 in *A Critique of ANSI SQL Isolation Levels* by Berenson et
//! al., 1995.) Both rows in `transactions` are there, both clients get a receipt, and the balance
//! lacks one amount.
//!
//! No isolation level helps, not even SERIALIZABLE. A level says what the statements of *one
//! transaction* may see of other transactions, and here each statement is a transaction of its own.
//! SQLite makes writers queue, and loses the update all the same. PostgreSQL loses it too. At
//! REPEATABLE READ and SERIALIZABLE it refuses one of two `UPDATE`s that run at the very same
//! instant (40001). That saves no money: it only leaves a deposit half done.
//!
//! The code is not atomic either. If it fails after the insert, a transaction is on record that the
//! balance does not contain.
//!
//! ## The smallest schedule that breaks it
//!
//! ```text
//! A A        A reads 0, inserts
//!     B B B  B reads 0, inserts, writes 100
//! A          A writes 100: B's 100 is lost
//! ```
//!
//! (`racy explore non_atomic_no_delay` finds it, and `--schedule 'A A B B B A'` runs it again.)
//!
//! The three statements of two clients can interleave in 20 ways, and 18 of them lose an update.
//! Only the two in which one client runs before the other are safe. The delay of
//! `non_atomic_long_delay` changes how *often* a losing schedule occurs, never *whether* it can
//! occur.
//!
//! ## Sent twice, with an idempotency key
//!
//! The deposit is made at most once, not exactly once. Without a transaction, the answer cannot be
//! committed together with the deposit, so it is stored first. If the service dies in between, a
//! client that sends the key again is told that its deposit was made, although it was not.
//!
//! ## What it costs
//!
//! Three round trips, two of them with a commit of their own. It is not even cheap.
//!
//! ## Where people meet it
//!
//! - Django: `account.balance += amount; account.save()` in a view without `ATOMIC_REQUESTS`.
//! - Rails: `account.update(balance: account.balance + amount)`.
//! - Hibernate and Prisma: "find, set, save".
//! - Any `SELECT` with an `UPDATE` after it, on a connection on which no transaction was begun.
//!   JDBC, PHP's PDO and every SQL console hand out such connections.

use super::anomalies::lost;
use super::{Deposit, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Count, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Read, modify, write, in autocommit",
    expected: &on_every_engine(ALWAYS),
    file: file!(),
    source: include_str!("non_atomic.rs"),
};

const ALWAYS: &[Count] = &[lost(18), safe(2)];

/// Makes the deposit in three statements, each for itself.
///
/// # Errors
/// The refusal of a statement. What the statements before it wrote stays written.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    let balance = s
        .read(
            "read balance",
            "SELECT balance FROM accounts WHERE id = ?",
            &[d.account],
        )
        .await?
        .ok_or(Refusal::UnknownAccount)?;

    // The window: from here on, `balance` may be out of date.
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
