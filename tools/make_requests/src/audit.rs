//! What a service's audits say: of a book of orders, of an exported file.

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::words::{printable_example, printable_label};

/// A number or a name that the service gave something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// Counted.
    Number(Number),
    /// Spelled, such as a UUID.
    Text(#[serde(deserialize_with = "printable_label")] String),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Something that an audit looked for, and how often it was found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Anomaly {
    /// What it is called, e.g. `duplicate_number`.
    #[serde(deserialize_with = "printable_label")]
    pub name: String,
    /// How often it was found.
    pub count: u64,
    /// One of them, in a sentence.
    #[serde(default, deserialize_with = "printable_example")]
    pub example: Option<String>,
}

impl Anomaly {
    /// Whether something is wrong where it is found. A number that was skipped and an order that
    /// still waits are only counted.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.count > 0 && !matches!(self.name.as_str(), "gap" | "never_shipped")
    }

    /// The name as a person would write it.
    pub(crate) fn in_words(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// The audit of a book of orders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BookAudit {
    /// How many orders are in it.
    pub orders: u64,
    /// How many lines they have together.
    pub lines: u64,
    /// What was looked for in it.
    pub anomalies: Vec<Anomaly>,
}

impl BookAudit {
    /// What was found in it since `before`.
    pub(crate) fn anomalies_since(&self, before: &Self) -> Vec<Anomaly> {
        let earlier = |name: &str| {
            let mut anomalies = before.anomalies.iter();
            anomalies
                .find(|it| it.name == name)
                .map_or(0, |it| it.count)
        };
        let since = self.anomalies.iter().map(|anomaly| Anomaly {
            count: anomaly.count.saturating_sub(earlier(&anomaly.name)),
            ..anomaly.clone()
        });
        since.collect()
    }
}

/// The audit of an exported file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FileAudit {
    /// How many rows it has.
    pub rows: u64,
    /// The exports that its rows come from.
    pub exports: Vec<Id>,
    /// What was looked for in it.
    pub anomalies: Vec<Anomaly>,
}

/// What the consumer of orders shipped in one run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Shipped {
    /// The orders, in the order in which they were shipped.
    pub shipped: Vec<Shipment>,
}

/// One order as the consumer shipped it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Shipment {
    /// Its number.
    pub order: Id,
    /// How many lines it had at that moment.
    pub lines: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(duplicates: u64, gaps: u64) -> BookAudit {
        serde_json::from_value(serde_json::json!({
            "book": 1, "orders": 3, "lines": 6, "anomalies": [
                {"name": "duplicate_number", "count": duplicates, "example": "order 1\u{1b}[2J"},
                {"name": "gap", "count": gaps, "example": null},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn only_what_is_new_is_told() {
        let since = audit(3, 1).anomalies_since(&audit(1, 1));
        assert_eq!((since[0].count, since[1].count), (2, 0));
        assert_eq!(since[0].example.as_deref(), Some("order 1 [2J"));
    }

    #[test]
    fn gaps_are_not_wrong() {
        let wrong: Vec<_> = audit(1, 1)
            .anomalies
            .iter()
            .map(Anomaly::is_wrong)
            .collect();
        assert_eq!(wrong, [true, false]);
        assert!(!audit(0, 0).anomalies[0].is_wrong());
    }

    #[test]
    fn ids_are_numbers_or_texts() {
        let ids: Vec<Id> = serde_json::from_str(r#"[17, 18446744073709551615, "0199-a"]"#).unwrap();
        let texts: Vec<_> = ids.iter().map(Id::to_string).collect();
        assert_eq!(texts, ["17", "18446744073709551615", "0199-a"]);
    }
}
