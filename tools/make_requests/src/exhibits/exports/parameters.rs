//! Which exports a run makes.

use crate::strategy::Strategy;

/// Exports of one account by one strategy.
#[derive(Debug, Clone)]
pub struct Exports {
    /// The endpoint below `/exports/`.
    pub strategy: Strategy,
    /// The account whose transactions are exported.
    pub account: i64,
}
