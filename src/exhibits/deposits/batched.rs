//! # Many deposits in one transaction
//!
//! The clients do not write. They hand their deposits to their instance's writer for the account,
//! and wait for its answer. The writer takes all deposits that wait, commits them together, and
//! answers each with its own result. Meanwhile the next ones gather (that part is in `writer.rs`).
//!
//! ## Why it holds
//!
//! For the database the batch is one client that does what
//! [`row_locking_atomic_long_delay`](super::row_locking) does: it locks the account's row, reads,
//! writes, commits. Writers of other instances wait for the lock. Within the batch the deposits
//! come one after the other, in memory. Each reads what the one before it has written, and the row
//! gets what the last one leaves.
//!
//! No deposit is answered before the commit. So an acknowledged deposit survives if the service is
//! killed, by any signal. A deposit without an answer is there as a whole or not at all. A deposit
//! that cannot be made (its balance would not fit, or another request has taken its key over) is
//! refused alone. The others of its batch are made without it.
//!
//! If the engine refuses the batch because of another client, the batch is tried again, as in
//! [`serializable_retry`](super::serializable_retry). If the answer to a commit is lost, the
//! outcome of each deposit in it is unknown. Then nothing is tried again, because it could be made
//! a second time.
//!
//! The queue is bounded. If it is full, clients wait for a place in it as they do for a connection
//! from the pool. After the same time they are turned away (503). The deposit of a client that
//! leaves while it waits for its answer is made all the same. Each account has its own writer, so
//! that an account whose row stays locked delays no deposit into another account.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. The explorer's two clients are the writers of two instances, each with a batch of
//! two deposits into the same account. All 36 schedules are safe on InnoDB and PostgreSQL at every
//! level, and in 24 of them one writer waits for the other. PostgreSQL may refuse it after the wait
//! (40001), and so may MariaDB at SERIALIZABLE with `innodb_snapshot_isolation` (1020); then its
//! second attempt succeeds. SQLite has 10, because a transaction that is going to write keeps all
//! others out from its beginning.
//!
//! ## What it costs
//!
//! Five round trips, of which the last is the commit, for all deposits that came into the account
//! during the commit before. The hotter the account, the larger the batches, and the less each
//! deposit costs. (A deposit with an idempotency key adds an `UPDATE` of its own.) A deposit that
//! comes alone costs what it costs with row locks: if the load is spread over many accounts,
//! nothing is gained. No client holds a connection while it waits.
//!
//! The price is paid in three places:
//!
//! - In latency. A deposit that comes during a commit waits for its end and then for the next one;
//!   with more than 128 in the queue, for several.
//! - In what a refusal by the engine concerns: all deposits of the batch.
//! - In code: a queue that has to be bounded, and tasks that must not die.
//!
//! ## Where people meet it
//!
//! - Databases do it with their own log (InnoDB and PostgreSQL call it group commit).
//! - Kafka's producers do it with messages (`linger.ms`, `batch.size`), `DataLoader` with reads.
//! - `bulk_create` and `insert_all` do it within one request.
//! - Applications do it with a queue in front of a single consumer.

use super::retry::{Attempts, NotMade};
use super::{Deposit, Failure, Place, Receipt, Refusal};
use crate::engine::{Fault, Kept, Session};
use crate::exhibits::card::Mode::{InnoDb, InnoDbSnapshot, Postgres, SqliteRollback, SqliteWal};
use crate::exhibits::card::{Card, Count, EVERY_LEVEL, POSTGRES_LEVELS, SQLITE_LEVEL, on, safe};
use crate::verdict::Outcome;

/// The strategy's name.
pub const NAME: &str = "batched";

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Many deposits in one transaction",
    expected: &[
        on(InnoDb, EVERY_LEVEL, SAFE),
        on(InnoDbSnapshot, EVERY_LEVEL, SAFE),
        on(Postgres, POSTGRES_LEVELS, SAFE),
        on(SqliteWal, SQLITE_LEVEL, &[safe(10)]),
        on(SqliteRollback, SQLITE_LEVEL, &[safe(10)]),
    ],
    file: file!(),
    source: include_str!("batched.rs"),
};

const SAFE: &[Count] = &[safe(36)];

/// The outcome of one deposit of a batch.
pub(super) type Fate = Result<Receipt, Failure>;

