//! Which deposits a run makes.

use crate::amount::Amount;
use crate::strategy::Strategy;

/// Deposits by one strategy into one account.
#[derive(Debug, Clone)]
pub struct Deposits {
    /// The endpoint below `/demo/`.
    pub strategy: Strategy,
    /// The account that every deposit goes to.
    pub account: i64,
    /// What each deposit adds to the account.
    pub amount: Amount,
    /// Whether a deposit is sent again if its answer does not come in time.
    pub retry_timeouts: bool,
    /// Whether each deposit has a key (`Idempotency-Key`), the same each time it is sent.
    pub idempotency: bool,
}
