//! Accounts as the outside sees them: each with its audit, and the transactions on record.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{Database, Fault};
use crate::step::Unobserved;

/// An account and what its transactions say it should hold, read in one statement.
///
/// The sums are wider than the columns, because lost updates leave more on record than a balance
/// could ever hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Account {
    /// The account's number.
    pub id: i64,
    /// What the account holds.
    pub balance: i64,
    /// What it held at first.
    pub opening_balance: i64,
    /// Counts the changes made by strategies that compare and swap.
    pub version: i64,
    /// How many transactions are on record.
    pub transactions: i64,
    /// What they amount to.
    #[schema(value_type = i64)]
    pub transactions_sum: i128,
    /// What the account should hold: the opening balance plus the sum.
    #[schema(value_type = i64)]
    pub expected: i128,
    /// What was lost: expected minus balance.
    #[schema(value_type = i64)]
    pub lost: i128,
}

/// A transaction on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Transaction {
    /// The transaction's number.
    pub id: i64,
    /// What was deposited.
    pub amount: i64,
    /// When, in microseconds since 1970-01-01 UTC, by the database's clock.
    pub created_at_us: i64,
}

/// A part of a list that is read page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only items with a greater number than this.
    pub after: i64,
    /// At most that many.
    pub limit: i64,
}

/// Reads an account; none if there is no such account.
///
/// # Errors
/// The engine's fault.
pub async fn find(database: &Database, id: i64) -> Result<Option<Account>, Fault> {
    let accounts = read(database, id.saturating_sub(1), 1).await?;
    Ok(accounts.into_iter().find(|account| account.id == id))
}

/// Reads a page of accounts, by number.
///
/// # Errors
/// The engine's fault.
pub async fn list(database: &Database, page: Page) -> Result<Vec<Account>, Fault> {
    read(database, page.after, page.limit).await
}

async fn read(database: &Database, after: i64, limit: i64) -> Result<Vec<Account>, Fault> {
    let mut session = database.session(&Unobserved).await?;
    // One statement, so that balance and sum come from one snapshot. The upper and the lower half
    // of each amount are summed apart: neither sum can leave 64 bits, whatever the engine's SUM
    // does when it does (SQLite fails, InnoDB turns to DECIMAL).
    let rows = session
        .rows::<7>(
            "read accounts",
            "SELECT a.id, a.balance, a.opening_balance, a.version, COUNT(t.id), \
                 CAST(COALESCE(SUM(t.amount >> 32), 0) AS SIGNED), \
                 CAST(COALESCE(SUM(t.amount & 4294967295), 0) AS SIGNED) \
             FROM (SELECT id, balance, opening_balance, version FROM accounts \
                   WHERE id > ? ORDER BY id LIMIT ?) a \
             LEFT JOIN transactions t ON t.account_id = a.id \
             GROUP BY a.id, a.balance, a.opening_balance, a.version \
             ORDER BY a.id",
            &[after, limit],
        )
        .await;
    session.end().await;
    Ok(rows?.into_iter().map(account).collect())
}

fn account(row: [Option<i64>; 7]) -> Account {
    let [
        id,
        balance,
        opening_balance,
        version,
        transactions,
        upper_sum,
        lower_sum,
    ] = row.map(Option::unwrap_or_default);
    let transactions_sum = (i128::from(upper_sum) << 32) + i128::from(lower_sum);
    let expected = i128::from(opening_balance) + transactions_sum;
    Account {
        id,
        balance,
        opening_balance,
        version,
        transactions,
        transactions_sum,
        expected,
        lost: expected - i128::from(balance),
    }
}

/// Reads a page of an account's transactions, in the order in which they were numbered.
///
/// # Errors
/// The engine's fault.
pub async fn transactions(
    database: &Database,
    account: i64,
    page: Page,
) -> Result<Vec<Transaction>, Fault> {
    let mut session = database.session(&Unobserved).await?;
    let rows = session
        .rows::<3>(
            "read transactions",
            "SELECT id, amount, created_at FROM transactions \
             WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?",
            &[account, page.after, page.limit],
        )
        .await;
    session.end().await;
    let transaction = |row: [Option<i64>; 3]| {
        let [id, amount, created_at_us] = row.map(Option::unwrap_or_default);
        Transaction {
            id,
            amount,
            created_at_us,
        }
    };
    Ok(rows?.into_iter().map(transaction).collect())
}

/// Opens a new account, and returns its number.
///
/// # Errors
/// The engine's fault.
pub async fn open(database: &Database, opening_balance: i64) -> Result<i64, Fault> {
    let mut session = database.session(&Unobserved).await?;
    let id = session
        .insert(
            "open account",
            "INSERT INTO accounts (balance, opening_balance, updated_at) \
             VALUES (?, ?, UNIX_TIMESTAMP())",
            &[opening_balance, opening_balance],
        )
        .await;
    session.end().await;
    id
}
