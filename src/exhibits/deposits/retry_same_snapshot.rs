//! # Compare and swap, again and again in one transaction
//!
//! Optimistic locking, with the loop on the wrong side of the transaction. The code reads balance
//! and version and runs `UPDATE … WHERE version = ?`. If no row has that version any more, it reads
//! again and tries again. The transaction is at REPEATABLE READ, InnoDB's default. This code asks
//! for that level wherever it is run.
//!
//! ## Why it does not help
//!
//! The compare-and-swap itself is sound: nothing is ever lost. The *retry* is what does not work.
//! At REPEATABLE READ all plain reads of a transaction see one snapshot, taken by the first of
//! them. The `UPDATE` looks at the current row and finds another version. The `SELECT` after it
//! looks into the snapshot and finds the old one, for ever. A client that has lost the first
//! attempt loses all of them. This code stops after three; without a limit it would spin until the
//! client's patience ends.
//!
//! It is worse than no retry. From its failed `UPDATE` on, the client holds the lock on the row,
//! which InnoDB keeps although no row matched. While it spins with that lock, all others wait for a
//! client that cannot succeed.
//!
//! The cure is a new transaction for each attempt; or READ COMMITTED, where each statement takes a
//! new snapshot.
//!
//! ## On the other engines
//!
//! There the second attempt never comes, because the first `UPDATE` is refused: on PostgreSQL with
//! 40001, on MariaDB with `innodb_snapshot_isolation` with 1020, on SQLite with 517 or 5. A loop
//! that only looks at the number of rows never sees this. The refusal leaves the loop as an error.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. But this is enough for a client to be turned away:
//!
//! ```text
//! A A              A begins, reads 0, version 0
//!     B B B B B    B begins, reads 0, version 0, swaps, inserts, commits: 100, version 1
//! A                A swaps version 0: no such row
//! A A A A          A reads 0, version 0, swaps; reads 0, version 0, swaps; gives up
//! ```
//!
//! (`racy explore retry_same_snapshot` finds it, and `--schedule 'A A B B B B B A A A A A'` runs it
//! again.)
//!
//! Two clients have 92 schedules on every engine. In 80 of them both have read before one writes,
//! and in all 80 one of them is turned away. On InnoDB this code declines its deposit, elsewhere
//! the engine refuses it. (SQLite in WAL mode: 30 with 517 and 50 with 5, with the rollback journal
//! all with 5.) 12 are safe.
//!
//! ## What it costs
//!
//! Five round trips, of which the last is the commit, if no other client interferes. Otherwise
//! eight round trips for nothing, the `ROLLBACK` included, most of them while all others wait.
//!
//! ## Where people meet it
//!
//! - Django: `while not Account.objects.filter(pk=pk, version=a.version).update(…)` in a view with
//!   `ATOMIC_REQUESTS`.
//! - Spring: `@Transactional` on the method that calls a `@Retryable` one.

use super::{Deposit, Receipt, Refusal};
use crate::engine::{Isolation, Session};
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, EVERY_LEVEL, POSTGRES_LEVELS, SQLITE_LEVEL, busy, conflict, declined, on, safe,
    serialization,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Compare and swap, again and again in one transaction",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[declined(80), safe(12)]),
        on(InnoDbSnapshot, EVERY_LEVEL, &[conflict(80), safe(12)]),
        on(Postgres, POSTGRES_LEVELS, &[serialization(80), safe(12)]),
        on(SqliteWal, SQLITE_LEVEL, &[conflict(30), busy(50), safe(12)]),
        on(SqliteRollback, SQLITE_LEVEL, &[busy(80), safe(12)]),
    ],
    file: file!(),
    source: include_str!("retry_same_snapshot.rs"),
};

/// The number of attempts: enough to see that one more would not help.
const ATTEMPTS: u32 = 3;

/// Makes the deposit by comparing and swapping, all attempts in one transaction.
///
/// # Errors
/// [`Refusal::GaveUp`] after that many attempts, or the refusal of a statement. Nothing is kept
/// then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    s.begin_at(Isolation::RepeatableRead).await?;
    for attempt in 1..=ATTEMPTS {
        // After the first time this reads what the snapshot has kept, not what is there.
        let [balance, version] = s
            .row(
                "read balance",
                "SELECT balance, version FROM accounts WHERE id = ?",
                &[d.account],
            )
            .await?
            .ok_or(Refusal::UnknownAccount)?;
        s.think().await;

        let new_balance = d.added_to(balance)?;
        // This looks at what is there: if another client was faster, no row has the version any
        // more.
        let swapped = s
            .write(
                "compare and swap",
                new_balance,
                "UPDATE accounts SET balance = ?, version = version + 1 \
                 WHERE id = ? AND version = ?",
                &[new_balance, d.account, version],
            )
            .await?;
        if swapped == 1 {
            s.run(
                "insert transaction",
                "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
                &[d.account, d.amount],
            )
            .await?;
            let receipt = Receipt {
                attempts: attempt,
                ..Receipt::at_first_try(balance, new_balance)
            };
            return d.commit(s, receipt).await;
        }
    }
    Err(Refusal::GaveUp { attempts: ATTEMPTS })
}
