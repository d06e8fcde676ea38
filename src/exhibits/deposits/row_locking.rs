//! # Lock the row, then read, modify, write
//!
//! `SELECT … FOR UPDATE` in a transaction. A client that is going to write the balance takes the
//! exclusive lock on its row before it reads, and keeps the lock until the commit.
//!
//! ## Why it holds
//!
//! The second client's locking read waits until the first client has committed, and then reads what
//! the first has written. A locking read sees the newest committed row, not a snapshot (some
//! engines insist on the snapshot, and refuse instead: see below). No other client can come between
//! the read and the write. The foreign key's shared lock is no danger either: the client holds the
//! exclusive lock already, so there is no deadlock.
//!
//! Both halves are needed. Without the transaction the lock is released as soon as the `SELECT` is
//! done, and updates are lost as before.
//!
//! ## On PostgreSQL
//!
//! At its default level, READ COMMITTED, all this is true there too. At REPEATABLE READ and
//! SERIALIZABLE a locking read does *not* look past its snapshot. A client that has waited is
//! refused with SQLSTATE 40001, because the row has changed since. Nothing is lost, but the lock
//! that was meant to make clients take turns makes them fail after the wait. (`FOR UPDATE` locks
//! more there than is needed: `FOR NO KEY UPDATE` would not block the foreign keys of other
//! tables.)
//!
//! ## On MariaDB with `innodb_snapshot_isolation`
//!
//! At SERIALIZABLE the same happens, with 1020 in 24 of 36 schedules: there a transaction has its
//! snapshot before its locking read has the lock. At the other levels, REPEATABLE READ included,
//! the first plain read takes the snapshot, and this code has none.
//!
//! ## On SQLite
//!
//! SQLite locks the database, not rows, and has no `FOR UPDATE`. The equivalent is `BEGIN
//! IMMEDIATE`, which takes the one write lock before the first read. A plain `BEGIN` would take it
//! at the first write. That is too late: the client would be refused instead of made to wait. The
//! price is that deposits to *other* accounts wait as well.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. The five steps of two clients have 36 schedules on InnoDB, and all are safe at
//! every isolation level. So are the 36 on PostgreSQL at READ COMMITTED. At its higher levels, the
//! 24 in which a client waits end in a refusal. SQLite has 10, because there a client waits before
//! its first step is done, and all are safe.
//!
//! With a long delay and many clients the waits are long. A client that waits longer than the
//! engine's lock wait timeout (InnoDB: 50 seconds) is refused with 1205: its deposit is turned
//! away, never lost. PostgreSQL waits without limit unless a timeout is set; then it refuses with
//! 55P03.
//!
//! ## What it costs
//!
//! Five round trips, of which the last is the commit, like the transaction without the lock. But
//! the clients of one account go one at a time. The throughput of a hot account is one over the
//! time from the lock to the end of the commit, however many clients there are.
//!
//! ## Where people meet it
//!
//! Django's `select_for_update()`, JPA's `PESSIMISTIC_WRITE`, Rails' `lock!`.

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
    file: file!(),
    source: include_str!("row_locking.rs"),
};

/// Makes the deposit while holding the lock on the account's row.
///
/// # Errors
/// The refusal of a statement or of the commit; most likely a lock wait that took too long or was
/// in vain. Nothing is kept then.
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

    // No window: no other client gets past the line above before this client's commit.
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
