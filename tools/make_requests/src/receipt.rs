//! A service's receipt for an acknowledged request.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::words::printable_text;

/// What one acknowledged request made, e.g. a deposit. Each exhibit has one type of product.
pub(crate) trait Product: Any + Debug + Send + Sync {
    /// What the client did, e.g. `deposits 100`.
    fn title(&self) -> String;

    /// The values of the exhibit's two columns in a table.
    fn csv_fields(&self) -> [String; 2];
}

/// A service's receipt for an acknowledged request. A value that the service left out is None.
#[derive(Debug, Clone)]
pub struct Receipt {
    product: Arc<dyn Product>,
    /// How many times the service ran the request until one run was kept.
    pub attempts: Option<u32>,
    /// When the request arrived, by the server's clock, in µs since 1970.
    pub arrived_at_us: Option<i64>,
    /// The waits for what a service has a limited number of, before the steps and between them.
    pub queued: Vec<Queued>,
    /// The steps in the order they ran, failed attempts included.
    pub timeline: Vec<Step>,
}

impl Receipt {
    /// Reads an answer. None if it does not say what was made.
    pub(crate) fn read<P: Product + DeserializeOwned>(body: &[u8]) -> Option<Self> {
        let document: Document<P> = serde_json::from_slice(body).ok()?;
        Some(Self {
            product: Arc::new(document.product),
            attempts: document.attempts,
            arrived_at_us: document.arrived_at_us,
            queued: document.queued,
            timeline: document.timeline,
        })
    }

    /// What the client did, e.g. `deposits 100`.
    #[must_use]
    pub fn title(&self) -> String {
        self.product.title()
    }

    /// What was made: the values of the [report's columns](crate::Report::columns).
    #[must_use]
    pub fn fields(&self) -> [String; 2] {
        self.product.csv_fields()
    }

    pub(crate) fn product(&self) -> &dyn Product {
        &*self.product
    }

    /// The product, if it is of this type.
    pub(crate) fn product_as<P: Product>(&self) -> Option<&P> {
        let product: &dyn Any = self.product();
        product.downcast_ref()
    }

    /// When the request's last step ended, in µs since 1970.
    pub(crate) fn end(&self) -> Option<i64> {
        let arrived = self.arrived_at_us?;
        self.timeline.iter().map(|step| step.end(arrived)).max()
    }
}

#[derive(Deserialize)]
struct Document<P> {
    #[serde(flatten)]
    product: P,
    #[serde(default)]
    attempts: Option<u32>,
    #[serde(default)]
    arrived_at_us: Option<i64>,
    #[serde(default)]
    queued: Vec<Queued>,
    #[serde(default)]
    timeline: Vec<Step>,
}

/// A wait for something of which the service has a limited number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Queued {
    /// For what.
    #[serde(rename = "for")]
    pub resource: Resource,
    /// When the wait began, in µs after the request's arrival.
    pub start_us: i64,
    /// How long it took, in µs.
    #[serde(default)]
    pub duration_us: i64,
    /// The database's number for the connection that was got.
    #[serde(default)]
    pub connection: Option<i64>,
}

/// What a service has a limited number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// A worker.
    Worker,
    /// A connection to the database.
    Connection,
    /// A kind that this tool does not know.
    #[serde(other)]
    Other,
}

/// One visible step of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Step {
    /// What kind of step it is.
    pub action: Action,
    /// Its label, e.g. `write balance`.
    #[serde(default, deserialize_with = "printable_text")]
    pub label: String,
    /// When it started, in µs after the request's arrival.
    pub start_us: i64,
    /// How long it took, in µs.
    #[serde(default)]
    pub duration_us: i64,
    /// The number that was read or written. None if there was none, or another kind of value.
    #[serde(default, deserialize_with = "number_or_none")]
    pub value: Option<i64>,
    /// Whether it should have changed rows and found none.
    #[serde(default)]
    pub matched_no_row: bool,
    /// The statement. None if the step is none.
    #[serde(default)]
    pub sql: Option<String>,
    /// The values of the statement's placeholders.
    #[serde(default)]
    pub args: Vec<Argument>,
    /// The refusal in words. None if it was not refused.
    #[serde(default)]
    pub refusal: Option<String>,
    /// When another client's lock was first in its way, in µs after the request's arrival. None if
    /// the service did not see that.
    #[serde(default)]
    pub held_up_us: Option<i64>,
}

