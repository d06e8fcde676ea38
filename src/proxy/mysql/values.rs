//! Values of rows and arguments, as the servers' own clients show them.

use super::bytes::{Bytes, NotUnderstood};
use super::columns::{Column, ValueType, types};
use super::{floats, temporal};
use crate::answer::{Datum, DatumKind};
use crate::proxy::shown::of_bytes;

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

/// Whether this bit is set. Bits beyond the end are not.
pub(super) fn is_set(bits: &[u8], index: usize) -> bool {
    bits.get(index / 8)
        .is_some_and(|byte| byte >> (index % 8) & 1 == 1)
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
