//! A record: what a table consists of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One record of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What its client calls it. At most 128 characters.
    #[schema(example = "order-17")]
    pub key: String,
    /// A number.
    #[schema(example = 100)]
    pub value: i64,
}
