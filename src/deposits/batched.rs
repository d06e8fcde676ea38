//! # Many deposits in one transaction
//!
//! The clients do not write: they hand their deposits to one writer of their instance, and wait for its answer.
//! The writer takes all that wait, commits them together, and answers each with its own result; meanwhile the
//! next ones gather. It is what databases do with their own log (InnoDB and PostgreSQL call it group
//! commit), Kafka's producers with messages (`linger.ms`, `batch.size`), `DataLoader` with reads, and an
//! application with a queue in front of a single consumer.
//!
//! ## Why it holds
//!
//! For the database the batch is one client that does what
//! [`row_locking_atomic_long_delay`](super::row_locking) does: it locks the accounts' rows, reads, writes, commits.
//! Writers of other instances wait for the lock. All lock in the order of the accounts' numbers, so that no two
//! of them wait in a circle. Within the batch the deposits come one after the other, in memory: each reads what
//! the one before it has written, and what is written to the row is what the last one leaves.
//!
//! Nobody is answered before the commit, so that what was acknowledged survives the service's death by any
//! signal, and what was not is there as a whole or not at all. A deposit that cannot be made (no such account,
//! a balance that would not fit) is refused alone, and the others of its batch are made without it.
//!
//! If the engine refuses the batch, somebody else was in the way: it is tried again as
//! [`serializable_retry`](super::serializable_retry) is, and in the end its deposits one by one, so that one
//! that cannot pass keeps no other from passing. If the answer to a commit is lost, what became of each deposit in
//! it is unknown, and nothing is tried again: it could be a second time.
//!
//! The queue is bounded. Where it is full, clients wait for a place in it as they do for a connection from the
//! pool, and are turned away (503) after the same time. A client that leaves while it waits has made its
//! deposit all the same.
//!
//! ## The smallest schedule that breaks it
//!
//! There is none. The explorer's two clients are the writers of two instances, each with a batch of two deposits
//! into the same account. All 36 schedules are safe on InnoDB and PostgreSQL at every level, in 24 of them one
//! writer waits for the other; where PostgreSQL refuses it after that (40001), and MariaDB at SERIALIZABLE with
//! `innodb_snapshot_isolation` (1020), its second attempt succeeds. SQLite has 10, because a transaction that is
//! going to write keeps all others out from its beginning.
//!
//! ## What it costs
//!
//! One commit for as many deposits as have come during the one before, and one `INSERT` and one `UPDATE`:
//! the more clients, the larger the batches, and the less each deposit costs. A deposit that comes alone
//! costs what it costs with row locks, and no client holds a connection while it waits. The price is paid in
//! latency (for up to two commits instead of one), in what a refusal concerns (a batch and not a deposit), and in
//! code: a queue that has to be bounded, a task that must not die.

use std::collections::BTreeMap;
use std::slice;

use super::retry::{Attempts, NotMade};
use super::{Deposit, Failure, Outcome, Place, Receipt, Refusal};
use crate::card::{
    Card, Count, EVERY_LEVEL, Expectation, Mode, POSTGRES_LEVELS, SQLITE_LEVEL, safe,
};
use crate::engine::{Fault, FaultKind, Kept, Session};

/// The strategy's name: the one whose deposits the writer makes.
pub const NAME: &str = "batched";

/// What this file says about itself.
pub const CARD: Card = Card {
    title: "Many deposits in one transaction",
    expected: &[
        Expectation {
            engine: Mode::InnoDb,
            isolation: EVERY_LEVEL,
            verdicts: SAFE,
        },
        Expectation {
            engine: Mode::InnoDbSnapshot,
            isolation: EVERY_LEVEL,
            verdicts: SAFE,
        },
        Expectation {
            engine: Mode::Postgres,
            isolation: POSTGRES_LEVELS,
            verdicts: SAFE,
        },
        Expectation {
            engine: Mode::SqliteWal,
            isolation: SQLITE_LEVEL,
            verdicts: &[safe(10)],
        },
        Expectation {
            engine: Mode::SqliteRollback,
            isolation: SQLITE_LEVEL,
            verdicts: &[safe(10)],
        },
    ],
    source: include_str!("batched.rs"),
};

const SAFE: &[Count] = &[safe(36)];

/// What became of one deposit of a batch.
pub type Fate = Result<Receipt, Failure>;

/// Makes a deposit that no other has come with.
///
/// # Errors
/// The refusal of its batch of one. Nothing is kept then.
pub async fn deposit(s: &mut Session<'_>, d: &Deposit) -> Result<Receipt, Refusal> {
    let fate = write(s, slice::from_ref(d)).await.pop();
    let fate = fate.ok_or_else(|| Fault::other("a batch of one came to nothing"))?;
    fate.map_err(|failure| failure.refusal)
}

/// Makes the deposits of a batch, and says of each, in their order, what became of it.
pub async fn write(s: &mut Session<'_>, batch: &[Deposit]) -> Vec<Fate> {
    let mut attempts = Attempts::first();
    let (refusal, kept_out) = loop {
        let fault = match commit_together(s, batch, attempts.count()).await {
            Ok(results) => return fates(results),
            Err(fault) => fault,
        };
        // SQLite's lock is on the whole database: nobody gets past it alone either.
        let kept_out = fault.kind == FaultKind::Busy;
        let tried_again = match NotMade::from(fault) {
            NotMade::Refused(refusal) => Err(refusal),
            NotMade::Lost => attempts.next(s).await,
        };
        if let Err(refusal) = tried_again {
            break (refusal, kept_out);
        }
    };
    // The refusal of a single one is its own; and after a lost answer another attempt could be the second deposit.
    if batch.len() == 1 || kept_out || s.is_over() {
        return vec![Err(failure(s, refusal)); batch.len()];
    }
    one_by_one(s, batch, attempts.count() + 1).await
}

