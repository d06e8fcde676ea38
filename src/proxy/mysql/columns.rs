//! The definitions of columns.

use super::bytes::{Bytes, NotUnderstood};
use super::capabilities::Capabilities;

/// The collation of what is no text.
const BINARY: u16 = 63;

/// The types whose names this module needs, by their numbers in the protocol.
pub(super) mod types {
    pub(crate) const DECIMAL: u8 = 0x00;
    pub(crate) const TINY: u8 = 0x01;
    pub(crate) const SHORT: u8 = 0x02;
    pub(crate) const LONG: u8 = 0x03;
    pub(crate) const FLOAT: u8 = 0x04;
    pub(crate) const DOUBLE: u8 = 0x05;
    pub(crate) const NULL: u8 = 0x06;
    pub(crate) const TIMESTAMP: u8 = 0x07;
    pub(crate) const LONGLONG: u8 = 0x08;
    pub(crate) const INT24: u8 = 0x09;
    pub(crate) const DATE: u8 = 0x0A;
    pub(crate) const TIME: u8 = 0x0B;
    pub(crate) const DATETIME: u8 = 0x0C;
    pub(crate) const YEAR: u8 = 0x0D;
    pub(crate) const NEWDATE: u8 = 0x0E;
    pub(crate) const BIT: u8 = 0x10;
    pub(crate) const VECTOR: u8 = 0xF2;
    pub(crate) const JSON: u8 = 0xF5;
    pub(crate) const NEWDECIMAL: u8 = 0xF6;
    pub(crate) const TINY_BLOB: u8 = 0xF9;
    pub(crate) const BLOB: u8 = 0xFC;
    pub(crate) const GEOMETRY: u8 = 0xFF;
}

/// The type of a column or an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueType {
    /// One of [`types`].
    pub(super) number: u8,
    pub(super) is_unsigned: bool,
    /// Whether a text is none: its bytes have no character set.
    pub(super) is_binary: bool,
    /// The digits after the point. More than 30 if they are not fixed.
    pub(super) decimals: u8,
    /// How many digits a number has at least.
    pub(super) zerofill: Option<u8>,
}

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) value_type: ValueType,
}

/// Reads one definition.
pub(super) fn read(payload: &[u8], agreed: Capabilities) -> Result<Column, NotUnderstood> {
    const UNSIGNED: u16 = 0x20;
    const ZEROFILL: u16 = 0x40;
    let mut bytes = Bytes::new(payload);
    // The catalog, the schema, and the table's name and original name.
    for _ in 0..4 {
        bytes.sized()?;
    }
    let name = String::from_utf8_lossy(bytes.sized()?).into_owned();
    bytes.sized()?;
    if agreed.has(Capabilities::EXTENDED_METADATA) {
        bytes.sized()?;
    }
    bytes.length()?;
    let collation = bytes.u16()?;
    let width = bytes.u32()?;
    let number = bytes.u8()?;
    let flags = bytes.u16()?;
    let decimals = bytes.u8()?;
    let width = u8::try_from(width).unwrap_or(u8::MAX);
    Ok(Column {
        name,
        value_type: ValueType {
            number,
            is_unsigned: flags & UNSIGNED != 0,
            is_binary: collation == BINARY,
            decimals,
            zerofill: (flags & ZEROFILL != 0).then_some(width),
        },
    })
}
