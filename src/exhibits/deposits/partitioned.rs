//! # Many balances instead of one
//!
//! The account's balance is spread over eight rows. A deposit adds to one of them, drawn at random,
//! and a reader of the balance sums them up.
//!
//! ## Why it holds
//!
//! Each slot is written as in `atomic_update`: `SET balance = balance + ?`, under the slot's row
//! lock. Two deposits that draw the same slot wait for each other. Two that draw different slots do
//! not meet.
//!
//! ## The order of the two statements
//!
//! Here the insert comes first. For its foreign key it takes a shared lock on the *account's* row.
//! No deposit needs the exclusive lock on that row, because the row that it writes is another. So
//! there is no deadlock, and the slot is locked as late and as briefly as possible.
//!
//! ## What is not checked
//!
//! The sum is not checked: it is known only under the locks of all eight slots, which a withdrawal
//! would have to take. A deposit keeps its distance from what a BIGINT holds instead. It goes into
//! a slot if its amount is ordinary, and if the slot and the balance column are far from the edge.
//! Any other deposit is made as `edge.rs` says, with a look at the sum, and is refused if the sum
//! would be too large.
//!
//! ## Where waiting is in vain
//!
//! As in `atomic_update`, on the same slot. PostgreSQL at REPEATABLE READ and SERIALIZABLE refuses
//! the client that has waited, with 40001. MariaDB with `innodb_snapshot_isolation` does so at
//! SERIALIZABLE, with 1020.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. Two clients have 50 schedules, on SQLite 24, and all are safe. Where waiting is
//! in vain, 40 of the 50 end in a refusal. The explorer's clients all draw the same slot, so that
//! they meet. Otherwise no client would wait for another.
//!
//! ## What it costs
//!
//! Four round trips, of which the last is the commit, and an eighth of the waiting: the throughput
//! of a hot account is up to eight times that of one row. Reading costs eight rows instead of one.
//!
//! ## Where people meet it
//!
//! Sharded counters, in Firestore or Cassandra for a counter that every client increments. In SQL
//! for a hot row: `UPDATE counters SET n = n + 1 WHERE id = ? AND slot = FLOOR(RAND() * 8)` and
//! `SELECT SUM(n)`. For Rails there is `activerecord-slotted_counters`.

use super::{Deposit, Receipt, Refusal, edge};
use crate::accounts::SLOTS;
use crate::engine::Session;
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{
    Card, EVERY_LEVEL, RC, RR_SER, SER, SQLITE_LEVEL, UP_TO_RR, conflict, on, safe, serialization,
};

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Many balances instead of one",
    expected: &[
        on(InnoDb, EVERY_LEVEL, &[safe(50)]),
        on(InnoDbSnapshot, UP_TO_RR, &[safe(50)]),
        on(InnoDbSnapshot, SER, &[conflict(40), safe(10)]),
        on(Postgres, RC, &[safe(50)]),
        on(Postgres, RR_SER, &[serialization(40), safe(10)]),
        on(SqliteWal, SQLITE_LEVEL, &[safe(24)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(24)]),
    ],
    file: file!(),
    source: include_str!("partitioned.rs"),
};

/// Makes the deposit into one of the account's slots.
///
/// # Errors
/// The refusal of a statement or of the commit. Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    if d.amount > edge::ORDINARY {
        return edge::deposit(s, d).await;
    }
    let slot = s.draw(SLOTS);
    s.begin().await?;
    let inserted = s
        .run(
            "insert transaction",
            "INSERT INTO transactions (account_id, amount) \
             SELECT id, ? FROM accounts WHERE id = ? AND balance <= ?",
            &[d.amount, d.account, edge::FAR],
        )
        .await?;
    let most = edge::FAR / SLOTS - d.amount;
    if inserted == 0 || add_to(slot, s, d, most).await? == 0 {
        s.rollback().await?;
        return edge::deposit(s, d).await;
    }
    d.commit(s, Receipt::without_a_balance()).await
}

/// Adds to the slot if it holds at most `most`. Returns the number of rows that matched.
async fn add_to(slot: i64, s: &mut Session<'_>, d: &Deposit, most: i64) -> Result<u64, Refusal> {
    let matched = s
        .run(
            "add to a slot",
            "UPDATE account_slots SET balance = balance + ? \
             WHERE account_id = ? AND slot = ? AND balance <= ?",
            &[d.amount, d.account, slot, most],
        )
        .await;
    Ok(matched?)
}
