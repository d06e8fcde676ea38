//! # Let the database add
//!
//! `UPDATE accounts SET balance = balance + 100`. The balance is never carried to the client and
//! back, so it cannot grow old on the way.
//!
//! ## Why it holds
//!
//! The engine reads and writes within one statement, under the exclusive lock on the row. It reads
//! the newest committed balance, not a snapshot's. A second client's `UPDATE` waits for the first
//! client's commit and then adds to the balance that the first has left. There is no window between
//! reading and writing, so the code has no delay there either.
//!
//! The same statement refuses a balance that would not fit: `AND balance <= …` matches no row then.
//! The balance in the receipt is read back within the transaction, under the lock.
//!
//! ## The order of the two statements
//!
//! `atomic_update` updates the balance first. On InnoDB that matters: `transactions.account_id` is
//! a foreign key, for which the `INSERT` takes a *shared* lock on the account's row. A client that
//! holds the exclusive lock already needs no other.
//!
//! `atomic_update_insert_first` inserts the transaction first. That reads as well and is as atomic.
//! But now two clients may both hold the shared lock, and each needs the exclusive one. InnoDB ends
//! one of them with error 1213. Nothing is lost, but half of the clients may be refused, because of
//! the order of two lines.
//!
//! PostgreSQL's foreign key locks only the account's key, which an `UPDATE` of the balance does not
//! touch. SQLite has only one lock. Neither deadlocks in either order.
//!
//! ## Where waiting is in vain
//!
//! PostgreSQL at REPEATABLE READ and SERIALIZABLE refuses the client that has waited, with SQLSTATE
//! 40001, because the row has changed since its snapshot. If the transaction is inserted first,
//! PostgreSQL also refuses the client that did not wait, because that `INSERT` has already taken
//! the snapshot. MariaDB with `innodb_snapshot_isolation` does the same at SERIALIZABLE, with 1020.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 36 schedules of two clients are safe on InnoDB at every level, on PostgreSQL
//! at READ COMMITTED and on SQLite. Where waiting is in vain, the 24 in which a client waits end in
//! a refusal. With the insert first, InnoDB has 42 schedules, of which 12 end in a deadlock.
//! PostgreSQL has 92 then: all are safe at READ COMMITTED, and 80 are refused above it.
//!
//! ## What it costs
//!
//! Five round trips; the last is the commit. The lock is held from the `UPDATE` to the end of the
//! commit, over four round trips, and a hot account's throughput is one over that time. One of the
//! four only serves the receipt's balance. With the insert first there is one round trip less under
//! the lock, at the price of the deadlocks.
//!
//! ## Where people meet it
//!
//! Django's `F("balance") + 100`, Rails' `update_counters`, JPA's `UPDATE … SET a.balance =
//! a.balance + :amount`.

use super::{Deposit, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, EVERY_LEVEL, RC, RR_SER, SER, SQLITE_LEVEL, UP_TO_RR, conflict, deadlock, on, safe,
    serialization,
};

/// What this file says about the order in which the balance comes first.
pub const CARD: Card = Card {
    title: "Let the database add",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[safe(36)]),
        on(InnoDbSnapshot, UP_TO_RR, &[safe(36)]),
        on(InnoDbSnapshot, SER, &[conflict(24), safe(12)]),
        on(Postgres, RC, &[safe(36)]),
        on(Postgres, RR_SER, &[serialization(24), safe(12)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(36)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(36)]),
    ],
    file: file!(),
    source: include_str!("atomic_update.rs"),
};

/// What this file says about the order in which the insert comes first.
pub const INSERT_FIRST_CARD: Card = Card {
    title: "Let the database add, but make the record first",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[deadlock(12), safe(30)]),
        on(InnoDbSnapshot, UP_TO_RR, &[deadlock(12), safe(30)]),
        on(InnoDbSnapshot, SER, &[deadlock(12), conflict(18), safe(12)]),
        on(Postgres, RC, &[safe(92)]),
        on(Postgres, RR_SER, &[serialization(80), safe(12)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(36)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(36)]),
    ],
    ..CARD
};

/// Makes the deposit in one transaction, the balance first.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    s.begin().await?;
    // The exclusive lock on the row, before any client could hold a shared one: others wait here.
    add(s, d).await?;
    insert_transaction(s, d).await?;
    let balance = read_back(s, d).await?;
    d.commit(s, Receipt::at_first_try(balance - d.amount, balance))
        .await
}

/// Makes the deposit in one transaction, the record first.
///
/// # Errors
/// As [`deposit`]; and on InnoDB often a deadlock.
pub async fn deposit_insert_first(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    s.begin().await?;
    // A shared lock on the account's row, which other clients may hold as well…
    insert_transaction(s, d).await?;
    // …and then no client gets the exclusive one.
    add(s, d).await?;
    let balance = read_back(s, d).await?;
    d.commit(s, Receipt::at_first_try(balance - d.amount, balance))
        .await
}

async fn add(s: &mut Session<'_>, d: &Deposit) -> Result<(), Refusal> {
    let most = i64::MAX - d.amount;
    let matched = s
        .run(
            "add to balance",
            "UPDATE accounts SET balance = balance + ? WHERE id = ? AND balance <= ?",
            &[d.amount, d.account, most],
        )
        .await?;
    match matched {
        0 => Err(d.why_not_added(s).await?),
        _ => Ok(()),
    }
}

async fn insert_transaction(s: &mut Session<'_>, d: &Deposit) -> Result<(), Refusal> {
    s.run(
        "insert transaction",
        "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
        &[d.account, d.amount],
    )
    .await?;
    Ok(())
}

async fn read_back(s: &mut Session<'_>, d: &Deposit) -> Result<i64, Refusal> {
    s.read(
        "read balance back",
        "SELECT balance FROM accounts WHERE id = ?",
        &[d.account],
    )
    .await?
    .ok_or(Refusal::UnknownAccount)
}
