//! # Lock the row, then read, modify, write
//!
//! `SELECT … FOR UPDATE` in a transaction: Django's `select_for_update()`, JPA's
//! `PESSIMISTIC_WRITE`, Rails' `lock!`. Whoever wants to write the balance takes the exclusive lock
//! on its row before reading it, and keeps it until the commit.
//!
//! ## Why it holds
//!
//! The second client's locking read waits until the first has committed, and then reads what the
//! first has written: a locking read sees the newest committed row, not a snapshot (where an engine
//! insists on the snapshot, it refuses instead: see below). Between the
//! read and the write of one client there is no room for another. The foreign key's shared lock
//! is no danger either, since the exclusive one is there already: no deadlock.
//!
//! Both halves are needed. Without the transaction the lock is gone as soon as the `SELECT` is
//! done, and everything is as lost as before.
//!
//! ## On PostgreSQL
//!
//! At its default level, READ COMMITTED, all this is true there too. At REPEATABLE READ and
//! SERIALIZABLE a locking read does *not* look past its snapshot: whoever has waited is refused with
//! SQLSTATE 40001, because the row has changed since. Nothing is lost, but the lock that was meant to
//! make clients wait their turn makes them fail after the wait. (`FOR UPDATE` locks more there than
//! is needed: `FOR NO KEY UPDATE` would leave the foreign keys of others alone.)
//!
//! ## On MariaDB with `innodb_snapshot_isolation`
//!
//! At SERIALIZABLE the same happens, with 1020 in 24 of 36 schedules: there a transaction has its
//! snapshot before its locking read has the lock. At the other levels, REPEATABLE READ included, the
//! snapshot is taken by the first plain read, which this code does not have.
//!
//! ## On SQLite
//!
//! SQLite locks the database, not rows, and has no `FOR UPDATE`. Its equal is `BEGIN IMMEDIATE`,
//! which takes the one write lock before the first read; a plain `BEGIN` would take it at the first
//! write, too late, and be refused instead of made to wait. The price is that deposits to *other*
//! accounts wait as well.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. All 36 schedules that two clients' five steps can run into on InnoDB are safe, at
//! every isolation level, and so they are on PostgreSQL at READ COMMITTED; of the 36 at its higher
//! levels, the 24 in which somebody waits end in a refusal. On SQLite there are 10, because whoever waits
//! does so before its first step is done, and all are safe. With a long delay and many clients they
//! wait long, and whoever waits longer than the engine's lock wait timeout (InnoDB: 50 seconds) is
//! refused with 1205: turned away, never lost. PostgreSQL's is endless unless it is set; then it is
//! 55P03.
//!
//! ## What it costs
//!
//! Five round trips and one commit, like the transaction without the lock; but the clients of one
//! account go one at a time. Its throughput on a hot account is one over the time from the lock to
//! the end of the commit, however many clients there are.

use super::{Deposit, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, EVERY_LEVEL, RC, RR_SER, SER, SQLITE_LEVEL, UP_TO_RR, conflict, on, safe, serialization,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Lock the row, then read, modify, write",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[safe(36)]),
        on(InnoDbSnapshot, UP_TO_RR, &[safe(36)]),
        on(InnoDbSnapshot, SER, &[conflict(24), safe(12)]),
        on(Postgres, RC, &[safe(36)]),
        on(Postgres, RR_SER, &[serialization(24), safe(12)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(10)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(10)]),
    ],
    source: include_str!("row_locking.rs"),
};

/// Makes the deposit while holding the lock on the account's row.
///
/// # Errors
/// The refusal of a statement or of the commit, most likely a lock wait that took too long, or was in
/// vain. Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    s.begin_for_update().await?;
    // Others wait here.
    let balance = s
        .read(
            "lock and read balance",
            "SELECT balance FROM accounts WHERE id = ? FOR UPDATE",
            &[d.account],
        )
        .await?
        .ok_or(Refusal::UnknownAccount)?;

    // No window: nobody gets past the line above before this client's commit.
    s.think().await;

    let new_balance = d.added_to(balance)?;
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
    d.commit(s, Receipt::at_first_try(balance, new_balance))
        .await
}
