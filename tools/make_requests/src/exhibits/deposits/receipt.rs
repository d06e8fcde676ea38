//! What one deposit was answered with.

use serde::Deserialize;

use crate::receipt::Product;
use crate::words::or_empty;

/// A deposit that was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Deposit {
    pub(super) amount: i64,
    /// The balance from which the new one was computed.
    #[serde(default)]
    pub(super) balance_read: Option<i64>,
    #[serde(default)]
    pub(super) balance_written: Option<i64>,
}

impl Product for Deposit {
    fn title(&self) -> String {
        format!("deposits {}", self.amount)
    }

    fn csv_fields(&self) -> [String; 2] {
        [or_empty(self.balance_read), or_empty(self.balance_written)]
    }
}
