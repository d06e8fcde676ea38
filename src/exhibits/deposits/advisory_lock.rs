//! # One at a time, by a lock that is on nothing
//!
//! A named lock that stands for the account by agreement. One client holds it, and the others wait
//! for their turn. On MySQL a name like `account 1` would be the whole server's: two databases with
//! an account 1 would share the lock (on PostgreSQL, two schemas would). So the name that is used
//! here contains a hash of the database's name (`engine/named_lock.rs`).
//!
//! ## Why it holds
//!
//! The lock is taken before the balance is read and released after the commit, so that no other
//! client reads in between. The lock needs no row that exists already, and it may guard more than
//! rows: a file, a mail, a whole batch.
//!
//! It holds as long as all code asks for the lock. Code that writes without asking is not kept out.
//! Row locks are better at that. (The keeper's changes ask for it; the other strategies do not.)
//!
//! ## When it is released
//!
//! - InnoDB: `GET_LOCK` belongs to the connection and knows nothing of transactions. `RELEASE_LOCK`
//!   comes *after* the commit. Before it, the next client would read a balance that is not
//!   committed yet. The lock has to be released on every other path as well: a connection that
//!   returns to its pool with the lock still held locks all others out. The session sees to that,
//!   and closes the connection of a client that was dropped.
//! - PostgreSQL: `pg_advisory_xact_lock` ends with its transaction, however that ends. There is
//!   nothing to forget.
//! - SQLite: the file's lock ends with its file handle, also if the process is killed.
//!
//! ## On PostgreSQL, above READ COMMITTED
//!
//! There, asking for the lock is the transaction's first statement, and takes the snapshot *before*
//! the wait. A client that has waited reads an old balance, and is refused with 40001 when it
//! writes. A lock that is taken before the transaction (`pg_advisory_lock`, with
//! `pg_advisory_unlock` after it) would avoid that. It would have to be released by hand, as on
//! MySQL.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two clients have 66 schedules, on PostgreSQL and SQLite 50, and all are safe. The
//! exception is PostgreSQL above READ COMMITTED, where 36 of the 50 end in a refusal.
//!
//! ## What it costs
//!
//! The row lock's waiting, and two round trips more (PostgreSQL: one). The lock's timeout is the
//! one for rows (`--lock-wait-timeout`), and a client that waits longer is refused.
//!
//! ## Where people meet it
//!
//! - MySQL and MariaDB: `GET_LOCK('account 1', 50)`.
//! - PostgreSQL: `pg_advisory_xact_lock(1)`; `with_advisory_lock` for Rails, `django-pglocks`.
//! - With only one host: a lock file beside the database, as `cron` jobs use `flock`.

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
    file: file!(),
    source: include_str!("advisory_lock.rs"),
};

/// Makes the deposit while holding the lock that stands for the account.
///
/// # Errors
/// The refusal of a statement or of the commit, or a wait for the lock that took too long. Nothing
/// is kept then.
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

    // No window: no client that asks for the lock gets past the line above.
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