/// The value of a placeholder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Argument {
    /// An integer.
    Integer(i64),
    /// A text.
    Text(String),
}

impl Step {
    /// When it started, on the clock on which its request arrived at this time.
    pub(crate) fn start(&self, arrived: i64) -> i64 {
        arrived.saturating_add(self.start_us)
    }

    /// When it ended, on the same clock.
    pub(crate) fn end(&self, arrived: i64) -> i64 {
        self.start(arrived).saturating_add(self.duration_us.max(0))
    }
}

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A transaction begins.
    Begin,
    /// Something is read.
    Read,
    /// The code waits on purpose: the delay.
    Think,
    /// Something is written.
    Write,
    /// A transaction ends and is kept.
    Commit,
    /// A transaction ends and is not kept.
    Rollback,
    /// A lock that is on no row is taken.
    Lock,
    /// A lock that is on no row is released.
    Unlock,
    /// Time passes between a lost attempt and the next one.
    Pause,
    /// A kind that this tool does not know.
    #[serde(other)]
    Other,
}

fn number_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_i64())
}

/// Receipts for the tests of other modules.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    pub(crate) fn receipt(
        product: impl Product,
        arrived_at_us: i64,
        timeline: Vec<Step>,
    ) -> Receipt {
        Receipt {
            product: Arc::new(product),
            attempts: Some(1),
            arrived_at_us: Some(arrived_at_us),
            queued: Vec::new(),
            timeline,
        }
    }

    pub(crate) fn step(action: Action, label: &str, start_us: i64, duration_us: i64) -> Step {
        Step {
            action,
            label: label.to_owned(),
            start_us,
            duration_us,
            value: None,
            matched_no_row: false,
            sql: None,
            args: Vec::new(),
            refusal: None,
            held_up_us: None,
        }
    }

    pub(crate) fn with_value(step: Step, value: i64) -> Step {
        Step {
            value: Some(value),
            ..step
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Parcel {
        weight: u32,
    }

    impl Product for Parcel {
        fn title(&self) -> String {
            format!("packs {}", self.weight)
        }

        fn csv_fields(&self) -> [String; 2] {
            [self.weight.to_string(), String::new()]
        }
    }

    #[test]
    fn a_receipt_may_have_less_and_more_than_is_known() {
        let body = r#"{"weight": 5, "later": [1], "timeline": [
            {"action": "teleport", "label": "a\u001b[2Jb", "start_us": 1, "sql": "SELECT 1"}]}"#;
        let receipt = Receipt::read::<Parcel>(body.as_bytes()).unwrap();
        assert_eq!(receipt.product_as(), Some(&Parcel { weight: 5 }));
        assert_eq!(receipt.attempts, None);
        assert_eq!(receipt.timeline[0].action, Action::Other);
        assert_eq!(receipt.timeline[0].label, "a [2Jb");
    }

    #[test]
    fn a_value_that_is_not_a_number_is_left_out() {
        let body = r#"{"weight": 5, "attempts": 2, "timeline": [
            {"action": "read", "start_us": 1, "value": "five"},
            {"action": "read", "start_us": 2, "value": 5}]}"#;
        let receipt = Receipt::read::<Parcel>(body.as_bytes()).unwrap();
        let values: Vec<_> = receipt.timeline.iter().map(|step| step.value).collect();
        assert_eq!((receipt.attempts, values), (Some(2), vec![None, Some(5)]));
    }

    #[test]
    fn an_answer_without_the_product_is_no_receipt() {
        for body in ["", "<html>ok</html>", "{}", "null", r#"{"weight": "much"}"#] {
            assert!(
                Receipt::read::<Parcel>(body.as_bytes()).is_none(),
                "{body:?} was taken"
            );
        }
    }
}
