//! Fields of a report's JSON object that an exhibit adds.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::audit::Anomaly;

/// Fields with their values, in the order in which they are written.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(&'static str, Value)>);

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value {
    /// None is written as `null`.
    Number(Option<i128>),
    /// None is written as `null`.
    Text(Option<String>),
    Texts(Vec<String>),
    Anomalies(Vec<Anomaly>),
}

impl Fields {
    pub(crate) fn number(self, name: &'static str, value: impl Into<i128>) -> Self {
        self.with(name, Value::Number(Some(value.into())))
    }

    pub(crate) fn optional(self, name: &'static str, value: Option<impl Into<i128>>) -> Self {
        self.with(name, Value::Number(value.map(Into::into)))
    }

    pub(crate) fn text(self, name: &'static str, value: Option<&str>) -> Self {
        self.with(name, Value::Text(value.map(str::to_owned)))
    }

    pub(crate) fn texts(self, name: &'static str, value: Vec<String>) -> Self {
        self.with(name, Value::Texts(value))
    }

    pub(crate) fn anomalies(self, name: &'static str, value: Vec<Anomaly>) -> Self {
        self.with(name, Value::Anomalies(value))
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.0.push((name, value));
        self
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
