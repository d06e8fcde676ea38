//! The name of a strategy.

use std::fmt;
use std::str::FromStr;

use crate::invalid::Invalid;

/// The name of a strategy, such as `atomic_long_delay`.
///
/// It has segments of letters, digits, `_` and `-`, joined by `/`. Such a name needs no escaping in
/// a URL, and it cannot lead out of its exhibit's routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy(String);

impl Strategy {
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl FromStr for Strategy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let is_name = |segment: &str| !segment.is_empty() && segment.chars().all(is_allowed);
        if text.split('/').all(is_name) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(
                "a target is a name of letters, digits, _ and -, such as atomic_long_delay, \
                 or several joined by single slashes, such as orders/max_id_head_first"
                    .to_owned(),
            ))
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
