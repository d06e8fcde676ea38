//! The names of tables and partitions. No other name ever becomes a part of a path, so that no
//! request leaves the folder of the tables.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a table, and of its folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TableName(String);

/// The name of a partition: a part of a table that one writer appends to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct PartitionName(String);

/// The complaint about a text that is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidName;

/// The largest number of characters.
const LONGEST: usize = 64;

fn parse(text: &str) -> Result<String, InvalidName> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let begins_well = text.bytes().next().is_some_and(is_plain);
    let goes_on_well = text
        .bytes()
        .all(|it| is_plain(it) || matches!(it, b'-' | b'_'));
    if begins_well && goes_on_well && text.len() <= LONGEST {
        Ok(text.to_owned())
    } else {
        Err(InvalidName)
    }
}

impl TableName {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartitionName {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TableName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        parse(text).map(Self)
    }
}

impl FromStr for PartitionName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        parse(text).map(Self)
    }
}

impl TryFrom<String> for PartitionName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
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

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a name has at most 64 small letters, digits, - and _, and begins with a letter or a digit",
        )
    }
}

impl std::error::Error for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for name in [
            "events",
            "a",
            "7",
            "exclusive_create",
            "eu-1",
            &"x".repeat(64),
        ] {
            assert_eq!(name.parse::<TableName>().unwrap().as_str(), name);
        }
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "/etc",
            "a\\b",
            "A",
            "ä",
            "-a",
            "_a",
            "a.b",
            "a b",
            "a\0",
            "%2e%2e",
            &"x".repeat(65),
        ] {
            assert!(name.parse::<TableName>().is_err(), "{name:?}");
            assert!(name.parse::<PartitionName>().is_err(), "{name:?}");
        }
    }
}
