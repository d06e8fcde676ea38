//! Accounts as clients see them: each with its audit, and the transactions on record.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{Database, Fault, Session, Work, WriteProbe, again};
use crate::step::Unobserved;

/// The number of slots over which an account's balance can be spread. They are numbered from 0.
pub const SLOTS: i64 = 8;

/// Makes the slots of an account that is opened. Its one value is the account's number.
pub(crate) const OPEN_SLOTS: &str = "INSERT INTO account_slots (account_id, slot) \
    SELECT accounts.id, slots.slot \
    FROM accounts, (SELECT 0 AS slot UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 \
                    UNION SELECT 5 UNION SELECT 6 UNION SELECT 7) slots \
    WHERE accounts.id = ?";

/// Tells whether a transaction could be recorded.
pub const WRITE_PROBE: WriteProbe = WriteProbe {
    write_nothing: &[
        "UPDATE accounts SET balance = balance WHERE 1 = 0",
        "INSERT INTO transactions (account_id, amount) SELECT id, 0 FROM accounts WHERE 1 = 0",
    ],
    read_nothing: &[
        "SELECT balance FROM accounts WHERE 1 = 0",
        "SELECT amount FROM transactions WHERE 1 = 0",
    ],
    insert: "INSERT INTO idempotency_keys (name, fingerprint, owner, state, claimed_at) \
             VALUES (?, ?, 0, 0, 0)",
    delete: "DELETE FROM idempotency_keys WHERE fingerprint = ?",
};

/// An account and what its transactions say it should hold, read in one statement.
///
/// What it holds is the sum of three places, so that every strategy works on every account: the
/// balance column, the slots, and the transactions that were only appended, which no balance
/// contains.
///
/// The sums are wider than the columns, because lost updates leave more on record than a balance
/// could ever hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Account {
    /// The account's number.
    pub id: i64,
    /// What the account holds: its balance column, its slots, and the transactions that were only
    /// appended.
    #[schema(value_type = i128)]
    pub balance: i128,
    /// What it held at first.
    pub opening_balance: i64,
    /// Counts the changes made by strategies that compare and swap, and by the keeper.
    pub version: i64,
    /// The number of transactions on record.
    pub transactions: i64,
    /// The largest of them. Zero if there is none.
    #[serde(skip)]
    pub largest: i64,
    /// Their sum.
    #[schema(value_type = i128)]
    pub transactions_sum: i128,
    /// What the account should hold: the opening balance plus the sum.
    #[schema(value_type = i128)]
    pub expected: i128,
    /// What was lost: expected minus balance.
    #[schema(value_type = i128)]
    pub lost: i128,
}

impl Account {
    /// The least number of updates that must be missing from the balance: this number of the
    /// largest amount on record makes up what was lost. It is exact if all amounts are the same,
    /// and zero if nothing was lost.
    pub fn lost_updates(&self) -> u128 {
        // More than the records say is no loss.
        let lost = u128::try_from(self.lost).unwrap_or(0);
        match u128::try_from(self.largest) {
            Ok(largest @ 1..) => lost.div_ceil(largest),
            _ => lost.min(1),
        }
    }
}

/// A transaction on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Transaction {
    /// The transaction's number.
    pub id: i64,
    /// The amount.
    pub amount: i64,
    /// When, in microseconds since 1970-01-01 UTC, by the database's clock.
    pub created_at_us: i64,
}

/// A part of a list that is read page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only items with a greater number than this.
    pub after: i64,
    /// The largest number of items.
    pub limit: i64,
}

/// Reads an account. None if there is no such account.
pub async fn find(database: &Database, id: i64) -> Result<Option<Account>, Fault> {
    let accounts = read(database, id.saturating_sub(1), 1).await?;
    Ok(accounts.into_iter().find(|account| account.id == id))
}

/// Reads a page of accounts, by number.
pub async fn list(database: &Database, page: Page) -> Result<Vec<Account>, Fault> {
    read(database, page.after, page.limit).await
}

/// Reading the audit is not part of the race, so serialization failures (PostgreSQL) are retried.
async fn read(database: &Database, after: i64, limit: i64) -> Result<Vec<Account>, Fault> {
    again(|| read_once(database, after, limit)).await
}

