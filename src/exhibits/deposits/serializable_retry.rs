//! # SERIALIZABLE, and try again
//!
//! The same read, modify, write as in `atomic_no_delay`, but at SERIALIZABLE: the one level at
//! which a database promises that transactions run as if one came after the other. When the
//! database refuses because they could not, the whole transaction is made again.
//!
//! ## Why it holds
//!
//! The level finds the conflict, whatever the code reads and writes. There is no column and no lock
//! clause that could be forgotten. The database answers a conflict with a refusal. The loop is the
//! half that is often left out: at this level a refusal is part of normal work, not an error. A
//! client that does not try again turns customers away.
//!
//! The *whole* transaction is made again, beginning with the read, because the value that was read
//! belongs to the failed attempt. At most five further attempts are made, as in `optimistic_retry`.
//!
//! ## What makes an attempt fail
//!
//! - InnoDB: 1213. Each `SELECT` takes a shared lock, and two clients that have read the same row
//!   block each other when both write. With `innodb_snapshot_isolation` also 1020.
//! - PostgreSQL: 40001, at the `UPDATE` or as late as at the commit.
//! - SQLite, where every transaction is serializable: 517 or 5, at the first write of a transaction
//!   that has read.
//!
//! The level is set with this transaction's begin, for this transaction alone, whatever
//! `--isolation` says.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. InnoDB has 102 schedules of two clients, PostgreSQL 92, and all end with both
//! deposits made. SQLite has 3242. In 680 of these one client makes its six attempts while the
//! other is between its write and its commit, and gives up. The explorer reaches these because a
//! pause takes no time there.
//!
//! ## What it costs
//!
//! Five round trips for an attempt; the last is the commit. On InnoDB this is a row lock that is
//! taken in two steps, with a deadlock if two clients are between the steps at once. On a hot
//! account the plain row lock does the same work without the deadlocks. On PostgreSQL reads lock
//! nothing, and if collisions are few, a failed attempt is cheaper than waiting.
//!
//! ## Where people meet it
//!
//! Django's `isolation_level` with a retrying decorator, Spring's `@Transactional(isolation =
//! SERIALIZABLE)` under `@Retryable`, and the loop that CockroachDB's drivers have built in.

use super::retry::{Attempts, NotMade};
use super::{Deposit, Receipt, Refusal};
use crate::engine::{Isolation, Session};
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{Card, EVERY_LEVEL, POSTGRES_LEVELS, SQLITE_LEVEL, declined, on, safe};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "SERIALIZABLE, and try again",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[safe(102)]),
        on(InnoDbSnapshot, EVERY_LEVEL, &[safe(102)]),
        on(Postgres, POSTGRES_LEVELS, &[safe(92)]),
        on(SqliteWal, SQLITE_LEVEL, &[declined(680), safe(2562)]),
        on(SqliteRollback, SQLITE_LEVEL, &[declined(680), safe(2562)]),
    ],
    file: file!(),
    source: include_str!("serializable_retry.rs"),
};

/// Makes the deposit, in as many attempts as it takes.
///
/// # Errors
/// [`Refusal::GaveUp`] after too many attempts; else the refusal of a statement or of the commit.
/// Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    let mut attempts = Attempts::first();
    loop {
        match attempt(s, d, &attempts).await {
            Ok(receipt) => return Ok(receipt),
            Err(NotMade::Refused(refusal)) => return Err(refusal),
            Err(NotMade::Lost) => attempts.next(s).await?,
        }
    }
}

async fn attempt(
    s: &mut Session<'_>,
    d: &Deposit,
    attempts: &Attempts,
) -> Result<Receipt, NotMade> {
    s.begin_at(Isolation::Serializable).await?;
    let balance = s
        .read(
            "read balance",
            "SELECT balance FROM accounts WHERE id = ?",
            &[d.account],
        )
        .await?
        .ok_or(Refusal::UnknownAccount)?;

    // The window: others may read the same balance, but only one client gets through with it.
    s.think().await;

    let new_balance = d.added_to(balance)?;
    s.write(
        "write balance",
        new_balance,
        "UPDATE accounts SET balance = ? WHERE id = ?",
        &[new_balance, d.account],
    )
    .await?;
    // Last, so that a lost attempt has written nothing yet that would have to be undone.
    s.run(
        "insert transaction",
        "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
        &[d.account, d.amount],
    )
    .await?;
    let receipt = attempts.receipt(balance, new_balance);
    Ok(d.commit(s, receipt).await?)
}
