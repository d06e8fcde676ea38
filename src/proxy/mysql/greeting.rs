//! The server's first packet.

use super::bytes::{Bytes, NotUnderstood};
use super::capabilities::{Capabilities, Status, StatusFlags};
use super::reply::{ErrPacket, ServerError, is_err, read_err};

/// The version of the handshake that all servers since MySQL 3.21 speak.
const VERSION: u8 = 10;

/// The bytes between the version's text and the capabilities: the connection's id, eight bytes of
/// the scramble and a zero.
const BEFORE_CAPABILITIES: usize = 13;

/// How the upper bytes of the capabilities lie behind the lowest two.
const UPPER_BYTES: usize = 5;

/// How MariaDB's own capabilities lie behind the lowest two bytes.
const MARIADB_BYTES: usize = 14;

/// What a server says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) enum ServerHello {
    /// It asks the client who it is.
    Greeting(Greeting),
    /// It refuses the connection: too many connections, or a blocked host. Then it ends it.
    Refused(ServerError),
}

impl ServerHello {
    /// Reads the first packet of a server.
    pub(in crate::proxy) fn read(payload: &[u8]) -> Result<Self, NotUnderstood> {
        if !is_err(payload) {
            return Greeting::read(payload).map(Self::Greeting);
        }
        match read_err(payload)? {
            ErrPacket::Error(error) => Ok(Self::Refused(error)),
            ErrPacket::Progress => Err(NotUnderstood("progress before a greeting".to_owned())),
        }
    }
}

/// The server's greeting. It holds no scramble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Greeting {
    /// The connection's id, as `CONNECTION_ID()` and the process list show it.
    pub(in crate::proxy) connection: u32,
    /// The server's version as it says it: `9.7.4-2`, `5.5.5-10.11.19-MariaDB-0+deb12u1`.
    pub(in crate::proxy) version: String,
    /// Whether the server is MariaDB.
    pub(in crate::proxy) is_mariadb: bool,
    /// What the server offers.
    pub(in crate::proxy) capabilities: Capabilities,
    /// The state of a new session.
    pub(in crate::proxy) status: Status,
}

impl Greeting {
    /// Reads a greeting: the server's own, or the one that [`without`](Self::without) returned.
    pub(in crate::proxy) fn read(payload: &[u8]) -> Result<Self, NotUnderstood> {
        let mut bytes = Bytes::new(payload);
        let handshake = bytes.u8()?;
        if handshake != VERSION {
            let complaint =
                format!("the server's handshake has version {handshake}, not {VERSION}");
            return Err(NotUnderstood(complaint));
        }
        let version = String::from_utf8_lossy(bytes.until_zero()?).into_owned();
        let connection = bytes.u32()?;
        bytes.take(BEFORE_CAPABILITIES - 4)?;
        let low = bytes.u16()?;
        bytes.u8()?;
        let flags = StatusFlags(bytes.u16()?);
        let high = bytes.u16()?;
        let common = Capabilities(u64::from(low) | u64::from(high) << 16);
        bytes.take(7)?;
        let capabilities = if common.has(Capabilities::MYSQL) {
            common
        } else {
            common | Capabilities(u64::from(bytes.u32()?) << 32)
        };
        Ok(Self {
            connection,
            is_mariadb: !common.has(Capabilities::MYSQL) || version.contains("MariaDB"),
            version,
            capabilities,
            status: flags.into(),
        })
    }

    /// The greeting that does not offer these capabilities. It is as long as the server's own.
    pub(in crate::proxy) fn without(
        payload: &[u8],
        hidden: Capabilities,
    ) -> Result<Vec<u8>, NotUnderstood> {
        let greeting = Self::read(payload)?;
        let shown = greeting.capabilities.without(hidden);
        let version = payload.iter().position(|byte| *byte == 0);
        let at = version.unwrap_or_default() + 1 + BEFORE_CAPABILITIES;
        let [low, second, third, high] = shown.lower().to_le_bytes();
        let mut changed = payload.to_vec();
        overwrite(&mut changed, at, &[low, second]);
        overwrite(&mut changed, at + UPPER_BYTES, &[third, high]);
        if !greeting.capabilities.has(Capabilities::MYSQL) {
            overwrite(
                &mut changed,
                at + MARIADB_BYTES,
                &shown.upper().to_le_bytes(),
            );
        }
        Ok(changed)
    }
}

/// Replaces the bytes at this place, if the payload reaches that far.
pub(super) fn overwrite(payload: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = payload.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
