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

/// What audits count and what is not wrong.
const NOT_WRONG: [&str; 4] = ["gap", "never_shipped", "broken_lineage", "orphan_files"];

impl Anomaly {
    /// Whether it was found and is wrong. Some things are counted too, but are not wrong: skipped
    /// numbers, orders that still wait, and the files that appends leave that came too late.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.count > 0 && !NOT_WRONG.contains(&self.name.as_str())
    }

    /// These anomalies, each with how often it was found since an earlier audit.
    pub(crate) fn since(now: &[Self], before: &[Self]) -> Vec<Self> {
        let earlier = |name: &str| {
            let anomaly = before.iter().find(|anomaly| anomaly.name == name);
            anomaly.map_or(0, |anomaly| anomaly.count)
        };
        let since = |anomaly: &Self| Self {
            count: anomaly.count.saturating_sub(earlier(&anomaly.name)),
            ..anomaly.clone()
        };
        now.iter().map(since).collect()
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
        assert!(!anomaly("orphan_files", 1).is_wrong());
    }

    #[test]
    fn only_new_anomalies_are_counted() {
        let before = [anomaly("gap", 1), anomaly("duplicate_number", 1)];
        let now = [anomaly("duplicate_number", 3), anomaly("mixed_order", 2)];
        let counts = |it: &[Anomaly]| it.iter().map(|it| it.count).collect::<Vec<_>>();
        assert_eq!(counts(&Anomaly::since(&now, &before)), [2, 2]);
        assert_eq!(counts(&Anomaly::since(&before, &now)), [1, 0]);
    }

    #[test]
    fn an_id_is_a_number_or_a_text() {
        let ids: Vec<Id> = serde_json::from_str(r#"[17, 18446744073709551615, "0199-a"]"#).unwrap();
        let texts: Vec<_> = ids.iter().map(Id::to_string).collect();
        assert_eq!(texts, ["17", "18446744073709551615", "0199-a"]);
    }
}
