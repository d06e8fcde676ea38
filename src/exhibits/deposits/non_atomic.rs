//! # Read, modify, write, in autocommit
//!
//! The code that comes to mind first: read the balance, note the transaction, write the balance
//! that was read plus the amount. Each statement is its own transaction.
//!
//! It is Django's `account.balance += amount; account.save()` in a view without `ATOMIC_REQUESTS`, Rails'
//! `account.update(balance: account.balance + amount)`, Hibernate's or Prisma's "find, set, save"; and it is any
//! `SELECT` with an `UPDATE` after it on a connection that nobody has told to begin a transaction, as JDBC, PHP's
//! PDO and every SQL console hand them out.
//!
//! ## Why it breaks
//!
//! The new balance is computed from a value that may be old when it is written. Whoever writes
//! between this client's read and its write is overwritten, unseen: a **lost update** (P4). Both
//! rows in `transactions` are there, both clients are told "done", and the balance misses one
//! amount.
//!
//! No isolation level helps, SERIALIZABLE included: a level says what statements of *one
//! transaction* may see of others, and here each statement is a transaction of its own. SQLite
//! makes writers queue, and loses the update all the same. So does PostgreSQL, although at
//! REPEATABLE READ and SERIALIZABLE it refuses one of two `UPDATE`s that are under way in the very
//! same instant (40001): that saves no money, it only leaves a deposit half done.
//!
//! It is also not atomic: if it fails after the insert, a transaction is on record that the balance
//! never saw.
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
//! Of the 20 ways in which two clients' three statements can interleave, 18 lose an update. Only
//! the two in which one client runs before the other are safe. The delay of
//! `non_atomic_long_delay` changes how *often* a losing schedule comes up, never *whether* it can.
//!
//! ## Sent twice, with an idempotency key
//!
//! At most once, not exactly once: without a transaction the answer cannot be kept together with the deposit, and
//! so it is stored before. Whoever is cut off in between is told that a deposit was made that was not.
//!
//! ## What it costs
//!
//! Three round trips, two of them with a commit of their own. It is not even cheap.

use super::{Deposit, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::{Card, Count, lost, on_every_engine, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Read, modify, write, in autocommit",
    expected: &on_every_engine(ALWAYS),
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

    // The window: from here on, `balance` is a memory.
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
