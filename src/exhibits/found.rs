//! What an audit of files has found.

use serde::Serialize;
use utoipa::ToSchema;

/// A kind of anomaly, and how often it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FileAnomaly)]
pub struct AnomalyCount {
    /// The kind's name.
    pub name: &'static str,
    /// How often it was found.
    pub count: u64,
    /// The first one, in a sentence; null if there is none.
    pub example: Option<String>,
}

impl AnomalyCount {
    pub(in crate::exhibits) fn none(name: &'static str) -> Self {
        Self {
            name,
            count: 0,
            example: None,
        }
    }

    pub(in crate::exhibits) fn found(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        self.example.get_or_insert_with(example);
    }

    pub(in crate::exhibits) fn is_there(&self) -> bool {
        self.count > 0
    }
}
