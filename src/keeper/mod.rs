//! The keeper's work: accounts are opened and reset, and transactions deleted. Each change is one
//! transaction, together with the note of who made it.
//!
//! Deposits of every strategy may run at the same time. The accounts are right before and after a
//! change, as far as the strategies keep them right among themselves. So a change takes or changes
//! everything that a deposit relies on:
//!
//! | what deposits rely on | what a change does |
//! |---|---|
//! | a lock in the process (`mutex_in_process`) | takes its own instance's, and no other |
//! | the account's named lock (`advisory_lock`) | takes it |
//! | the account's row: locked, written at once, or a foreign key | locks it before it reads |
//! | the isolation level (`serializable_retry`) | writes the row, which the engine sees |
//! | the version (`optimistic_retry`) | increments it |
//! | the time of the last change (`timestamp_check`) | sets it, in whole seconds as always |
//! | its slot (`partitioned`) | empties all slots in a reset, under the row's lock |
//!
//! A change takes the locks in the order of the table, as the strategies do, so that they cause no
//! deadlock. It waits for each as long as a deposit would (`--lock-wait-timeout`). If other clients
//! are the reason why the engine refuses a change, it is tried again.
//!
//! One thing cannot be had: a deposit by `mutex_in_process` in *another* process does not notice
//! the change, and either may overwrite the other. Other instances are such processes, and so are
//! the commands. Strategies that lose updates among themselves lose them to a change as well.

pub mod explored;

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::{self, of_halves};
use crate::auth::now;
use crate::engine::{
    Database, Fault, FaultKind, MayBeFault, Row, Session, Work, again, pauses_between_tries,
};
use crate::exhibits::deposits::Memory;
use crate::step::{Argument, Unobserved};

/// Who makes a change, and where.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The user's name, or what stands for it.
    pub name: &'a str,
    /// The memory of the instance of the service that makes the change, whose locks are taken too.
    /// None in a process that serves no deposits.
    pub memory: Option<&'a Memory>,
}

/// A change to an existing account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// See [`reset_account`].
    Reset,
    /// See [`delete_transaction`]; the transaction's number.
    DeleteTransaction(i64),
    /// See [`delete_transactions`].
    DeleteTransactions,
}

/// Why a change was not made.
#[derive(Debug)]
pub enum ChangeError {
    /// There is no account of this number.
    UnknownAccount(i64),
    /// The account has no such transaction.
    UnknownTransaction {
        /// The account's number.
        account: i64,
        /// The transaction's number.
        id: i64,
    },
    /// A balance would be more than a BIGINT holds. Resetting the account helps.
    TooMuch,
    /// The database did not answer, or refused.
    Fault(Fault),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAccount(id) => write!(f, "there is no account {id}"),
            Self::UnknownTransaction { account, id } => {
                write!(f, "account {account} has no transaction {id}")
            }
            Self::TooMuch => f.write_str(
                "the transactions amount to more than a balance can hold; reset the account",
            ),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for ChangeError {}

impl MayBeFault for ChangeError {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::UnknownAccount(_) | Self::UnknownTransaction { .. } | Self::TooMuch => None,
        }
    }
}

impl From<Fault> for ChangeError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Opens an account, and returns its number.
pub async fn open_account(
    database: &Database,
    actor: &str,
    opening_balance: i64,
) -> Result<i64, Fault> {
    again(|| async {
        let mut work = database.begin_work().await?;
        let opened = open(&mut work, actor, opening_balance).await;
        work.end(opened).await
    })
    .await
}

async fn open(work: &mut Work, actor: &str, opening_balance: i64) -> Result<i64, Fault> {
    let account = accounts::open_in(work, opening_balance).await?;
    let what = format!("opened with {opening_balance}");
    let values = [
        actor.into(),
        now().into(),
        account.into(),
        what.as_str().into(),
    ];
    work.insert(NOTE_CHANGE, &values).await?;
    Ok(account)
}

/// Puts an account back to its opening balance and deletes its transactions. Returns their number.
/// The version is incremented, so that a deposit that has read the account before sees the change.
pub async fn reset_account(
    database: &Database,
    actor: Actor<'_>,
    account: i64,
) -> Result<u64, ChangeError> {
    edit(database, actor, account, Edit::Reset).await
}

/// Deletes one of an account's transactions. Its amount moves into the opening balance: deleting a
/// record changes neither the balance nor what was lost.
pub async fn delete_transaction(
    database: &Database,
    actor: Actor<'_>,
    account: i64,
    transaction: i64,
) -> Result<(), ChangeError> {
    let one = Edit::DeleteTransaction(transaction);
    edit(database, actor, account, one).await.map(|_one| ())
}

