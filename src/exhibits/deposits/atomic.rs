//! # Read, modify, write, in one transaction
//!
//! The same three statements as in `non_atomic_no_delay`, between a begin and a commit. Atomic
//! means all or nothing. It does not mean alone.
//!
//! ## Why it breaks
//!
//! At InnoDB's default level, REPEATABLE READ, a plain `SELECT` locks nothing. Two transactions
//! read the same balance from their snapshots, and the second overwrites what the first has
//! committed. This is a **lost update**, in spite of the transaction. READ COMMITTED and READ
//! UNCOMMITTED do the same, and so does PostgreSQL at its default level, READ COMMITTED.
//!
//! ## Why it also deadlocks on InnoDB
//!
//! `transactions.account_id` is a foreign key. So that the account cannot be deleted meanwhile, the
//! `INSERT` takes a *shared* lock on its row. Both clients may hold that lock at once. The `UPDATE`
//! then needs the *exclusive* lock. When both clients have inserted, each waits for the other's
//! shared lock, and InnoDB ends one of the transactions with error 1213. Its deposit is refused,
//! not lost.
//!
//! PostgreSQL's foreign key locks only the account's *key* (`FOR KEY SHARE`). That lock does not
//! stop others from updating the balance, so there are no deadlocks there, and more updates are
//! lost.
//!
//! ## What stops it
//!
//! - SERIALIZABLE on InnoDB: the `SELECT` already takes the shared lock, so two clients that have
//!   read the same balance deadlock. Nothing is lost, but many clients are refused.
//! - MariaDB's `innodb_snapshot_isolation` (on by default since 11.6.2) at REPEATABLE READ: a
//!   change to a row that is newer than the snapshot is refused with error 1020.
//! - PostgreSQL at REPEATABLE READ and SERIALIZABLE: the same refusal, with SQLSTATE 40001, even if
//!   the `UPDATE` first had to wait for the other client's commit.
//! - SQLite: of two transactions that have read, only one may go on to write. The other is refused
//!   at once, with `SQLITE_BUSY_SNAPSHOT` (517) if the first has committed, with `SQLITE_BUSY` (5)
//!   if it has not. Waiting would not help, because the snapshot stays old. With the rollback
//!   journal the code is always 5, because there the first cannot even commit while the other one
//!   reads.
//!
//! ## The smallest schedule that breaks it
//!
//! ```text
//! A A            A begins, reads 0
//!     B B B B B  B begins, reads 0, inserts, writes 100, commits
//! A A A          A inserts, writes 100, commits: B's 100 is lost
//! ```
//!
//! (`racy explore atomic_no_delay` finds it, and `--schedule 'A A B B B B B A A A'` runs it again.)
//!
//! The five steps of two clients have 112 schedules on InnoDB at REPEATABLE READ and READ
//! COMMITTED. Of these, 60 lose an update, in 40 one client is refused as a deadlock's victim, and
//! 12 are safe. At READ UNCOMMITTED only 40 lose an update, because some clients read the balance
//! that the other has written and not yet committed: that is luck, not safety. At SERIALIZABLE
//! there are 82: 60 refused, 22 safe.
//!
//! With `innodb_snapshot_isolation` there are again 112 at REPEATABLE READ: 60 refused with 1020,
//! 40 with 1213, 12 safe. At SERIALIZABLE, 10 of the 22 that were safe are refused with 1020 after
//! a wait. PostgreSQL has 182, because there the insert waits for no other client. At READ
//! COMMITTED 170 lose an update, at the higher levels the same 170 are refused with 40001, and 12
//! are safe. SQLite has 92, of which 12 are safe. In WAL mode 30 are refused with 517 and 50 with
//! 5; with the rollback journal all 80 are refused with 5.
//!
//! ## What it costs
//!
//! Five round trips; the last is the commit. One commit is cheaper than autocommit's two. The
//! caller has to handle the refusals.
//!
//! ## Where people meet it
//!
//! Django's `transaction.atomic`, Spring's `@Transactional` and Rails' `transaction do` turn the
//! plain code into this.

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
    title: "Read, modify, write, in one transaction",
    expected: &[
        on(InnoDb, RU, DIRTY),
        on(InnoDb, RC_RR, LOST_OR_DEADLOCK),
        on(InnoDb, SER, &[deadlock(60), safe(22)]),
        on(InnoDbSnapshot, RU, DIRTY),
        on(InnoDbSnapshot, RC, LOST_OR_DEADLOCK),
        on(InnoDbSnapshot, RR, &[conflict(60), deadlock(40), safe(12)]),
        on(InnoDbSnapshot, SER, &[deadlock(60), conflict(10), safe(12)]),
        on(Postgres, RC, &[lost(170), safe(12)]),
        on(Postgres, RR_SER, &[serialization(170), safe(12)]),
        on(SqliteWal, SQLITE_LEVEL, &[conflict(30), busy(50), safe(12)]),
        on(SqliteRollback, SQLITE_LEVEL, &[busy(80), safe(12)]),
    ],
    file: file!(),
    source: include_str!("atomic.rs"),
};

const LOST_OR_DEADLOCK: &[Count] = &[lost(60), deadlock(40), safe(12)];

/// One client may read what the other has not committed yet. That makes 20 more schedules safe.
const DIRTY: &[Count] = &[lost(40), deadlock(40), safe(32)];

/// Makes the deposit in one transaction.
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

    // The window: nothing keeps others from reading the same balance now.
    s.think().await;

    let new_balance = d.added_to(balance)?;
    // On InnoDB this locks the account's row as well, shared: see the foreign key above.
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
