//! Texts that are safe and pleasant to print.

use serde::{Deserialize, Deserializer};

/// A service's text without the control characters that a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Deserializes a text and makes it printable.
pub(crate) fn printable_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    Ok(printable(&String::deserialize(deserializer)?))
}

/// Deserializes a text or `null` and makes the text printable.
pub(crate) fn printable_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text: Option<String> = Deserialize::deserialize(deserializer)?;
    Ok(text.map(|text| printable(&text)))
}

/// A number with its noun, as in `1 deposit` or `3 deposits`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A value, or the words that say that it is not known.
pub(crate) fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "not known".to_owned(), |value| value.to_string())
}

/// A value, or an empty text.
pub(crate) fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
