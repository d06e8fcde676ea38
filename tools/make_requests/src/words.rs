//! Texts and numbers of a service, made safe to print.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Text of the service's without anything that a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

pub(crate) fn printable_label<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    Ok(printable(&String::deserialize(deserializer)?))
}

pub(crate) fn number_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_i64())
}

pub(crate) fn printable_example<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let example: Option<String> = Deserialize::deserialize(deserializer)?;
    Ok(example.map(|text| printable(&text)))
}
