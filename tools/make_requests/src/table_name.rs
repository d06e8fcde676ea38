//! The names of tables and of their partitions.

use std::fmt;
use std::str::FromStr;

use crate::invalid::Invalid;

/// The name of a table: at most 64 small letters, digits, `-` and `_`, of which the first is a
/// letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName(String);

/// The name of a partition. It looks as a table's does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionName(String);

impl TableName {
    /// Draws a name. It is very unlikely that it was used before, so runs do not disturb each
    /// other.
    #[must_use]
    pub fn fresh() -> Self {
        Self(format!("run-{:016x}", fastrand::u64(..)))
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartitionName {
    /// The partition that a request has for itself.
    pub(crate) fn of_request(request: u32) -> Self {
        Self(format!("client-{request}"))
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Every service can make a folder of such a name, and it needs no escaping in a URL.
fn parse(text: &str, kind: &str) -> Result<String, Invalid> {
    const LONGEST: usize = 64;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_allowed = |c: char| is_plain(c) || c == '-' || c == '_';
    if text.len() <= LONGEST && text.starts_with(is_plain) && text.chars().all(is_allowed) {
        Ok(text.to_owned())
    } else {
        Err(Invalid(format!(
            "a {kind} is named by at most {LONGEST} small letters, digits, - and _, \
             and the first is a letter or a digit"
        )))
    }
}

impl FromStr for TableName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text, "table").map(Self)
    }
}

impl FromStr for PartitionName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text, "partition").map(Self)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &[&str] = &[
        "", "..", "a/b", "-a", "_a", "Events", "é", "a b", "a.b", "a\n",
    ];

    #[test]
    fn a_name_is_plain_and_not_too_long() {
        for good in ["events", "2026-11_x", &"a".repeat(64)] {
            assert_eq!(good.parse::<TableName>().unwrap().as_str(), good);
            assert_eq!(good.parse::<PartitionName>().unwrap().as_str(), good);
        }
        for bad in REFUSED.iter().copied().chain([&*"a".repeat(65)]) {
            assert!(bad.parse::<TableName>().is_err(), "{bad:?} was taken");
            assert!(bad.parse::<PartitionName>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn what_the_tool_draws_is_a_name_too() {
        let (one, other) = (TableName::fresh(), TableName::fresh());
        assert_ne!(one, other);
        assert_eq!(one.as_str().parse(), Ok(one));
        let partition = PartitionName::of_request(10_000);
        assert_eq!(partition.as_str().parse(), Ok(partition));
    }
}