async fn read_once(database: &Database, after: i64, limit: i64) -> Result<Vec<Account>, Fault> {
    let mut session = database.session(&Unobserved).await?;
    // One statement, so that balances and sums come from one snapshot. The upper and the lower half
    // of each amount are summed apart: neither sum can leave 64 bits, whatever the engine's SUM
    // does when it does (SQLite fails, InnoDB turns to DECIMAL).
    let rows = session
        .rows::<12>(
            "read accounts",
            "SELECT a.id, a.balance, a.opening_balance, a.version, COUNT(t.id), MAX(t.amount), \
                 CAST(COALESCE(SUM(t.amount >> 32), 0) AS SIGNED), \
                 CAST(COALESCE(SUM(t.amount & 4294967295), 0) AS SIGNED), \
                 CAST(COALESCE(SUM((t.amount >> 32) * t.appended), 0) AS SIGNED), \
                 CAST(COALESCE(SUM((t.amount & 4294967295) * t.appended), 0) AS SIGNED), \
                 (SELECT CAST(COALESCE(SUM(s.balance >> 32), 0) AS SIGNED) \
                  FROM account_slots s WHERE s.account_id = a.id), \
                 (SELECT CAST(COALESCE(SUM(s.balance & 4294967295), 0) AS SIGNED) \
                  FROM account_slots s WHERE s.account_id = a.id) \
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

fn account(row: [Option<i64>; 12]) -> Account {
    let [
        id,
        balance_column,
        opening_balance,
        version,
        transactions,
        largest,
        upper_sum,
        lower_sum,
        upper_appended,
        lower_appended,
        upper_slots,
        lower_slots,
    ] = row.map(Option::unwrap_or_default);
    let transactions_sum = of_halves(upper_sum, lower_sum);
    let balance = i128::from(balance_column)
        + of_halves(upper_appended, lower_appended)
        + of_halves(upper_slots, lower_slots);
    let expected = i128::from(opening_balance) + transactions_sum;
    Account {
        id,
        balance,
        opening_balance,
        version,
        transactions,
        largest,
        transactions_sum,
        expected,
        lost: expected - balance,
    }
}

/// The sum of terms whose upper and lower 32 bits were summed apart.
pub(crate) fn of_halves(upper: i64, lower: i64) -> i128 {
    (i128::from(upper) << 32) + i128::from(lower)
}

/// All that an account holds, read in one statement within a client's own work. None if there is no
/// such account.
pub(crate) async fn held(s: &mut Session<'_>, account: i64) -> Result<Option<i128>, Fault> {
    let row = s
        .row::<5>(
            "read all that it holds",
            "SELECT a.balance, \
                 (SELECT CAST(COALESCE(SUM(t.amount >> 32), 0) AS SIGNED) \
                  FROM transactions t WHERE t.account_id = a.id AND t.appended = 1), \
                 (SELECT CAST(COALESCE(SUM(t.amount & 4294967295), 0) AS SIGNED) \
                  FROM transactions t WHERE t.account_id = a.id AND t.appended = 1), \
                 (SELECT CAST(COALESCE(SUM(s.balance >> 32), 0) AS SIGNED) \
                  FROM account_slots s WHERE s.account_id = a.id), \
                 (SELECT CAST(COALESCE(SUM(s.balance & 4294967295), 0) AS SIGNED) \
                  FROM account_slots s WHERE s.account_id = a.id) \
             FROM accounts a WHERE a.id = ?",
            &[account],
        )
        .await?;
    Ok(row.map(
        |[
            balance,
            upper_appended,
            lower_appended,
            upper_slots,
            lower_slots,
        ]| {
            i128::from(balance)
                + of_halves(upper_appended, lower_appended)
                + of_halves(upper_slots, lower_slots)
        },
    ))
}

/// Reads a page of an account's transactions, in the order of their numbers.
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
pub async fn open(database: &Database, opening_balance: i64) -> Result<i64, Fault> {
    let mut work = database.begin_work().await?;
    let opened = open_in(&mut work, opening_balance).await;
    work.end(opened).await
}

/// Opens a new account together with other work, and returns its number.
pub(crate) async fn open_in(work: &mut Work, opening_balance: i64) -> Result<i64, Fault> {
    let opening_balance = opening_balance.into();
    let id = work
        .insert(
            "INSERT INTO accounts (balance, opening_balance, updated_at) \
             VALUES (?, ?, UNIX_TIMESTAMP())",
            &[opening_balance, opening_balance],
        )
        .await?;
    work.execute(OPEN_SLOTS, &[id.into()]).await?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_deposits_that_can_be_missing_are_counted() {
        let audited = |balance, transactions, largest, sum| {
            let row = [1, balance, 0, 0, transactions, largest, 0, sum, 0, 0, 0, 0];
            account(row.map(Some)).lost_updates()
        };
        assert_eq!(audited(1000, 10, 100, 1000), 0);
        assert_eq!(audited(100, 10, 100, 1000), 9);
        // 300 of 100 + 200 + 300: one transaction is missing, or two.
        assert_eq!(audited(300, 3, 300, 600), 1);
        assert_eq!(audited(299, 3, 300, 600), 2);
        // There is more than the records say.
        assert_eq!(audited(700, 3, 300, 600), 0);
    }

    #[test]
    fn where_no_record_is_left_something_is_missing_all_the_same() {
        let mut row = [None; 12];
        (row[0], row[1], row[2]) = (Some(1), Some(0), Some(500));
        let mut emptied = account(row);
        assert_eq!((emptied.lost, emptied.lost_updates()), (500, 1));
        emptied.lost = 0;
        assert_eq!(emptied.lost_updates(), 0);
    }
}
