//! The keeper's work: accounts are opened and reset, transactions deleted. Each change is one
//! transaction with the note of who made it, and locks the account's row first, as the deposits that
//! lock it do: so it waits for them and they for it, and the books are right before and after. Where the
//! engine gives a change up because others were in the way, it is done again.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts;
use crate::auth::now;
use crate::engine::{Database, Fault, MayBeFault, Row, Work, again};

/// Why a change was not made.
#[derive(Debug)]
pub enum NotChanged {
    /// There is no account of this number.
    UnknownAccount(i64),
    /// The account has no such transaction.
    UnknownTransaction {
        /// The account's number.
        account: i64,
        /// The transaction's number.
        id: i64,
    },
    /// A balance would be more than a BIGINT holds; reset the account instead.
    TooMuch,
    /// The database did not answer, or refused.
    Fault(Fault),
}

impl fmt::Display for NotChanged {
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

impl std::error::Error for NotChanged {}

impl MayBeFault for NotChanged {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::UnknownAccount(_) | Self::UnknownTransaction { .. } | Self::TooMuch => None,
        }
    }
}

impl From<Fault> for NotChanged {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Opens an account, and returns its number.
///
/// # Errors
/// As the engine refuses.
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
    note_change(work, actor, account, &what).await?;
    Ok(account)
}

/// Puts an account back to its opening balance, without any transaction, and says how many
/// there were. Its version goes on: whoever read the account before must not take it for the same.
///
/// # Errors
/// [`NotChanged`].
pub async fn reset_account(
    database: &Database,
    actor: &str,
    account: i64,
) -> Result<u64, NotChanged> {
    again(|| async {
        let mut work = database.begin_work().await?;
        let reset = reset(&mut work, actor, account).await;
        work.end(reset).await
    })
    .await
}

async fn reset(work: &mut Work, actor: &str, account: i64) -> Result<u64, NotChanged> {
    lock(work, account).await?;
    let delete = "DELETE FROM transactions WHERE account_id = ?";
    let deleted = work.run(delete, &[account.into()]).await?;
    let update =
        "UPDATE accounts SET balance = opening_balance, version = version + 1 WHERE id = ?";
    work.run(update, &[account.into()]).await?;
    let empty = "UPDATE account_slots SET balance = 0 WHERE account_id = ?";
    work.run(empty, &[account.into()]).await?;
    let what = format!("reset, {deleted} transactions deleted");
    note_change(work, actor, account, &what).await?;
    Ok(deleted)
}

/// Deletes one of an account's transactions. Its amount moves into the opening balance: deleting a
/// record changes neither what the account holds nor what was lost.
///
/// # Errors
/// [`NotChanged`].
pub async fn delete_transaction(
    database: &Database,
    actor: &str,
    account: i64,
    transaction: i64,
) -> Result<(), NotChanged> {
    again(|| async {
        let mut work = database.begin_work().await?;
        let deleted = delete_one(&mut work, actor, account, transaction).await;
        work.end(deleted).await
    })
    .await
}

async fn delete_one(
    work: &mut Work,
    actor: &str,
    account: i64,
    transaction: i64,
) -> Result<(), NotChanged> {
    lock(work, account).await?;
    let which = [transaction.into(), account.into()];
    let select =
        "SELECT amount, CAST(appended AS SIGNED) FROM transactions WHERE id = ? AND account_id = ?";
    let found = work.rows(select, &which).await?;
    let unknown = NotChanged::UnknownTransaction {
        account,
        id: transaction,
    };
    let found = found.first().ok_or(unknown)?;
    let (amount, appended) = (found.integer(0)?, found.integer(1)?);
    let delete = "DELETE FROM transactions WHERE id = ? AND account_id = ?";
    work.run(delete, &which).await?;
    move_into_balances(work, account, amount.into(), (amount * appended).into()).await?;
    let what = format!("transaction {transaction} of {amount} deleted");
    Ok(note_change(work, actor, account, &what).await?)
}

