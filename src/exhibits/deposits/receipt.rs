//! What a client is told about a deposit that was made.

use serde::Serialize;
use utoipa::ToSchema;

/// What a strategy reports about a deposit that it has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipt {
    /// The balance that was read; null if the strategy reads none.
    pub balance_read: Option<i64>,
    /// The balance that was written; null if the strategy writes none.
    pub balance_written: Option<i64>,
    /// How many attempts were made, the successful one included.
    pub attempts: u32,
    /// Its place in its batch, if the strategy commits several deposits together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Place>,
}

/// A deposit's place in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Place {
    /// From 1.
    pub number: u32,
    /// How many deposits were committed together.
    pub of: u32,
}

impl Receipt {
    /// The receipt of a first attempt.
    pub fn at_first_try(balance_read: i64, balance_written: i64) -> Self {
        Self {
            balance_read: Some(balance_read),
            balance_written: Some(balance_written),
            attempts: 1,
            batch: None,
        }
    }

    /// The receipt of a first attempt, by a strategy that does not know what the account holds.
    pub fn without_a_balance() -> Self {
        Self {
            balance_read: None,
            balance_written: None,
            attempts: 1,
            batch: None,
        }
    }
}
