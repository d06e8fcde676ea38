//! What a client is told about an order that was written.

use super::OrderId;

/// What a strategy reports about an order that it has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The order's number or UUID. None if the strategy cannot learn it.
    pub order: Option<OrderId>,
    /// How many attempts were made, the successful one included.
    pub attempts: u32,
}

impl Receipt {
    /// The receipt of a first attempt.
    pub(super) fn at_first_try(order: impl Into<OrderId>) -> Self {
        Self {
            order: Some(order.into()),
            attempts: 1,
        }
    }
}
