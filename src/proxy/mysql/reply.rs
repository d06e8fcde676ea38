//! The short packets of a server: OK, EOF and ERR.

use super::bytes::{Bytes, NotUnderstood};
use super::capabilities::StatusFlags;

/// An ERR packet with this code is MariaDB's report of progress. The answer goes on.
const PROGRESS: u16 = 0xFFFF;

/// An error that a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct ServerError {
    /// The server's own code: `1213`.
    pub(in crate::proxy) code: u16,
    /// The SQLSTATE: `40001`. `None` before the authentication.
    pub(in crate::proxy) state: Option<String>,
    /// The server's message.
    pub(in crate::proxy) message: String,
}

/// What an OK packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OkPacket {
    pub(super) affected_rows: u64,
    pub(super) last_insert_id: u64,
    pub(super) flags: StatusFlags,
}

/// What an ERR packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ErrPacket {
    Error(ServerError),
    Progress,
}

pub(super) fn is_ok(payload: &[u8]) -> bool {
    payload.first() == Some(&0x00)
}

pub(super) fn is_err(payload: &[u8]) -> bool {
    payload.first() == Some(&0xFF)
}

/// Whether this is an EOF packet as every server of MySQL 4.1 sends it.
pub(super) fn is_eof(payload: &[u8]) -> bool {
    payload.first() == Some(&0xFE) && payload.len() < 9
}

/// Reads an OK packet, whatever its first byte is.
pub(super) fn read_ok(payload: &[u8]) -> Result<OkPacket, NotUnderstood> {
    let mut bytes = Bytes::new(payload);
    bytes.u8()?;
    Ok(OkPacket {
        affected_rows: bytes.length()?,
        last_insert_id: bytes.length()?,
        flags: StatusFlags(bytes.u16()?),
    })
}

/// Reads the flags of a packet that begins with 0xFE: an EOF packet, or an OK packet in its place.
///
/// Some servers send an EOF packet, of five bytes, to clients that agreed to do without.
pub(super) fn read_end(payload: &[u8]) -> Result<StatusFlags, NotUnderstood> {
    if payload.len() == 5 {
        let mut bytes = Bytes::new(payload);
        bytes.take(3)?;
        Ok(StatusFlags(bytes.u16()?))
    } else {
        read_ok(payload).map(|ok| ok.flags)
    }
}

pub(super) fn read_err(payload: &[u8]) -> Result<ErrPacket, NotUnderstood> {
    let mut bytes = Bytes::new(payload);
    bytes.u8()?;
    let code = bytes.u16()?;
    if code == PROGRESS {
        return Ok(ErrPacket::Progress);
    }
    let state = if bytes.rest().first() == Some(&b'#') {
        let state = bytes.take(6)?.get(1..).unwrap_or_default();
        Some(String::from_utf8_lossy(state).into_owned())
    } else {
        None
    };
    Ok(ErrPacket::Error(ServerError {
        code,
        state,
        message: String::from_utf8_lossy(bytes.rest()).into_owned(),
    }))
}
