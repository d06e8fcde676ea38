//! # One at a time, by a lock that is on nothing
//!
//! A named lock that means the account by agreement: MySQL's and MariaDB's `GET_LOCK('account 1', 50)`,
//! PostgreSQL's `pg_advisory_xact_lock(1)` (`with_advisory_lock` for Rails, `django-pglocks`), and a lock file
//! beside the database where there is but one host, as `cron` jobs use `flock`. Whoever has it leads, the others
//! follow when it is their turn. On MySQL the name is the whole server's: two databases with an account 1 would share
//! the lock above (on PostgreSQL, two schemas). So the name that is asked for here has the database's in it, as a
//! hash (`engine/named_lock.rs`).
//!
//! ## Why it holds
//!
//! The lock is taken before the balance is read and given up after the commit, so that nobody reads in between.
//! No row has to be there to be locked, and the lock may guard more than rows: a file, a mail, a whole batch.
//!
//! It holds as long as everybody asks for it. Any code that writes without asking is not kept out; that is
//! what row locks are better at. (The keeper's changes ask for it; the other strategies do not.)
//!
//! ## When it is given up
//!
//! - InnoDB: `GET_LOCK` belongs to the connection and knows nothing of transactions. `RELEASE_LOCK` comes
//!   *after* the commit; before, the next one would read what is not committed yet. It also has to come on
//!   every other path: a connection that goes back to its pool with the lock on it locks everybody out. The
//!   session sees to that, and closes the connection of a client that was dropped.
//! - PostgreSQL: `pg_advisory_xact_lock` ends with its transaction, however that ends: nothing to forget.
//! - SQLite: the file's lock ends with its file handle, also where the process is killed.
//!
//! ## On PostgreSQL, above READ COMMITTED
//!
//! Asking for the lock is the transaction's first statement there, and takes the snapshot *before* the wait.
//! Whoever has waited reads an old balance, and is refused with 40001 when it writes. A lock that is taken before
//! the transaction (`pg_advisory_lock`, with `pg_advisory_unlock` after it) would not have that, and would
//! have to be given up by hand, as on MySQL.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two clients have 66 schedules, on PostgreSQL and SQLite 50, and all are safe; but for the 36 of
//! PostgreSQL's 50 that end in a refusal above READ COMMITTED.
//!
//! ## What it costs
//!
//! The row lock's waiting, and two round trips more (PostgreSQL: one). The lock's timeout is the one for
//! rows (`--lock-wait-timeout`), and whoever waits longer is refused.

use super::{Deposit, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{Card, EVERY_LEVEL, RC, RR_SER, SQLITE_LEVEL, on, safe, serialization};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "One at a time, by a lock that is on nothing",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[safe(66)]),
        on(InnoDbSnapshot, EVERY_LEVEL, &[safe(66)]),
        on(Postgres, RC, &[safe(50)]),
        on(Postgres, RR_SER, &[serialization(36), safe(14)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(50)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(50)]),
    ],
    source: include_str!("advisory_lock.rs"),
};

/// Makes the deposit while holding the lock that means the account.
///
/// # Errors
/// The refusal of a statement or of the commit, or a wait for the lock that took too long. Nothing is
/// kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    s.begin().await?;
    // Others wait here.
    s.lock_by_name(d.account).await?;
    let balance = s
        .read(
            "read balance",
            "SELECT balance FROM accounts WHERE id = ?",
            &[d.account],
        )
        .await?
        .ok_or(Refusal::UnknownAccount)?;

    // No window: nobody who asks for the lock gets past the line above.
    s.think().await;

    let new_balance = d.added_to(balance)?;
    s.write(
        "write balance",
        new_balance,
        "UPDATE accounts SET balance = ? WHERE id = ?",
        &[new_balance, d.account],
    )
    .await?;
    s.run(
        "insert transaction",
        "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
        &[d.account, d.amount],
    )
    .await?;
    let receipt = Receipt::at_first_try(balance, new_balance);
    let receipt = d.commit(s, receipt).await?;
    s.unlock_by_name().await;
    Ok(receipt)
}
