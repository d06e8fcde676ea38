//! The body of a request.

use serde_json::Value;

/// A request's body and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) content_type: &'static str,
    pub(crate) text: String,
}

impl Body {
    /// An HTML form that is encoded already.
    pub(crate) fn form(text: String) -> Self {
        Self {
            content_type: "application/x-www-form-urlencoded",
            text,
        }
    }

    pub(crate) fn json(document: &Value) -> Self {
        Self {
            content_type: "application/json",
            text: document.to_string(),
        }
    }
}
