//! What every audit of a service consists of.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::words::{printable_option, printable_text};

/// A number or a name that the service gave to something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged)]
pub(crate) enum Id {
    Number(Number),
    /// For example a UUID.
    Text(#[serde(deserialize_with = "printable_text")] String),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Something that an audit looked for, and how often it was found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Anomaly {
    /// Its name, e.g. `duplicate_number`.
    #[serde(deserialize_with = "printable_text")]
    pub name: String,
    /// How often it was found.
    pub count: u64,
    /// One occurrence, described in a sentence.
    #[serde(default, deserialize_with = "printable_option")]
    pub example: Option<String>,
}

impl Anomaly {
    /// Whether it was found and is wrong. Skipped numbers and orders that still wait are counted
    /// too, but they are not wrong.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.count > 0 && !matches!(self.name.as_str(), "gap" | "never_shipped")
    }

    /// The name with spaces.
    pub(crate) fn in_words(&self) -> String {
        self.name.replace('_', " ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anomaly(name: &str, count: u64) -> Anomaly {
        Anomaly {
            name: name.to_owned(),
            count,
            example: None,
        }
    }

    #[test]
    fn a_gap_is_not_wrong() {
        assert!(anomaly("duplicate_number", 1).is_wrong());
        assert!(!anomaly("duplicate_number", 0).is_wrong());
        assert!(!anomaly("gap", 1).is_wrong());
    }

    #[test]
    fn an_id_is_a_number_or_a_text() {
        let ids: Vec<Id> = serde_json::from_str(r#"[17, 18446744073709551615, "0199-a"]"#).unwrap();
        let texts: Vec<_> = ids.iter().map(Id::to_string).collect();
        assert_eq!(texts, ["17", "18446744073709551615", "0199-a"]);
    }
}
