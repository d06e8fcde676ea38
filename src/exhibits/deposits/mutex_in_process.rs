//! # A lock in the process
//!
//! The code of [`atomic_no_delay`](super::atomic), with a lock of the application's own around it,
//! one per account. The lock is taken before the transaction begins and released after it has
//! committed.
//!
//! ## Why it holds, and why it does not
//!
//! Within one process it is right. One deposit comes after the other, and each reads what the one
//! before has committed. It holds on every engine at every level, autocommit included, and it
//! passes every test that starts one server.
//!
//! But the lock is in the memory of *this* process. A second instance, behind the same load
//! balancer and on the same database, has a lock of its own for the same account. Its deposits do
//! not wait for those of the first. Neither does another worker process, a cron job or an
//! administrator's console. (`racy account reset` is such a console, while the keeper's pages and
//! API take the lock of the instance that they run in.)
//!
//! Between instances what remains is `atomic_no_delay`: a **lost update** where that has one,
//! a refusal where that is refused. Nothing in the code changes on the day it breaks. One line of
//! configuration does: `replicas: 2`.
//!
//! The cure is to lock where the data is: the row
//! ([`row_locking_atomic_long_delay`](super::row_locking)), or a named lock of the engine's.
//!
//! ## The smallest schedule that breaks it
//!
//! With one instance: There is none. With two, if A and B reach different ones:
//!
//! ```text
//! A A A              A locks, begins, reads 0
//!       B B B B B B  B locks: another lock; begins, reads 0, inserts, writes 100, commits, unlocks
//! A A A              A inserts, writes 100, commits, unlocks: B's 100 is lost
//! ```
//!
//! (`racy explore mutex_in_process` finds it on MySQL, and on MariaDB without
//! `innodb_snapshot_isolation`; `--instances 2 --schedule 'A A A B B B B B B A A A'` runs it again,
//! also on PostgreSQL at READ COMMITTED. Releasing the lock has no letter of its own: it goes with
//! the commit.)
//!
//! With one instance there are 12 schedules. A client waits in ten of them, and all are safe. With
//! two there are 420 on InnoDB at READ COMMITTED and REPEATABLE READ: 224 lose an update, in 140
//! one client is a deadlock's victim. At READ UNCOMMITTED 140 lose one and 140 deadlock; at
//! SERIALIZABLE 210 of 308 deadlock. With `innodb_snapshot_isolation` the 224 are refused with 1020
//! at REPEATABLE READ, and 42 more at SERIALIZABLE.
//!
//! PostgreSQL has 672: at READ COMMITTED 616 lose an update, at the higher levels the same 616 are
//! refused with 40001. SQLite has 350: in WAL mode 112 are refused with 517 and 182 with 5, with
//! the rollback journal 294 with 5.
//!
//! ## What it costs
//!
//! Nothing in the database; it even saves the database the deadlocks. The clients of one account go
//! one at a time, each from its first statement to the end of its commit. They hold a connection
//! while they wait.
//!
//! ## Where people meet it
//!
//! Java's `synchronized` or a `ConcurrentHashMap<Long, Lock>`, Python's `threading.Lock`, Node's
//! `async-mutex`, Go's `sync.Mutex` in a map.

use super::anomalies::lost;
use super::{Deposit, Memory, Receipt, Refusal};
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, Count, Expectation, RC, RC_RR, RR, RR_SER, RU, SER, SQLITE_LEVEL, busy, conflict,
    deadlock, on, on_every_engine, safe, serialization,
};

/// What this file says about itself, for one instance of the service.
pub const CARD: Card = Card {
    title: "A lock in the process",
    expected: &on_every_engine(ALONE),
    file: file!(),
    source: include_str!("mutex_in_process.rs"),
};

const ALONE: &[Count] = &[safe(12)];

/// What two clients lead to if each uses an instance of its own.
pub const APART: &[Expectation] = &[
    on(InnoDb, RU, DIRTY),
    on(InnoDb, RC_RR, LOST_OR_DEADLOCK),
    on(InnoDb, SER, &[deadlock(210), safe(98)]),
    on(InnoDbSnapshot, RU, DIRTY),
    on(InnoDbSnapshot, RC, LOST_OR_DEADLOCK),
    on(
        InnoDbSnapshot,
        RR,
        &[conflict(224), deadlock(140), safe(56)],
    ),
    on(
        InnoDbSnapshot,
        SER,
        &[deadlock(210), conflict(42), safe(56)],
    ),
    on(Postgres, RC, &[lost(616), safe(56)]),
    on(Postgres, RR_SER, &[serialization(616), safe(56)]),
    on(
        SqliteWal,
        SQLITE_LEVEL,
        &[conflict(112), busy(182), safe(56)],
    ),
    on(SqliteRollback, SQLITE_LEVEL, &[busy(294), safe(56)]),
];

const LOST_OR_DEADLOCK: &[Count] = &[lost(224), deadlock(140), safe(56)];

/// One client may read what the other has not committed yet. That makes 84 more schedules safe.
const DIRTY: &[Count] = &[lost(140), deadlock(140), safe(140)];

/// Makes the deposit in one transaction, while this instance makes no other deposit into the
/// account.
///
/// # Errors
/// The refusal of a statement or of the commit, or a wait for the lock that took too long. Nothing
/// is kept then.
pub async fn deposit(
    s: &mut Session<'_>,
    d: &Deposit,
    memory: &Memory,
) -> Result<Receipt, Refusal> {
    // Other deposits of this instance wait here. Those of another instance have another lock.
    let guard = s.lock_in_process(&memory.lock_of(d.account)).await?;
    s.begin().await?;
    let balance = s
        .read(
            "read balance",
            "SELECT balance FROM accounts WHERE id = ?",
            &[d.account],
        )
        .await?
        .ok_or(Refusal::UnknownAccount)?;

    // No window for this instance's deposits. For all others it is as wide as in `atomic_no_delay`.
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
    let receipt = Receipt::at_first_try(balance, new_balance);
    let receipt = d.commit(s, receipt).await?;
    // Not before the commit: the next client reads what was committed.
    s.unlock_in_process(guard).await;
    Ok(receipt)
}
