//! What keeps the truth about a table.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What keeps the truth about which snapshot is the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeptBy {
    /// The highest version that exists.
    Versions,
    /// A file that names it.
    Pointer,
}

impl KeptBy {
    /// A few words for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Versions => "its versions",
            Self::Pointer => "a pointer",
        }
    }
}
