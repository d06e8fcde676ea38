//! The limits of all clients together.

use std::time::Duration;

/// The limits of all clients together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections clients may have, at most. A few more are reserved for the keeper,
    /// health and metrics.
    pub connections: usize,
    /// How many connections to the database are kept for the keeper, health and metrics. The
    /// strategies share the others. With 0, all requests share all connections.
    pub kept_database_connections: u32,
    /// How long a client may read nothing of its answer. After that its connection is closed.
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
