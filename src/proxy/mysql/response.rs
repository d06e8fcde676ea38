//! The client's answer to the greeting.

use super::bytes::{Bytes, NotUnderstood};
use super::capabilities::Capabilities;
use super::greeting::{Greeting, overwrite};

/// The fields before the user's name. A packet that ends after them asks for TLS.
const FIXED: usize = 32;

/// Where MariaDB's own capabilities are.
const MARIADB_AT: usize = 28;

/// The client's first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) enum ClientHello {
    /// The client begins TLS, although the greeting did not offer it.
    TlsRequest,
    /// The client will compress what it sends, although the greeting did not offer it.
    CompressionRequest,
    /// The client says who it is.
    Response(Response),
}

impl ClientHello {
    /// Reads the answer to a greeting. `shown` is the greeting as the client saw it.
    pub(in crate::proxy) fn read(payload: &[u8], shown: &Greeting) -> Result<Self, NotUnderstood> {
        let asked = asked(payload)?;
        let compresses = asked.has(Capabilities::COMPRESS | Capabilities::ZSTD);
        if payload.len() == FIXED && asked.has(Capabilities::SSL) {
            Ok(Self::TlsRequest)
        } else if compresses
            && !shown
                .capabilities
                .has(Capabilities::COMPRESS | Capabilities::ZSTD)
        {
            Ok(Self::CompressionRequest)
        } else {
            let capabilities = asked & shown.capabilities;
            let mut bytes = Bytes::new(payload);
            bytes.take(FIXED)?;
            let database = database(bytes, capabilities).unwrap_or_default();
            Ok(Self::Response(Response {
                capabilities,
                database,
            }))
        }
    }
}

/// What a client asked for. It holds no name and no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Response {
    /// What holds on this connection: what the greeting offered and the client asked for.
    pub(in crate::proxy) capabilities: Capabilities,
    /// The database that the connection begins in.
    pub(in crate::proxy) database: Option<String>,
}

impl Response {
    /// The client's payload, as it goes to the server: without these capabilities.
    ///
    /// Some clients ask for what the greeting did not offer, and then work without it. The server,
    /// which does offer it, would expect it: TLS, for instance.
    pub(in crate::proxy) fn without(
        payload: &[u8],
        hidden: Capabilities,
    ) -> Result<Vec<u8>, NotUnderstood> {
        let asked = asked(payload)?;
        let kept = asked.without(hidden);
        let mut changed = payload.to_vec();
        overwrite(&mut changed, 0, &kept.lower().to_le_bytes());
        if has_mariadb_fields(asked) {
            overwrite(&mut changed, MARIADB_AT, &kept.upper().to_le_bytes());
        }
        Ok(changed)
    }
}

/// The capabilities that the client set.
fn asked(payload: &[u8]) -> Result<Capabilities, NotUnderstood> {
    let mut bytes = Bytes::new(payload);
    let common = Capabilities(u64::from(bytes.u32()?));
    if !common.has(Capabilities::PROTOCOL_41) {
        let complaint = "the client speaks the protocol of before MySQL 4.1";
        return Err(NotUnderstood(complaint.to_owned()));
    }
    bytes.take(MARIADB_AT - 4)?;
    let upper = bytes.u32()?;
    Ok(if has_mariadb_fields(common) {
        common | Capabilities(u64::from(upper) << 32)
    } else {
        common
    })
}

/// Whether the last of the fixed fields are MariaDB's own capabilities, and not a filler.
fn has_mariadb_fields(asked: Capabilities) -> bool {
    !asked.has(Capabilities::MYSQL)
}

/// The database's name, which follows the user's name and the proof of the password.
fn database(
    mut bytes: Bytes<'_>,
    capabilities: Capabilities,
) -> Result<Option<String>, NotUnderstood> {
    if !capabilities.has(Capabilities::CONNECT_WITH_DB) {
        return Ok(None);
    }
    bytes.until_zero()?;
    if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC) {
        bytes.sized()?;
    } else if capabilities.has(Capabilities::SECURE_CONNECTION) {
        let length = bytes.u8()?;
        bytes.take(usize::from(length))?;
    } else {
        bytes.until_zero()?;
    }
    // The zero may be missing if the name is the last field.
    let name = bytes.until_zero().unwrap_or(bytes.rest());
    let name = String::from_utf8_lossy(name).into_owned();
    Ok((!name.is_empty()).then_some(name))
}
