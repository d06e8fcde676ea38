//! The queries that a statement is made of, shared by all strategies.

use super::StatementRequest;
use crate::accounts::{Transaction, of_halves};
use crate::engine::{Fault, Session, shared_work};

/// An account's balance, and the balance with which it was opened.
pub(super) struct AccountBalance {
    pub(super) balance: i128,
    pub(super) opening_balance: i64,
}

/// The number of an account's transactions, and their sum.
pub(super) struct TransactionTotals {
    pub(super) transactions: i64,
    pub(super) sum: i128,
}

impl TransactionTotals {
    /// Whether these can be the newest `limit` of the transactions that were summed up.
    pub(super) fn agrees_with(&self, latest: &[Transaction], limit: i64) -> bool {
        let listed = i64::try_from(latest.len()).unwrap_or(i64::MAX);
        let all_are_listed = self.transactions <= limit;
        let amounts = latest.iter().map(|it| i128::from(it.amount));
        listed == self.transactions.min(limit)
            && (!all_are_listed || amounts.sum::<i128>() == self.sum)
    }
}

/// The account's balance in all places, read by one SQL statement. None if there is no such
/// account.
#[track_caller]
pub(super) fn balance(
    s: &mut Session<'_>,
    request: &StatementRequest,
) -> impl Future<Output = Result<Option<AccountBalance>, Fault>> {
    shared_work!(s, {
        // The two halves of the amounts are summed separately, so that no sum exceeds 64 bits.
        let row = s
            .row(
                "read balance",
                "SELECT a.balance, a.opening_balance, \
                 (SELECT CAST(COALESCE(SUM(s.balance >> 32), 0) AS SIGNED) \
                  FROM account_slots s WHERE s.account_id = a.id), \
                 (SELECT CAST(COALESCE(SUM(s.balance & 4294967295), 0) AS SIGNED) \
                  FROM account_slots s WHERE s.account_id = a.id), \
                 (SELECT CAST(COALESCE(SUM((t.amount >> 32) * t.appended), 0) AS SIGNED) \
                  FROM transactions t WHERE t.account_id = a.id), \
                 (SELECT CAST(COALESCE(SUM((t.amount & 4294967295) * t.appended), 0) AS SIGNED) \
                  FROM transactions t WHERE t.account_id = a.id) \
             FROM accounts a WHERE a.id = ?",
                &[request.account],
            )
            .await?;
        let held = |[
            column,
            opening_balance,
            upper_slots,
            lower_slots,
            upper,
            lower,
        ]: [i64; 6]| AccountBalance {
            balance: i128::from(column)
                + of_halves(upper_slots, lower_slots)
                + of_halves(upper, lower),
            opening_balance,
        };
        Ok(row.map(held))
    })
}

/// The number and the sum of all of the account's transactions.
#[track_caller]
pub(super) fn sum(
    s: &mut Session<'_>,
    request: &StatementRequest,
) -> impl Future<Output = Result<TransactionTotals, Fault>> {
    shared_work!(s, {
        let row = s
            .row(
                "sum up transactions",
                "SELECT CAST(COALESCE(SUM(amount & 4294967295), 0) AS SIGNED), \
                 CAST(COALESCE(SUM(amount >> 32), 0) AS SIGNED), COUNT(*) \
             FROM transactions WHERE account_id = ?",
                &[request.account],
            )
            .await?;
        let [lower, upper, transactions] = row.unwrap_or_default();
        Ok(TransactionTotals {
            transactions,
            sum: of_halves(upper, lower),
        })
    })
}

/// The newest of the account's transactions, at most as many as are asked for.
#[track_caller]
pub(super) fn latest(
    s: &mut Session<'_>,
    request: &StatementRequest,
) -> impl Future<Output = Result<Vec<Transaction>, Fault>> {
    shared_work!(s, {
        let rows = s
            .rows::<3>(
                "list transactions",
                "SELECT id, amount, created_at FROM transactions \
             WHERE account_id = ? ORDER BY id DESC LIMIT ?",
                &[request.account, request.limit],
            )
            .await?;
        let transaction = |row: [Option<i64>; 3]| {
            let [id, amount, created_at_us] = row.map(Option::unwrap_or_default);
            Transaction {
                id,
                amount,
                created_at_us,
            }
        };
        Ok(rows.into_iter().map(transaction).collect())
    })
}