/// Makes a deposit in a batch of its own.
///
/// # Errors
/// The refusal of its batch of one. Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    let fate = write(s, &[*d]).await.pop();
    let fate = fate.ok_or_else(|| Fault::other("a batch of one came to nothing"))?;
    fate.map_err(|failure| failure.refusal)
}

/// Makes the deposits of a batch, all into the account of the first, and returns the outcome of
/// each, in their order.
pub async fn write(s: &mut Session<'_>, batch: &[Deposit]) -> Vec<Fate> {
    let mut attempts = Attempts::first();
    loop {
        let fault = match commit_together(s, batch, attempts.count()).await {
            Ok(results) => return results.into_iter().map(of_a_commit).collect(),
            Err(fault) => fault,
        };
        let tried_again = match NotMade::from(fault) {
            NotMade::Refused(refusal) => Err(refusal),
            NotMade::Lost => attempts.next(s).await,
        };
        if let Err(refusal) = tried_again {
            return vec![Err(failure(s, refusal)); batch.len()];
        }
    }
}

/// The transaction: commits the deposits as if they had come one after the other.
async fn commit_together(
    s: &mut Session<'_>,
    batch: &[Deposit],
    attempts: u32,
) -> Result<Vec<Result<Receipt, Refusal>>, Fault> {
    let Some(Deposit { account, .. }) = batch.first().copied() else {
        return Ok(Vec::new());
    };
    s.begin_for_update().await?;
    let balance = s
        .read(
            "lock and read balance",
            "SELECT balance FROM accounts WHERE id = ? FOR UPDATE",
            &[account],
        )
        .await?;
    let Some(mut balance) = balance else {
        s.rollback().await?;
        return Ok(vec![Err(Refusal::UnknownAccount); batch.len()]);
    };
    let results = add_up(s, batch, &mut balance, attempts).await?;
    let made: Vec<_> = batch
        .iter()
        .zip(&results)
        .filter(|(_, result)| result.is_ok())
        .map(|(it, _)| [account, it.amount])
        .collect();
    if made.is_empty() {
        s.rollback().await?;
        return Ok(results);
    }
    s.insert_rows(
        "insert transactions",
        "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
        &made,
    )
    .await?;
    s.write(
        "write balance",
        balance,
        "UPDATE accounts SET balance = ? WHERE id = ?",
        &[balance, account],
    )
    .await?;
    s.commit().await?;
    Ok(results)
}

/// Adds one deposit after the other, and leaves out those that cannot be added. If a deposit has a
/// key, its answer is stored under it, in the transaction of the batch.
async fn add_up(
    s: &mut Session<'_>,
    batch: &[Deposit],
    balance: &mut i64,
    attempts: u32,
) -> Result<Vec<Result<Receipt, Refusal>>, Fault> {
    let mut results = Vec::with_capacity(batch.len());
    for deposit in batch {
        match add(s, deposit, balance, attempts).await {
            Err(Refusal::Engine(fault)) => return Err(fault),
            result => results.push(result),
        }
    }
    number(&mut results);
    Ok(results)
}

async fn add(
    s: &mut Session<'_>,
    deposit: &Deposit,
    balance: &mut i64,
    attempts: u32,
) -> Result<Receipt, Refusal> {
    let sum = deposit.added_to(*balance)?;
    let receipt = Receipt {
        attempts,
        ..Receipt::at_first_try(*balance, sum)
    };
    if let Some(claim) = deposit.claim {
        claim.answer(s, &receipt).await?;
    }
    *balance = sum;
    Ok(receipt)
}

/// Gives each deposit that will be committed its place in the batch.
fn number(results: &mut [Result<Receipt, Refusal>]) {
    let of = results.iter().flatten().map(|_| 1).sum();
    for (number, receipt) in (1..).zip(results.iter_mut().flatten()) {
        receipt.batch = Some(Place { number, of });
    }
}

/// The outcome of a deposit whose transaction was committed, or had nothing to commit.
fn of_a_commit(result: Result<Receipt, Refusal>) -> Fate {
    result.map_err(|refusal| Failure {
        refusal,
        outcome: Outcome::Refused,
    })
}

/// The failure of a deposit whose transaction was not committed, or perhaps not.
fn failure(s: &Session<'_>, refusal: Refusal) -> Failure {
    Failure {
        refusal,
        outcome: match s.kept() {
            Kept::Unknown => Outcome::Unknown,
            Kept::Nothing | Kept::Something => Outcome::Refused,
        },
    }
}
