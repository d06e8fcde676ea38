//! # Compare and swap, with a time for a version
//!
//! Optimistic locking that uses the time of the last change as the version.
//!
//! ## Why it breaks
//!
//! A version has to change with every change. A time changes with every *tick*. Suppose a client
//! reads the account after a change and writes it within the same second. It finds the time that it
//! has read, whatever others have written meanwhile. The check passes, and they are overwritten: a
//! **lost update**.
//!
//! With the original's ten deposits in one burst this happens nearly always; with one deposit a
//! second, never. That is why tests do not find it. A finer time only makes the window narrower,
//! and a clock that is set back opens it again. The cure is a counter: `SET version = version + 1 …
//! WHERE version = ?`.
//!
//! This strategy has no delay. A long one would make a second change within the same second
//! unlikely: here it is speed that loses money.
//!
//! ## What stops it
//!
//! Not the check, but what stops [`atomic_no_delay`](super::atomic): SERIALIZABLE on InnoDB (1213),
//! `innodb_snapshot_isolation` (1020), PostgreSQL from REPEATABLE READ on (40001), SQLite (517 and
//! 5).
//!
//! ## The smallest schedule that breaks it
//!
//! All of it happens within one second, in which the account had been changed before:
//!
//! ```text
//! A A            A begins, reads 0 and the time
//!     B B B B B  B begins, reads 0 and the time, swaps, inserts, commits: 100, the same time
//! A A A          A swaps, as the time is the same; inserts, commits: B's 100 is lost
//! ```
//!
//! (`racy explore timestamp_check` finds it, and `--schedule 'A A B B B B B A A A'` runs it again.)
//!
//! The explorer makes sure of the second. It asks the engine for the time before the account is
//! opened, and again when the run is over. If the two differ, the run does not count and is run
//! again. So the counts are those of clients that meet within a second, however long the search
//! takes.
//!
//! Two clients have 92 schedules. On InnoDB at READ COMMITTED and REPEATABLE READ, and on
//! PostgreSQL at READ COMMITTED, 80 lose an update: all in which both have read before one writes.
//! At READ UNCOMMITTED 36 do. The higher levels of PostgreSQL, and `innodb_snapshot_isolation` at
//! REPEATABLE READ, refuse the same 80. At SERIALIZABLE InnoDB has 42: 12 are refused with 1213,
//! and with `innodb_snapshot_isolation` 18 more with 1020. SQLite refuses 80: in WAL mode 30 with
//! 517 and 50 with 5, with the rollback journal all with 5.
//!
//! ## What it costs
//!
//! Five round trips; the last is the commit. A version that works costs exactly the same.
//!
//! ## Where people meet it
//!
//! - JPA: `@Version` on an `Instant updatedAt`, in a MySQL `DATETIME` or `TIMESTAMP`. These keep
//!   whole seconds unless `(6)` is asked for.
//! - Rails and Django: `UPDATE … WHERE updated_at = ?` on the framework's own column.
//! - HTTP: `If-Unmodified-Since`, whose dates have no fractions at all.

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
    title: "Compare and swap, with a time for a version",
    expected: &[
        on(InnoDb, RU, DIRTY),
        on(InnoDb, RC_RR, LOST),
        on(InnoDb, SER, &[deadlock(12), safe(30)]),
        on(InnoDbSnapshot, RU, DIRTY),
        on(InnoDbSnapshot, RC, LOST),
        on(InnoDbSnapshot, RR, &[conflict(80), safe(12)]),
        on(InnoDbSnapshot, SER, &[deadlock(12), conflict(18), safe(12)]),
        on(Postgres, RC, LOST),
        on(Postgres, RR_SER, &[serialization(80), safe(12)]),
        on(SqliteWal, SQLITE_LEVEL, &[conflict(30), busy(50), safe(12)]),
        on(SqliteRollback, SQLITE_LEVEL, &[busy(80), safe(12)]),
    ],
    file: file!(),
    source: include_str!("timestamp_check.rs"),
};

const LOST: &[Count] = &[lost(80), safe(12)];

/// One client may read what the other has not committed yet. That makes 44 more schedules safe.
const DIRTY: &[Count] = &[lost(36), safe(56)];

/// Makes the deposit in one transaction, unless the account has been changed in another second.
///
/// # Errors
/// [`Refusal::GaveUp`] if the time of the last change is not the one that was read; or the refusal
/// of a statement or of the commit. Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    s.begin().await?;
    let [balance, updated_at] = s
        .row(
            "read balance",
            "SELECT balance, updated_at FROM accounts WHERE id = ?",
            &[d.account],
        )
        .await?
        .ok_or(Refusal::UnknownAccount)?;

    // The window. A change to the row is noticed now, unless it had already changed in this second.
    s.think().await;

    let new_balance = d.added_to(balance)?;
    let swapped = s
        .write(
            "compare and swap",
            new_balance,
            "UPDATE accounts SET balance = ?, updated_at = UNIX_TIMESTAMP() \
             WHERE id = ? AND updated_at = ?",
            &[new_balance, d.account, updated_at],
        )
        .await?;
    if swapped == 0 {
        return Err(Refusal::GaveUp { attempts: 1 });
    }
    s.run(
        "insert transaction",
        "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
        &[d.account, d.amount],
    )
    .await?;
    d.commit(s, Receipt::at_first_try(balance, new_balance))
        .await
}
