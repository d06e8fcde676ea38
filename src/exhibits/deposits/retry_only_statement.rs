//! # Retry the statement, not the transaction
//!
//! The code of [`atomic_no_delay`](super::atomic), with each write in a loop. If the engine says
//! "Deadlock found when trying to get lock; try restarting transaction", the *statement* is sent
//! again, at most three times.
//!
//! ## Why it breaks
//!
//! The message means what it says. The victim of a deadlock (1213) has lost its whole transaction:
//! InnoDB has rolled everything back, and the connection is in *no* transaction any more. The
//! statement that is sent again runs in autocommit. So the `INSERT` from before is gone. The
//! `UPDATE` waits until the winner has committed, and writes what was computed before. The `COMMIT`
//! commits nothing, and reports no error.
//!
//! The client is told "done": a **lost update**, and a deposit of which there is no record.
//! Even the accounts balance, because balance and transactions both lack it. Where
//! `atomic_no_delay` refuses a client, this code loses its deposit.
//!
//! MariaDB's 1020 ends the transaction as well. After a lock wait that timed out (1205) only the
//! statement has been rolled back, unless `innodb_rollback_on_timeout` is on. The transaction is
//! whole after the repetition, and that is how such a loop passes its review. Yet what the repeated
//! `UPDATE` writes was computed before the wait. The client that held the row has committed
//! meanwhile, and is overwritten.
//!
//! The cure is to begin again: the whole transaction, its reads included.
//!
//! ## On the other engines
//!
//! PostgreSQL answers every statement after the first refusal with 25P02, "current transaction is
//! aborted". No harm is done, but the log shows that message instead of the one that says why. On
//! SQLite a refused statement is refused again, because its snapshot stays old: 517 or 5 after four
//! tries instead of one.
//!
//! ## The smallest schedule that breaks it
//!
//! The one of `atomic_no_delay`, against which the loop does nothing:
//!
//! ```text
//! A A            A begins, reads 0
//!     B B B B B  B begins, reads 0, inserts, writes 100, commits
//! A A A          A inserts, writes 100, commits: B's 100 is lost
//! ```
//!
//! (`racy explore retry_only_statement` finds it on MySQL and MariaDB.
//! `--schedule 'A A B B B B B A A A'` runs it again, also on PostgreSQL at READ COMMITTED.)
//!
//! The one that the loop adds, on InnoDB:
//!
//! ```text
//! A A A          A begins, reads 0, inserts
//!       B B B    B begins, reads 0, inserts
//! A              A writes 100, and waits for B's shared lock
//!       B        B writes 100: 1213, all that B has done is gone; A goes on
//! A              A commits
//!       B B      B writes 100, on its own, and commits nothing: A's 100 is lost, B's record too
//! ```
//!
//! (`--schedule 'A A A B B B A B A B B'`)
//!
//! Two clients have 152 schedules on InnoDB at READ COMMITTED and REPEATABLE READ, with and without
//! `innodb_snapshot_isolation`: 140 lose an update. At READ UNCOMMITTED 120 do. At SERIALIZABLE,
//! which is safe without the loop, 120 of 142 do. With `innodb_snapshot_isolation` 10 of the others
//! are refused there with 1020, at a read, which is not in the loop. PostgreSQL has 182: at READ
//! COMMITTED 170 lose an update, at the higher levels the same 170 are refused with 25P02. SQLite
//! has 362, of which 12 are safe. In WAL mode 240 are refused with 517 and 110 with 5; with the
//! rollback journal 350 are refused with 5.
//!
//! ## What it costs
//!
//! Five round trips, of which the last is the commit, as with `atomic_no_delay`, until the loop is
//! needed. Then one round trip more for each repetition, at most six, and each may wait for a lock
//! as long as the first. And it costs the money.
//!
//! ## Where people meet it
//!
//! - The loop around `cursor.execute` or `$stmt->execute()` that is posted under that error
//!   message.
//! - Python's `@retry` on an `execute` helper.
//! - The "retry on 1213, 1205" of a driver or proxy.

use super::anomalies::lost;
use super::{Deposit, Receipt, Refusal};
use crate::engine::{Fault, FaultKind, Session};
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, Count, RC, RC_RR, RR_SER, RU, SER, SQLITE_LEVEL, busy, conflict, on, refused, safe,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Retry the statement, not the transaction",
    expected: &[
        on(InnoDb, RU, DIRTY),
        on(InnoDb, RC_RR, LOST),
        on(InnoDb, SER, &[lost(120), safe(22)]),
        on(InnoDbSnapshot, RU, DIRTY),
        on(InnoDbSnapshot, RC_RR, LOST),
        on(InnoDbSnapshot, SER, &[lost(120), conflict(10), safe(12)]),
        on(Postgres, RC, &[lost(170), safe(12)]),
        on(
            Postgres,
            RR_SER,
            &[refused(FaultKind::TransactionAborted, 170), safe(12)],
        ),
        on(
            SqliteWal,
            SQLITE_LEVEL,
            &[conflict(240), busy(110), safe(12)],
        ),
        on(SqliteRollback, SQLITE_LEVEL, &[busy(350), safe(12)]),
    ],
    file: file!(),
    source: include_str!("retry_only_statement.rs"),
};

const LOST: &[Count] = &[lost(140), safe(12)];

/// One client may read what the other has not committed yet. That makes 20 more schedules safe.
const DIRTY: &[Count] = &[lost(120), safe(32)];

/// Makes the deposit in one transaction. A statement that is refused is tried again.
///
/// # Errors
/// The refusal after the last try. Part of the deposit may have been kept: see above.
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

    // The window, as in `atomic_no_delay`.
    s.think().await;

    let new_balance = d.added_to(balance)?;
    let mut for_insert = RETRIES;
    while let Err(fault) = s
        .run(
            "insert transaction",
            "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
            &[d.account, d.amount],
        )
        .await
    {
        try_again_after(fault, &mut for_insert)?;
    }
    // If InnoDB has refused this as a deadlock's victim, the next try is in no transaction any
    // more.
    let mut for_update = RETRIES;
    while let Err(fault) = s
        .write(
            "write balance",
            new_balance,
            "UPDATE accounts SET balance = ? WHERE id = ?",
            &[new_balance, d.account],
        )
        .await
    {
        try_again_after(fault, &mut for_update)?;
    }
    let receipt = Receipt {
        attempts: 1 + (RETRIES - for_insert) + (RETRIES - for_update),
        ..Receipt::at_first_try(balance, new_balance)
    };
    // And this commits nothing then, without a word.
    d.commit(s, receipt).await
}

/// How many times each statement is tried again.
const RETRIES: u32 = 3;

/// "try restarting transaction", says InnoDB. This restarts the statement.
fn try_again_after(fault: Fault, retries: &mut u32) -> Result<(), Fault> {
    let says_try_again = matches!(
        fault.kind,
        FaultKind::Deadlock
            | FaultKind::LockTimeout
            | FaultKind::SnapshotConflict
            | FaultKind::SerializationFailure
            | FaultKind::Busy
    );
    match retries.checked_sub(1) {
        Some(left) if says_try_again => {
            *retries = left;
            Ok(())
        }
        _ => Err(fault),
    }
}
