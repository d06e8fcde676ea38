//! Who has taken copies, and when: the beginning of the note that is kept with them.

use serde::{Deserialize, Serialize};

/// When the copies were taken, and by which process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The server's time in UTC.
    pub(super) taken_at: String,
    /// Its number on the machine that it ran on.
    pub(super) process: u32,
    /// The user that it was for the server.
    pub(super) user: String,
}
