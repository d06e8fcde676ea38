//! Values of rows and arguments, as the servers' own clients show them.

use super::bytes::{Bytes, NotUnderstood};
use super::columns::{Column, ValueType, types};
use super::{floats, temporal};
use crate::answer::{Datum, DatumKind};

/// A value is cut after this number of bytes.
pub(in crate::proxy) const MOST_BYTES: usize = 1024;

/// What stands for the rest of a text that was cut.
const ELLIPSIS: char = '…';

/// The first byte of a value of the text protocol that is NULL.
const NULL: u8 = 0xFB;

/// The bits before that of a binary row's first column.
const ROW_OFFSET: usize = 2;

/// Decodes a row of the text protocol.
pub(super) fn text_row(payload: &[u8], columns: &[Column]) -> Result<Vec<Datum>, NotUnderstood> {
    let mut bytes = Bytes::new(payload);
    let mut row = Vec::with_capacity(columns.len());
    for column in columns {
        row.push(if bytes.rest().first() == Some(&NULL) {
            bytes.u8()?;
            Datum::Null
        } else {
            of_bytes(bytes.sized()?, kind(column.value_type))
        });
    }
    whole(&bytes, row)
}

/// Decodes a row of the binary protocol.
pub(super) fn binary_row(payload: &[u8], columns: &[Column]) -> Result<Vec<Datum>, NotUnderstood> {
    let mut bytes = Bytes::new(payload);
    if bytes.u8()? != 0 {
        let complaint = "a row of the binary protocol does not begin with zero";
        return Err(NotUnderstood(complaint.to_owned()));
    }
    let nulls = bytes.take((columns.len() + ROW_OFFSET).div_ceil(8))?;
    let mut row = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        row.push(if is_set(nulls, index + ROW_OFFSET) {
            Datum::Null
        } else {
            binary(&mut bytes, column.value_type)?
        });
    }
    whole(&bytes, row)
}

/// Decodes one value of the binary protocol.
pub(super) fn binary(bytes: &mut Bytes<'_>, of: ValueType) -> Result<Datum, NotUnderstood> {
    let text = match of.number {
        types::NULL => return Ok(Datum::Null),
        types::TINY => match (bytes.u8()?, of.is_unsigned) {
            (value, true) => value.to_string(),
            (value, false) => value.cast_signed().to_string(),
        },
        types::SHORT | types::YEAR => match (bytes.u16()?, of.is_unsigned) {
            (value, true) => value.to_string(),
            (value, false) => value.cast_signed().to_string(),
        },
        types::LONG | types::INT24 => match (bytes.u32()?, of.is_unsigned) {
            (value, true) => value.to_string(),
            (value, false) => value.cast_signed().to_string(),
        },
        types::LONGLONG => match (bytes.u64()?, of.is_unsigned) {
            (value, true) => value.to_string(),
            (value, false) => value.cast_signed().to_string(),
        },
        types::FLOAT => floats::float(f32::from_bits(bytes.u32()?), of.decimals),
        types::DOUBLE => floats::double(f64::from_bits(bytes.u64()?), of.decimals),
        types::DATE | types::NEWDATE => temporal::date(bytes)?,
        types::TIME => temporal::time(bytes, of.decimals)?,
        types::DATETIME | types::TIMESTAMP => temporal::datetime(bytes, of.decimals)?,
        _ => return Ok(of_bytes(bytes.sized()?, kind(of))),
    };
    let width = usize::from(of.zerofill.unwrap_or_default());
    Ok(Datum::Value {
        text: format!("{text:0>width$}"),
        kind: kind(of),
    })
}

/// How a value of this type is written.
pub(super) fn kind(of: ValueType) -> DatumKind {
    let typed = |name: &str| DatumKind::Typed(name.to_owned());
    match of.number {
        types::DECIMAL..=types::DOUBLE
        | types::LONGLONG
        | types::INT24
        | types::YEAR
        | types::NEWDECIMAL => DatumKind::Number,
        types::DATE | types::NEWDATE => typed("date"),
        types::TIME => typed("time"),
        types::DATETIME => typed("datetime"),
        types::TIMESTAMP => typed("timestamp"),
        types::JSON => typed("json"),
        types::BIT | types::GEOMETRY | types::VECTOR => DatumKind::Bytes,
        _ if of.is_binary => DatumKind::Bytes,
        _ => DatumKind::Text,
    }
}

/// A value of these bytes. Those that are no text are shown as hexadecimal digits.
pub(super) fn of_bytes(bytes: &[u8], kind: DatumKind) -> Datum {
    let (start, was_cut) = match bytes.get(..MOST_BYTES) {
        Some(start) if bytes.len() > MOST_BYTES => (start, true),
        _ => (bytes, false),
    };
    let text = if kind == DatumKind::Bytes {
        None
    } else {
        text_of(start, was_cut)
    };
    let (mut text, kind) = match text {
        Some(text) => (text.to_owned(), kind),
        None => (hexadecimal(start), DatumKind::Bytes),
    };
    if was_cut {
        text.push(ELLIPSIS);
    }
    Datum::Value { text, kind }
}

/// The longest beginning of a text within this number of bytes. A cut one ends with an ellipsis.
pub(super) fn shortened(bytes: &[u8], most: usize) -> String {
    match bytes.get(..most) {
        Some(start) if bytes.len() > most => {
            let start = text_of(start, true).map_or(start, str::as_bytes);
            let mut text = String::from_utf8_lossy(start).into_owned();
            text.push(ELLIPSIS);
            text
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Whether this bit is set. Bits beyond the end are not.
pub(super) fn is_set(bits: &[u8], index: usize) -> bool {
    bits.get(index / 8)
        .is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

/// The text of these bytes. The last character is left out if it was cut.
fn text_of(bytes: &[u8], was_cut: bool) -> Option<&str> {
    match str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if was_cut && error.error_len().is_none() => bytes
            .get(..error.valid_up_to())
            .and_then(|whole| str::from_utf8(whole).ok()),
        Err(_) => None,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The row, if nothing follows its last value.
fn whole(bytes: &Bytes<'_>, row: Vec<Datum>) -> Result<Vec<Datum>, NotUnderstood> {
    if bytes.is_empty() {
        Ok(row)
    } else {
        let complaint = format!("a row is longer than its {} columns", row.len());
        Err(NotUnderstood(complaint))
    }
}
