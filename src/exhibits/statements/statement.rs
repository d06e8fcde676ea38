//! What a client asks for, and the statement that it reads.

use serde::Serialize;
use utoipa::ToSchema;

use super::queries::{AccountBalance, TransactionTotals};
use crate::accounts::Transaction;

/// Which statement is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementRequest {
    /// The account's number.
    pub account: i64,
    /// At most so many transactions are listed. The sums are of all of them.
    pub limit: i64,
}

/// An account's balance, and the transactions that should make it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Statement {
    /// What the account holds: its balance column, its slots, and the transactions that were only appended.
    #[schema(value_type = i128)]
    pub balance: i128,
    /// What it held at first.
    pub opening_balance: i64,
    /// How many transactions are on record, also those that are not listed.
    pub transactions: i64,
    /// What they amount to, also those that are not listed.
    #[schema(value_type = i128)]
    pub transactions_sum: i128,
    /// What the account should hold: the opening balance plus the sum.
    #[schema(value_type = i128)]
    pub expected: i128,
    /// Whether balance and expected are the same.
    pub balances: bool,
    /// Whether the listed transactions can be those that were summed up: they are as many, or as many as were
    /// wanted; and where all are listed, they amount to the same. Where not all are, one that was committed between
    /// the sum and the list goes unnoticed.
    pub list_agrees: bool,
    /// The newest transactions, the newest first.
    pub latest: Vec<Transaction>,
}

impl Statement {
    pub(super) fn new(
        wanted: &StatementRequest,
        held: AccountBalance,
        recorded: TransactionTotals,
        latest: Vec<Transaction>,
    ) -> Self {
        let expected = i128::from(held.opening_balance) + recorded.sum;
        let list_agrees = recorded.agrees_with(&latest, wanted.limit);
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
