//! Values of rows and arguments, as PostgreSQL's own client shows them.

use super::bytes::{Bytes, NotUnderstood};
use super::types::{self, kind};
use super::{arrays, numbers, temporal};
use crate::answer::{Datum, DatumKind};
use crate::proxy::shown::{MOST_BYTES, hexadecimal, of_bytes, shortened};

/// The encoding of values: one for all, one for each, or none if all are texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Formats(pub(super) Vec<u16>);

impl Formats {
    const BINARY: u16 = 1;

    /// Whether the value at this place is in the binary format of its type.
    pub(super) fn is_binary(&self, index: usize) -> bool {
        let format = match self.0.as_slice() {
            [all] => Some(all),
            each => each.get(index),
        };
        format == Some(&Self::BINARY)
    }
}

/// Decodes a value that is not NULL.
pub(super) fn value(bytes: &[u8], of: u32, is_binary: bool) -> Datum {
    if !is_binary {
        return of_text(bytes, of);
    }
    match of {
        types::BYTEA => of_bytes(bytes, DatumKind::Bytes),
        // It may be long, and is the same in both formats.
        _ if is_text(of) => of_bytes(bytes, kind(of)),
        types::JSONB => of_bytes(bytes.get(1..).unwrap_or_default(), kind(of)),
        _ => match binary_text(bytes, of) {
            Some(text) => of_bytes(text.as_bytes(), kind(of)),
            None => of_bytes(bytes, DatumKind::Bytes),
        },
    }
}

/// Decodes a value in the text format.
fn of_text(bytes: &[u8], of: u32) -> Datum {
    match bytes.strip_prefix(b"\\x") {
        Some(digits) if of == types::BYTEA && digits.iter().all(u8::is_ascii_hexdigit) => {
            Datum::Value {
                text: shortened(digits, 2 * MOST_BYTES),
                kind: DatumKind::Bytes,
            }
        }
        _ => of_bytes(bytes, kind(of)),
    }
}

/// The text of a value in the binary format. `None` if it cannot be read.
fn binary_text(bytes: &[u8], of: u32) -> Option<String> {
    let mut rest = Bytes::new(bytes);
    let text = read_binary(&mut rest, bytes, of).ok()??;
    (rest.is_empty() || is_text(of) || of == types::BYTEA).then_some(text)
}

fn read_binary(
    rest: &mut Bytes<'_>,
    whole: &[u8],
    of: u32,
) -> Result<Option<String>, NotUnderstood> {
    Ok(Some(match of {
        types::BOOL => if rest.u8()? == 0 { "f" } else { "t" }.to_owned(),
        types::INT2 => rest.i16()?.to_string(),
        types::INT4 => rest.i32()?.to_string(),
        types::INT8 => rest.i64()?.to_string(),
        types::OID => rest.u32()?.to_string(),
        types::FLOAT4 => numbers::float4(f32::from_bits(rest.u32()?)),
        types::FLOAT8 => numbers::float8(f64::from_be_bytes(rest.array()?)),
        types::NUMERIC => numbers::numeric(rest)?,
        types::DATE => temporal::date(rest.i32()?),
        types::TIME => temporal::time(rest.i64()?),
        types::TIMETZ => temporal::timetz(rest.i64()?, rest.i32()?),
        types::TIMESTAMP => temporal::timestamp(rest.i64()?, ""),
        // The server sends it in universal time, whatever the session's zone is.
        types::TIMESTAMPTZ => temporal::timestamp(rest.i64()?, "+00"),
        types::INTERVAL => temporal::interval(rest.i64()?, rest.i32()?, rest.i32()?),
        types::UUID => uuid(&rest.array()?),
        types::JSONB => {
            // The version of the format, which is always 1.
            rest.u8()?;
            let text = rest.take(whole.len() - 1)?;
            return Ok(str::from_utf8(text).ok().map(str::to_owned));
        }
        types::BYTEA => format!("\\x{}", hexadecimal(whole)),
        _ if is_text(of) => return Ok(str::from_utf8(whole).ok().map(str::to_owned)),
        _ => return arrays::text(rest, of, binary_text),
    }))
}

/// Whether both formats of the type are the same.
fn is_text(of: u32) -> bool {
    matches!(
        of,
        types::CHAR
            | types::NAME
            | types::TEXT
            | types::JSON
            | types::XML
            | types::UNKNOWN
            | types::BPCHAR
            | types::VARCHAR
    )
}

fn uuid(bytes: &[u8; 16]) -> String {
    let mut digits = hexadecimal(bytes);
    for at in [20, 16, 12, 8] {
        digits.insert(at, '-');
    }
    digits
}
