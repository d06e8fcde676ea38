//! What a client asks for, and the statement that it reads.

use serde::Serialize;
use utoipa::ToSchema;

use super::queries::{AccountBalance, TransactionTotals};
use crate::accounts::Transaction;

/// What a client asks for: a statement of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementRequest {
    /// The account's number.
    pub account: i64,
    /// The largest number of transactions that are listed. The sums are of all transactions.
    pub limit: i64,
}

/// An account's balance, and the transactions that should make it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Statement {
    /// The balance: the balance column, the slots, and the transactions that were only appended.
    #[schema(value_type = i128)]
    pub balance: i128,
    /// The balance with which the account was opened.
    pub opening_balance: i64,
    /// The number of transactions, including those that are not listed.
    pub transactions: i64,
    /// The sum of all transactions, including those that are not listed.
    #[schema(value_type = i128)]
    pub transactions_sum: i128,
    /// The balance that the account should have: the opening balance plus the sum.
    #[schema(value_type = i128)]
    pub expected: i128,
    /// Whether the balance is the expected one.
    pub balances: bool,
    /// Whether the listed transactions can be those that were summed up. Their number must be the
    /// same, or the limit if there are more. If all are listed, their sum must be the same too. If
    /// not all are listed, a transaction that was committed between the sum and the list goes
    /// unnoticed.
    pub list_agrees: bool,
    /// The latest transactions, the newest first.
    pub latest: Vec<Transaction>,
}

impl Statement {
    pub(super) fn new(
        request: &StatementRequest,
        held: AccountBalance,
        recorded: TransactionTotals,
        latest: Vec<Transaction>,
    ) -> Self {
        let expected = i128::from(held.opening_balance) + recorded.sum;
        let list_agrees = recorded.agrees_with(&latest, request.limit);
        Self {
            balance: held.balance,
            opening_balance: held.opening_balance,
            transactions: recorded.transactions,
            transactions_sum: recorded.sum,
            expected,
            balances: held.balance == expected,
            list_agrees,
            latest,
        }
    }
}
