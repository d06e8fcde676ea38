//! Values and texts as they are shown: as texts or hexadecimal digits, and a long one in part.

use crate::answer::{Datum, DatumKind};

/// A value is cut after this number of bytes.
pub(super) const MOST_BYTES: usize = 1024;

/// A statement's text is cut after this number of bytes.
pub(super) const MOST_TEXT: usize = 64 * 1024;

/// What stands for the rest of a text that was cut.
const ELLIPSIS: char = '…';

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

/// Whether the end of a text is missing. What is cut has this length, or a little less if its last
/// character was cut, and an ellipsis.
pub(super) fn is_cut(text: &str, most: usize) -> bool {
    text.ends_with(ELLIPSIS) && text.len() > most - ELLIPSIS.len_utf8()
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

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
