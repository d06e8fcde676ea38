//! # Compare and swap, and try again
//!
//! Optimistic locking. A `version` column is read with the balance, and the `UPDATE` says `AND
//! version = …`. The statement of a client that was overtaken matches no row, and that client
//! begins again.
//!
//! ## Why it holds
//!
//! Two clients may read the same balance. But writing it is one statement that compares and swaps
//! under the row's exclusive lock, against the newest committed version. Of two clients that have
//! read the same version, one finds it there and the other does not.
//!
//! All code that writes the balance has to take part. Code that changes the balance and not the
//! version goes unnoticed, and overwrites or is overwritten as before. (The keeper's changes
//! increment the version; the other strategies do not.)
//!
//! ## Why each attempt is a transaction of its own
//!
//! Within one transaction at REPEATABLE READ a second `SELECT` reads the same snapshot again, with
//! the same old version, for ever. So a lost attempt is rolled back. That also releases the lock
//! that InnoDB keeps on a row that it has looked at, even if the row did not match. Then comes a
//! pause, and another transaction.
//!
//! At most five further attempts are made, after random pauses that grow (`--retry` has other
//! policies to compare). Then the client is told how many attempts there were (409, `gave-up`), and
//! decides for itself.
//!
//! ## What makes an attempt fail
//!
//! - InnoDB, and PostgreSQL at READ COMMITTED: no row matched. If the other client had not
//!   committed, the `UPDATE` waited for that first.
//! - InnoDB at SERIALIZABLE: 1213. The `SELECT` takes a shared lock there, and two of these block
//!   each other's `UPDATE`.
//! - MariaDB with `innodb_snapshot_isolation` at REPEATABLE READ: 1020, before any version is
//!   compared.
//! - PostgreSQL at REPEATABLE READ and SERIALIZABLE: 40001, likewise.
//! - SQLite: 517 or 5. It does not let a client write that has read before the last commit, so the
//!   version is never even compared.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two clients have 92 schedules on InnoDB and PostgreSQL, and 102 at InnoDB's
//! SERIALIZABLE; all end with both deposits made.
//!
//! SQLite has 3242. In 680 of them one client gives up: the other has written and not yet committed
//! while the first makes all six attempts. The explorer reaches these because a pause takes no time
//! there. The pauses of a real client add up to 310 ms with `--retry exponential`, and on average
//! to half of that with the default, full jitter. That is usually longer than a commit takes, but
//! it is no guarantee.
//!
//! ## What it costs
//!
//! Five round trips, of which the last is the commit, if no other client interferes: as cheap as a
//! transaction without protection. No lock is held during the delay. On a hot account each success
//! costs the other clients an attempt, so the work grows with the square of the number of clients.
//! There a lock is cheaper.
//!
//! ## Where people meet it
//!
//! JPA's `@Version`, Rails' `lock_version`, Django's `filter(pk=…, version=…).update(…)`. All three
//! leave it to the caller to begin again.

use super::retry::{Attempts, NotMade};
use super::{Deposit, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, POSTGRES_LEVELS, SER, SQLITE_LEVEL, UP_TO_RR, declined, on, safe,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Compare and swap, and try again",
    expected: &[
        on(InnoDb, UP_TO_RR, &[safe(92)]),
        on(InnoDb, SER, &[safe(102)]),
        on(InnoDbSnapshot, UP_TO_RR, &[safe(92)]),
        on(InnoDbSnapshot, SER, &[safe(102)]),
        on(Postgres, POSTGRES_LEVELS, &[safe(92)]),
        on(SqliteWal, SQLITE_LEVEL, &[declined(680), safe(2562)]),
        on(SqliteRollback, SQLITE_LEVEL, &[declined(680), safe(2562)]),
    ],
    file: file!(),
    source: include_str!("optimistic_retry.rs"),
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
    s.begin().await?;
    let [balance, version] = s
        .row(
            "read balance and version",
            "SELECT balance, version FROM accounts WHERE id = ?",
            &[d.account],
        )
        .await?
        .ok_or(Refusal::UnknownAccount)?;

    // The window is as wide as ever, but a change during it does not go unseen.
    s.think().await;

    let new_balance = d.added_to(balance)?;
    let swapped = s
        .write(
            "compare and swap",
            new_balance,
            "UPDATE accounts SET balance = ?, version = version + 1 WHERE id = ? AND version = ?",
            &[new_balance, d.account, version],
        )
        .await?;
    if swapped == 0 {
        return Err(NotMade::Lost);
    }
    // After the exclusive lock, so that the foreign key's shared one is no danger.
    s.run(
        "insert transaction",
        "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
        &[d.account, d.amount],
    )
    .await?;
    let receipt = attempts.receipt(balance, new_balance);
    Ok(d.commit(s, receipt).await?)
}
