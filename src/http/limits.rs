//! What the clients of a service may take together.

use std::time::Duration;

/// What the clients may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most connections of clients. A few more are kept for the keeper, health and metrics.
    pub connections: usize,
    /// How many connections to the database are kept for the keeper, health and metrics. Deposits,
    /// orders and exports share the others. With 0, all share all.
    pub kept_database_connections: u32,
    /// How long a client may read nothing of its answer before its connection is closed.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            kept_database_connections: 0,
            write_timeout: Duration::from_secs(30),
        }
    }
}