/// Deletes all of an account's transactions, as [`delete_transaction`] does one, and says how many they
/// were.
///
/// # Errors
/// [`NotChanged`].
pub async fn delete_transactions(
    database: &Database,
    actor: &str,
    account: i64,
) -> Result<u64, NotChanged> {
    again(|| async {
        let mut work = database.begin_work().await?;
        let deleted = delete_all(&mut work, actor, account).await;
        work.end(deleted).await
    })
    .await
}

async fn delete_all(work: &mut Work, actor: &str, account: i64) -> Result<u64, NotChanged> {
    lock(work, account).await?;
    // Nobody adds any while the row is locked: a new one locks it too, for its foreign key.
    let (sum, appended) = sums_of_transactions(work, account).await?;
    let delete = "DELETE FROM transactions WHERE account_id = ?";
    let deleted = work.run(delete, &[account.into()]).await?;
    move_into_balances(work, account, sum, appended).await?;
    let what = format!("{deleted} transactions deleted");
    note_change(work, actor, account, &what).await?;
    Ok(deleted)
}

/// Of all, and of those that no balance contains. The halves of each amount are summed apart, as in
/// `accounts`: no sum can leave 64 bits.
async fn sums_of_transactions(work: &mut Work, account: i64) -> Result<(i128, i128), Fault> {
    let select = "SELECT CAST(COALESCE(SUM(amount >> 32), 0) AS SIGNED), \
                         CAST(COALESCE(SUM(amount & 4294967295), 0) AS SIGNED), \
                         CAST(COALESCE(SUM((amount >> 32) * appended), 0) AS SIGNED), \
                         CAST(COALESCE(SUM((amount & 4294967295) * appended), 0) AS SIGNED) \
                  FROM transactions WHERE account_id = ?";
    let halves = work.rows(select, &[account.into()]).await?;
    let Some(halves) = halves.first() else {
        return Ok((0, 0));
    };
    let of_halves = |upper, lower| -> Result<i128, Fault> {
        Ok((i128::from(halves.integer(upper)?) << 32) + i128::from(halves.integer(lower)?))
    };
    Ok((of_halves(0, 1)?, of_halves(2, 3)?))
}

/// What is not on record any more counts as there from the beginning; and what was held only by being on
/// record, the balance holds from now on.
async fn move_into_balances(
    work: &mut Work,
    account: i64,
    deleted: i128,
    appended: i128,
) -> Result<(), NotChanged> {
    let select = "SELECT opening_balance, balance FROM accounts WHERE id = ?";
    let found = work.rows(select, &[account.into()]).await?;
    let found = found.first().ok_or(NotChanged::UnknownAccount(account))?;
    let sum = |column, amount| -> Result<i64, NotChanged> {
        let sum = i128::from(found.integer(column)?) + amount;
        i64::try_from(sum).map_err(|_| NotChanged::TooMuch)
    };
    let (opening, balance) = (sum(0, deleted)?, sum(1, appended)?);
    let update = "UPDATE accounts SET opening_balance = ?, balance = ? WHERE id = ?";
    let values = [opening.into(), balance.into(), account.into()];
    work.run(update, &values).await?;
    Ok(())
}

async fn lock(work: &mut Work, account: i64) -> Result<(), NotChanged> {
    let sql = "SELECT id FROM accounts WHERE id = ? FOR UPDATE";
    let found = work.rows(sql, &[account.into()]).await?;
    found
        .first()
        .map(|_| ())
        .ok_or(NotChanged::UnknownAccount(account))
}

/// A change that somebody made outside the deposit endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    /// The change's number.
    pub id: i64,
    /// Who made it.
    pub username: String,
    /// When, in microseconds since 1970-01-01 UTC.
    pub at_us: i64,
    /// To which account.
    pub account: i64,
    /// What.
    pub what: String,
}

/// Notes who changed what, in the change's own transaction: neither is there without the other.
async fn note_change(work: &mut Work, actor: &str, account: i64, what: &str) -> Result<(), Fault> {
    let insert = "INSERT INTO changes (username, at, account_id, what) VALUES (?, ?, ?, ?)";
    let values = [actor.into(), now().into(), account.into(), what.into()];
    work.insert(insert, &values).await?;
    Ok(())
}

/// Reads who changed what, the newest first: at most so many with a smaller number than that.
///
/// # Errors
/// As the engine refuses.
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