/// Deletes all of an account's transactions, as [`delete_transaction`] does one. Returns their
/// number.
pub async fn delete_transactions(
    database: &Database,
    actor: Actor<'_>,
    account: i64,
) -> Result<u64, ChangeError> {
    edit(database, actor, account, Edit::DeleteTransactions).await
}

async fn edit(
    database: &Database,
    actor: Actor<'_>,
    account: i64,
    edit: Edit,
) -> Result<u64, ChangeError> {
    let session = database.session(&Unobserved).await?;
    let session = session.pausing(pauses_between_tries());
    edit_in(session, actor, account, edit).await
}

/// Edits an account in an open session. Returns how many transactions were deleted.
pub async fn edit_in(
    mut s: Session<'_>,
    actor: Actor<'_>,
    account: i64,
    edit: Edit,
) -> Result<u64, ChangeError> {
    let done = loop {
        let done = attempt(&mut s, actor, account, edit).await;
        let fault = done.as_ref().err().and_then(MayBeFault::fault);
        let collided = fault.is_some_and(|it| it.kind.is_collision());
        if !(collided && s.pause().await) {
            break done;
        }
    };
    s.end().await;
    done
}

/// Makes one attempt, which leaves no lock behind, however it ends.
async fn attempt(
    s: &mut Session<'_>,
    actor: Actor<'_>,
    account: i64,
    edit: Edit,
) -> Result<u64, ChangeError> {
    let in_process = match actor.memory {
        Some(memory) => Some(s.lock_in_process(&memory.lock_of(account)).await?),
        None => None,
    };
    let done = in_transaction(s, actor.name, account, edit).await;
    if done.is_err() {
        s.rollback().await?;
    }
    // Not before the transaction has ended: the next client to get a lock must see its outcome.
    s.unlock_by_name().await;
    if let Some(guard) = in_process {
        s.unlock_in_process(guard).await;
    }
    done
}

async fn in_transaction(
    s: &mut Session<'_>,
    actor: &str,
    account: i64,
    edit: Edit,
) -> Result<u64, ChangeError> {
    s.begin_alone(account).await?;
    let before = lock(s, account).await?;
    let (deleted, what) = match edit {
        Edit::Reset => reset(s, before).await?,
        Edit::DeleteTransaction(transaction) => delete_one(s, before, transaction).await?,
        Edit::DeleteTransactions => delete_all(s, before).await?,
    };
    let values: [Argument; 4] = [
        actor.into(),
        now().into(),
        account.into(),
        what.as_str().into(),
    ];
    s.run("note change", NOTE_CHANGE, values).await?;
    s.commit().await.map_err(|fault| match fault.kind {
        // The session has waited for SQLite's readers as long as it would for a lock.
        FaultKind::Busy => Fault::lock_timeout("others were still reading"),
        _ => fault,
    })?;
    Ok(deleted)
}

/// An account whose row is locked, as it is before the change.
#[derive(Debug, Clone, Copy)]
struct LockedAccount {
    id: i64,
    opening_balance: i64,
    /// What the column `balance` holds. The account may hold more in its slots.
    balance: i64,
}

async fn lock(s: &mut Session<'_>, account: i64) -> Result<LockedAccount, ChangeError> {
    let sql = "SELECT opening_balance, balance FROM accounts WHERE id = ? FOR UPDATE";
    let found = s.row("lock account", sql, &[account]).await?;
    let [opening_balance, balance] = found.ok_or(ChangeError::UnknownAccount(account))?;
    Ok(LockedAccount {
        id: account,
        opening_balance,
        balance,
    })
}

async fn reset(s: &mut Session<'_>, before: LockedAccount) -> Result<(u64, String), ChangeError> {
    let deleted = delete_all_records(s, before.id).await?;
    write(s, before.id, before.opening_balance, before.opening_balance).await?;
    let empty = "UPDATE account_slots SET balance = 0 WHERE account_id = ?";
    s.run("empty slots", empty, &[before.id]).await?;
    Ok((deleted, format!("reset, {deleted} transactions deleted")))
}

