//! How much the clients of a service may take together.

use std::time::Duration;

/// How much the clients may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At most that many connections, beside a few that are kept for the keeper and for who asks
    /// about health.
    pub connections: usize,
    /// How many connections to the database are kept for the keeper and for who asks about health,
    /// beside those that deposits, orders and exports share; with 0, they share them too.
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
