//! # Compare and swap, and try again
//!
//! Optimistic locking: a `version` column is read with the balance, and the `UPDATE` says `AND version = …`.
//! Whoever has been overtaken matches no row, and begins again: JPA's `@Version`, Rails' `lock_version`,
//! Django's `filter(pk=…, version=…).update(…)`, each of which leaves the beginning again to the caller.
//!
//! ## Why it holds
//!
//! Nothing keeps two clients from reading the same balance. But writing it is one statement that compares
//! and swaps under the row's exclusive lock, against the newest committed version: of two clients who have
//! read the same, one finds its version there and the other one does not.
//!
//! All who write the balance have to play along. Any code that changes it and leaves the version as
//! it is cannot be noticed, and overwrites or is overwritten as before. (The keeper's changes count
//! the version up; the other strategies do not.)
//!
//! ## Why each attempt is a transaction of its own
//!
//! Within one transaction at REPEATABLE READ a second `SELECT` reads the same snapshot again, with the same
//! old version, for ever. So a lost attempt is rolled back, which also gives up the lock that InnoDB keeps on
//! a row that was looked at and did not match; then comes a pause, and another transaction.
//!
//! Five further attempts are made at most, after pauses that grow and are drawn at random (`--retry` has
//! other policies to compare). Then the client is told how often it was tried (409, `gave-up`), and
//! decides for itself.
//!
//! ## What an attempt is lost to
//!
//! - InnoDB, PostgreSQL at READ COMMITTED: no row matched. The `UPDATE` has waited for the other's commit
//!   first, where it had to.
//! - InnoDB at SERIALIZABLE: 1213. The `SELECT` takes a shared lock there, two of which are in the way
//!   of the `UPDATE`.
//! - MariaDB with `innodb_snapshot_isolation` at REPEATABLE READ: 1020 before any version is compared.
//! - PostgreSQL at REPEATABLE READ and SERIALIZABLE: 40001, likewise.
//! - SQLite: 517 or 5. It lets nobody write who has read before the last commit, so that the version is
//!   never even looked at.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. InnoDB has 92 schedules of two clients, at SERIALIZABLE 102, PostgreSQL 92, and all end
//! with both deposits made.
//!
//! SQLite has 3242, and in 680 of them one client gives up: the other has written and not yet committed
//! while all six attempts are made. The explorer lets that happen, because with it a pause takes no time. The
//! pauses of a real client add up to 310 ms with `--retry exponential`, to half of that on average with the default,
//! full jitter: mostly longer than a commit takes, but there is no promise in it.
//!
//! ## What it costs
//!
//! Five round trips and one commit where nobody is in the way: as cheap as no protection at all, and no lock
//! is held while the code thinks. On a hot account each success costs the others their attempts, so that
//! the work done grows with the square of the clients; there a lock is cheaper.

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
    source: include_str!("optimistic_retry.rs"),
};

/// Makes the deposit, in as many attempts as it takes.
///
/// # Errors
/// [`Refusal::GaveUp`] after too many of them; else the refusal of a statement or of the commit. Nothing
/// is kept then.
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

    // The window is as wide as ever; only nobody gets out of it unseen.
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
