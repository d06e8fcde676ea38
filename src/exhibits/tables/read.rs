//! What a reader has got.

use serde::Serialize;
use utoipa::ToSchema;

use super::disk::Record;

/// A table as a reader has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadTable {
    /// The number of records that the table was said to have.
    pub said: u64,
    /// The records.
    pub records: Vec<Record>,
}

impl ReadTable {
    /// Whether it has as many records as was said.
    pub fn agrees(&self) -> bool {
        self.said == self.records.len() as u64
    }
}
