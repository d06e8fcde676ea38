//! # Lock the row, after having read it
//!
//! A transaction reads the balance, then locks the row with `SELECT … FOR UPDATE`, and computes the
//! new balance from what it read before the lock.
//!
//! ## Why it breaks
//!
//! The lock keeps others from writing *from now on*. It does not refresh what was read before it. A
//! client that committed between the read and the lock is overwritten: a **lost update**,
//! although this client holds the lock. Having to wait for the lock makes it worse. It means that
//! another client is writing. Unless that client rolls back, the value in hand is old when the wait
//! is over.
//!
//! The cure is one line. Read the balance *with* the lock
//! ([`row_locking_atomic_long_delay`](super::row_locking)), or read it again after the lock:
//! `em.refresh(account, PESSIMISTIC_WRITE)`, Rails' `account.lock!`. At REPEATABLE READ only a
//! locking read will do, because a plain read would return the old snapshot again.
//!
//! ## What stops it
//!
//! The same as for [`atomic_no_delay`](super::atomic): a level that refuses to overwrite what its
//! snapshot does not show.
//!
//! - MariaDB's `innodb_snapshot_isolation` at REPEATABLE READ refuses the lock with 1020,
//!   PostgreSQL at REPEATABLE READ and SERIALIZABLE with 40001.
//! - SERIALIZABLE on InnoDB makes the first read take a shared lock. Two clients that both hold it
//!   deadlock when they ask for the exclusive one (1213). Otherwise a client waits, and nothing is
//!   lost.
//! - SQLite has no `FOR UPDATE`, so the lock is a second plain read there. A client that wants to
//!   write after another one has written is refused with 517 or 5.
//!
//! Unlike in `atomic_no_delay`, the foreign key causes no deadlocks, because the client holds the
//! exclusive lock before the `INSERT` needs a shared one. That is all that this lock achieves.
//!
//! ## The smallest schedule that breaks it
//!
//! ```text
//! A A              A begins, reads 0
//!     B B B B B B  B begins, reads 0, locks, inserts, writes 100, commits
//! A A A A          A locks the row that holds 100, inserts, writes 100, commits: B's 100 is lost
//! ```
//!
//! (`racy explore lock_after_read` finds it, and `--schedule 'A A B B B B B B A A A A'` runs it
//! again.)
//!
//! The six steps of two clients have 148 schedules on InnoDB at REPEATABLE READ and READ COMMITTED,
//! and on PostgreSQL. Of these, 134 lose an update. On InnoDB that is more than the 60 of 112
//! without the lock, because no deadlock stops a client any more. On PostgreSQL it is less than the
//! 170 of 182 without the lock. At READ UNCOMMITTED 110 do, because some clients read what the
//! other has not committed yet. PostgreSQL's higher levels refuse the same 134. So does
//! `innodb_snapshot_isolation` at REPEATABLE READ.
//!
//! At SERIALIZABLE InnoDB has 56: 12 are refused with 1213, and with `innodb_snapshot_isolation` 30
//! more with 1020. SQLite has 350, of which 14 are safe. In WAL mode 154 are refused with 517 and
//! 182 with 5; with the rollback journal all 336 are refused with 5.
//!
//! ## What it costs
//!
//! Six round trips; the last is the commit. That is one more than the lock that works.
//!
//! ## Where people meet it
//!
//! In ORMs, where an object is loaded first and locked later:
//!
//! - JPA: `em.find(Account.class, id)` and then `em.lock(account, PESSIMISTIC_WRITE)`, which locks
//!   the row and leaves the object as it was.
//! - SQLAlchemy: `with_for_update()` on a row that the session has loaded before, unless
//!   `populate_existing()` is added.
//! - Django: `select_for_update().get(pk=…)` whose result is dropped, because the view has its
//!   object already.

use super::anomalies::lost;
use super::{Deposit, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, Count, RC, RC_RR, RR, RR_SER, RU, SER, SQLITE_LEVEL, busy, conflict, deadlock, on, safe,
    serialization,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Lock the row, after having read it",
    expected: &[
        on(InnoDb, RU, DIRTY),
        on(InnoDb, RC_RR, LOST),
        on(InnoDb, SER, &[deadlock(12), safe(44)]),
        on(InnoDbSnapshot, RU, DIRTY),
        on(InnoDbSnapshot, RC, LOST),
        on(InnoDbSnapshot, RR, &[conflict(134), safe(14)]),
        on(InnoDbSnapshot, SER, &[deadlock(12), conflict(30), safe(14)]),
        on(Postgres, RC, LOST),
        on(Postgres, RR_SER, &[serialization(134), safe(14)]),
        on(
            SqliteWal,
            SQLITE_LEVEL,
            &[conflict(154), busy(182), safe(14)],
        ),
        on(SqliteRollback, SQLITE_LEVEL, &[busy(336), safe(14)]),
    ],
    file: file!(),
    source: include_str!("lock_after_read.rs"),
};

const LOST: &[Count] = &[lost(134), safe(14)];

/// One client may read what the other has not committed yet. That makes 24 more schedules safe.
const DIRTY: &[Count] = &[lost(110), safe(38)];

/// Makes the deposit in one transaction that first reads and then locks.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    s.begin().await?;
    let balance = s
        .read(
            "read balance",
            "SELECT balance FROM accounts WHERE id = ?",
            &[d.account],
        )
        .await?
        .ok_or(Refusal::UnknownAccount)?;

    // The window: no client is kept out yet.
    s.think().await;

    // From here on no other client writes. But `balance` was read before.
    s.rows::<1>(
        "lock row",
        "SELECT id FROM accounts WHERE id = ? FOR UPDATE",
        &[d.account],
    )
    .await?;
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