/// The transaction: commits the deposits as if they had come one after the other.
async fn commit_together(
    s: &mut Session<'_>,
    batch: &[Deposit],
    attempts: u32,
) -> Result<Vec<Result<Receipt, Refusal>>, Fault> {
    s.begin_for_update().await?;
    let mut balances = lock_accounts(s, batch).await?;
    let results = add_up(s, batch, &mut balances, attempts).await?;
    let made = batch.iter().zip(&results);
    let made = made.filter_map(|(deposit, result)| result.is_ok().then_some(deposit));
    let made: Vec<_> = made.collect();
    if made.is_empty() {
        s.rollback().await?;
        return Ok(results);
    }
    insert_transactions(s, &made).await?;
    write_balances(s, &made, &balances).await?;
    s.commit().await?;
    Ok(results)
}

/// Locks each account once, and reads its balance; none where there is no such account. In the order of their
/// numbers: two writers that lock in any order could each wait for the other.
async fn lock_accounts(
    s: &mut Session<'_>,
    batch: &[Deposit],
) -> Result<BTreeMap<i64, Option<i64>>, Fault> {
    let mut balances: BTreeMap<_, _> = batch.iter().map(|d| (d.account, None)).collect();
    for (account, balance) in &mut balances {
        *balance = s
            .read(
                "lock and read balance",
                "SELECT balance FROM accounts WHERE id = ? FOR UPDATE",
                &[*account],
            )
            .await?;
    }
    Ok(balances)
}

/// Adds one after the other, and leaves out who cannot be added. Whoever has a key has the answer stored under it,
/// in the transaction of them all.
async fn add_up(
    s: &mut Session<'_>,
    batch: &[Deposit],
    balances: &mut BTreeMap<i64, Option<i64>>,
    attempts: u32,
) -> Result<Vec<Result<Receipt, Refusal>>, Fault> {
    let mut results = Vec::with_capacity(batch.len());
    for deposit in batch {
        let balance = balances.get_mut(&deposit.account).and_then(Option::as_mut);
        let added = match balance {
            Some(balance) => add(s, deposit, balance, attempts).await,
            None => Err(Refusal::UnknownAccount),
        };
        match added {
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

/// Tells each deposit that is going to be committed which one it is, of how many.
fn number(results: &mut [Result<Receipt, Refusal>]) {
    let of = results.iter().flatten().map(|_| 1).sum();
    for (number, receipt) in (1..).zip(results.iter_mut().flatten()) {
        receipt.batch = Some(Place { number, of });
    }
}

async fn insert_transactions(s: &mut Session<'_>, made: &[&Deposit]) -> Result<(), Fault> {
    let rows: Vec<_> = made.iter().map(|it| [it.account, it.amount]).collect();
    s.insert_rows(
        "insert transactions",
        "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
        &rows,
    )
    .await?;
    Ok(())
}

/// What the last deposit into an account has left is all that is written to it.
async fn write_balances(
    s: &mut Session<'_>,
    made: &[&Deposit],
    balances: &BTreeMap<i64, Option<i64>>,
) -> Result<(), Fault> {
    for (account, balance) in balances {
        let Some(balance) = balance.filter(|_| made.iter().any(|it| it.account == *account)) else {
            continue;
        };
        s.write(
            "write balance",
            balance,
            "UPDATE accounts SET balance = ? WHERE id = ?",
            &[balance, *account],
        )
        .await?;
    }
    Ok(())
}

/// Each deposit in a transaction of its own: whoever cannot pass keeps no other from passing.
async fn one_by_one(s: &mut Session<'_>, batch: &[Deposit], attempts: u32) -> Vec<Fate> {
    let mut kept_waiting = BTreeMap::new();
    let mut all = Vec::new();
    for deposit in batch {
        if s.is_over() {
            let fault = Fault::unavailable("the connection broke before the deposit's turn");
            all.push(Err(Failure::before_the_first_step(fault)));
            continue;
        }
        // Who has waited for a lock in vain has waited for all deposits into the same account.
        if let Some(fault) = kept_waiting.get(&deposit.account) {
            all.push(Err(failure(s, Refusal::Engine(Fault::clone(fault)))));
            continue;
        }
        match commit_alone(s, deposit, attempts).await {
            Ok(results) => all.extend(fates(results)),
            Err(fault) => {
                if fault.kind == FaultKind::LockTimeout {
                    kept_waiting.insert(deposit.account, fault.clone());
                }
                all.push(Err(failure(s, fault.into())));
            }
        }
    }
    all
}

async fn commit_alone(
    s: &mut Session<'_>,
    deposit: &Deposit,
    attempts: u32,
) -> Result<Vec<Result<Receipt, Refusal>>, Fault> {
    // What the attempt before it may have left open.
    s.rollback().await?;
    commit_together(s, slice::from_ref(deposit), attempts).await
}

/// The deposits of a transaction that has been committed.
fn fates(results: Vec<Result<Receipt, Refusal>>) -> Vec<Fate> {
    let fate = |result: Result<Receipt, Refusal>| {
        result.map_err(|refusal| Failure {
            refusal,
            outcome: Outcome::Refused,
        })
    };
    results.into_iter().map(fate).collect()
}

/// A deposit of a transaction that was not committed, as far as anybody knows.
fn failure(s: &Session<'_>, refusal: Refusal) -> Failure {
    Failure {
        refusal,
        outcome: match s.kept() {
            // What was kept of this session are other transactions.
            Kept::Nothing | Kept::Something => Outcome::Refused,
            Kept::Unknown => Outcome::Unknown,
        },
    }
}