async fn delete_one(
    s: &mut Session<'_>,
    before: LockedAccount,
    transaction: i64,
) -> Result<(u64, String), ChangeError> {
    let which = [transaction, before.id];
    let select =
        "SELECT amount, CAST(appended AS SIGNED) FROM transactions WHERE id = ? AND account_id = ?";
    let found = s.row("read transaction", select, &which).await?;
    let [amount, appended] = found.ok_or(ChangeError::UnknownTransaction {
        account: before.id,
        id: transaction,
    })?;
    let delete = "DELETE FROM transactions WHERE id = ? AND account_id = ?";
    s.run("delete transaction", delete, &which).await?;
    move_into_balances(s, before, amount.into(), (amount * appended).into()).await?;
    Ok((1, format!("transaction {transaction} of {amount} deleted")))
}

async fn delete_all(
    s: &mut Session<'_>,
    before: LockedAccount,
) -> Result<(u64, String), ChangeError> {
    // While the row is locked no transaction is added: its foreign key would lock the row too.
    let (sum, appended) = sums_of_transactions(s, before.id).await?;
    let deleted = delete_all_records(s, before.id).await?;
    move_into_balances(s, before, sum, appended).await?;
    Ok((deleted, format!("{deleted} transactions deleted")))
}

async fn delete_all_records(s: &mut Session<'_>, account: i64) -> Result<u64, Fault> {
    let delete = "DELETE FROM transactions WHERE account_id = ?";
    s.run("delete transactions", delete, &[account]).await
}

/// The sum of all transactions, and the sum of those that the column `balance` does not contain.
/// The halves of each amount are summed separately, as in `accounts`, so that no sum exceeds 64
/// bits.
async fn sums_of_transactions(s: &mut Session<'_>, account: i64) -> Result<(i128, i128), Fault> {
    let select = "SELECT CAST(COALESCE(SUM(amount >> 32), 0) AS SIGNED), \
                         CAST(COALESCE(SUM(amount & 4294967295), 0) AS SIGNED), \
                         CAST(COALESCE(SUM((amount >> 32) * appended), 0) AS SIGNED), \
                         CAST(COALESCE(SUM((amount & 4294967295) * appended), 0) AS SIGNED) \
                  FROM transactions WHERE account_id = ?";
    let halves = s.row("sum transactions", select, &[account]).await?;
    let [upper, lower, upper_appended, lower_appended] = halves.unwrap_or_default();
    Ok((
        of_halves(upper, lower),
        of_halves(upper_appended, lower_appended),
    ))
}

/// Adds the deleted amounts to the opening balance. Amounts that were only appended are added to
/// the column `balance` as well.
async fn move_into_balances(
    s: &mut Session<'_>,
    before: LockedAccount,
    deleted: i128,
    appended: i128,
) -> Result<(), ChangeError> {
    let sum = |balance: i64, amount: i128| {
        i64::try_from(i128::from(balance) + amount).map_err(|_| ChangeError::TooMuch)
    };
    let opening_balance = sum(before.opening_balance, deleted)?;
    let balance = sum(before.balance, appended)?;
    Ok(write(s, before.id, opening_balance, balance).await?)
}

/// Writes both balances, the version and the time. By the last two a deposit that has read the
/// account before sees the change.
async fn write(
    s: &mut Session<'_>,
    account: i64,
    opening_balance: i64,
    balance: i64,
) -> Result<(), Fault> {
    let update = "UPDATE accounts SET opening_balance = ?, balance = ?, version = version + 1, \
                  updated_at = UNIX_TIMESTAMP() WHERE id = ?";
    let values = &[opening_balance, balance, account];
    s.write("write balances", balance, update, values).await?;
    Ok(())
}

/// A change that a user made to an account, as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    /// The change's number.
    pub id: i64,
    /// The name of the user who made it.
    pub username: String,
    /// When, in microseconds since 1970-01-01 UTC.
    pub at_us: i64,
    /// The number of the account.
    pub account: i64,
    /// What was done, in words.
    pub what: String,
}

/// Notes who changed what. It is part of the change's transaction, so neither exists without the
/// other.
const NOTE_CHANGE: &str =
    "INSERT INTO changes (username, at, account_id, what) VALUES (?, ?, ?, ?)";

/// Lists at most `limit` changes with a number below `before`, the newest first.
pub async fn changes(database: &Database, before: i64, limit: i64) -> Result<Vec<Change>, Fault> {
    let select = "SELECT id, username, at, account_id, what FROM changes \
                  WHERE id < ? ORDER BY id DESC LIMIT ?";
    let rows = database
        .rows(select, &[before.into(), limit.into()])
        .await?;
    let change = |row: &Row| {
        Ok(Change {
            id: row.integer(0)?,
            username: row.text(1)?,
            at_us: row.integer(2)?,
            account: row.integer(3)?,
            what: row.text(4)?,
        })
    };
    rows.iter().map(change).collect()
}
