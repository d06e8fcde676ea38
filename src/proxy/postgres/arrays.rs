//! Arrays of the binary format.

use super::bytes::{Bytes, NotUnderstood};
use super::types::is_array_of;
use crate::proxy::shown::MOST_BYTES;

/// PostgreSQL's arrays have at most this number of dimensions.
const MOST_DIMENSIONS: u32 = 6;

/// Reads a value of this type.
type ReadElement = fn(&[u8], u32) -> Option<String>;

/// An array as PostgreSQL writes it: `{1,NULL,3}`. `None` if it is none of this type, or if its
/// elements cannot be read. The text of a long one ends somewhere beyond the most that is shown.
pub(super) fn text(
    bytes: &mut Bytes<'_>,
    of: u32,
    read: ReadElement,
) -> Result<Option<String>, NotUnderstood> {
    let dimensions = bytes.u32()?;
    // Whether there are nulls, which each element says as well.
    bytes.u32()?;
    let element = bytes.u32()?;
    if dimensions > MOST_DIMENSIONS || !is_array_of(of, element) {
        return Ok(None);
    }
    let mut sizes = Vec::new();
    for _ in 0..dimensions {
        sizes.push(bytes.u32()?);
        // The number of the first element.
        bytes.u32()?;
    }
    let mut text = String::new();
    if sizes.is_empty() || sizes.contains(&0) {
        text.push_str("{}");
        return Ok(Some(text));
    }
    let is_known = write(bytes, &sizes, &mut text, &|value| read(value, element))?;
    Ok(is_known.then_some(text))
}

/// Writes the elements of these dimensions. False if one cannot be read.
fn write(
    bytes: &mut Bytes<'_>,
    sizes: &[u32],
    text: &mut String,
    read: &impl Fn(&[u8]) -> Option<String>,
) -> Result<bool, NotUnderstood> {
    let Some((size, inner)) = sizes.split_first() else {
        let Some(value) = bytes.sized()? else {
            text.push_str("NULL");
            return Ok(true);
        };
        let Some(value) = read(value) else {
            return Ok(false);
        };
        push_element(text, &value);
        return Ok(true);
    };
    text.push('{');
    for index in 0..*size {
        if index > 0 {
            text.push(',');
        }
        if text.len() > MOST_BYTES {
            // It is cut before its end. What is left is not read.
            bytes.take_all();
            break;
        }
        if !write(bytes, inner, text, read)? {
            return Ok(false);
        }
    }
    text.push('}');
    Ok(true)
}

/// Appends an element, in quotes if it would be read as something else without.
fn push_element(text: &mut String, value: &str) {
    let is_plain = !value.is_empty()
        && !value.eq_ignore_ascii_case("NULL")
        && !value.contains(|it: char| matches!(it, '{' | '}' | ',' | '"' | '\\') || is_space(it));
    if is_plain {
        text.push_str(value);
    } else {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        text.push('"');
        text.push_str(&escaped);
        text.push('"');
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0B' | '\x0C')
}
