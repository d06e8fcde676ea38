//! What the server says while it authenticates a client.

use super::reply::ServerError;

/// How far an authentication is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) enum AuthProgress {
    /// Both sides may send.
    GoesOn,
    /// The client is in, and the server waits for its first message.
    Done,
    /// The server refuses the client and ends the connection.
    Refused(ServerError),
}
