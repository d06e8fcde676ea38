//! What the server says while it authenticates a client.

use super::capabilities::Status;
use super::packet::Packet;
use super::reply::{ErrPacket, ServerError, is_err, is_ok, read_err, read_ok};

/// How far an authentication is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) enum AuthProgress {
    /// Both sides may send.
    GoesOn,
    /// The client is in. It sends the next packet.
    Done(Status),
    /// The server refuses the client and ends the connection.
    Refused(ServerError),
}

/// Reads one packet of the server. The client's packets tell nothing.
///
/// All that is neither OK nor ERR belongs to an authentication plugin: a switch to another plugin
/// (`FE`), its data (`01`, or anything from MariaDB), or the next factor (`02`).
pub(super) fn watch(packet: &Packet) -> AuthProgress {
    let payload = packet.payload.as_slice();
    if is_ok(payload) {
        match read_ok(payload) {
            Ok(ok) => AuthProgress::Done(ok.flags.into()),
            Err(_) => AuthProgress::GoesOn,
        }
    } else if is_err(payload) {
        match read_err(payload) {
            Ok(ErrPacket::Error(error)) => AuthProgress::Refused(error),
            Ok(ErrPacket::Progress) | Err(_) => AuthProgress::GoesOn,
        }
    } else {
        AuthProgress::GoesOn
    }
}
