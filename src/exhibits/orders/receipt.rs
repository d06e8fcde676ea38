//! What a client is told about an order that was written.

use super::OrderId;

/// What a strategy says of an order that it has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the order is known by; none where the strategy cannot learn it.
    pub order: Option<OrderId>,
    /// How often it was tried, this last time included.
    pub attempts: u32,
}

impl Receipt {
    /// An order that was written at the first try.
    pub(super) fn at_first_try(order: impl Into<OrderId>) -> Self {
        Self {
            order: Some(order.into()),
            attempts: 1,
        }
    }
}
