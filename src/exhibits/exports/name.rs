//! The names of exports. No other name is ever opened, so that no request leaves the export folder.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::engine::Fault;

/// The name of an export in the export folder: `transactions.csv`, or a name with 16 hexadecimal
/// digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName(String);

/// The complaint about a text that is no export's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidFileName;

const STEM: &str = "transactions";
const SUFFIX: &str = ".csv";
const RANDOM_BYTES: usize = 8;

impl FileName {
    /// The name that all clients share.
    pub fn shared() -> Self {
        Self(format!("{STEM}{SUFFIX}"))
    }

    /// A name for one export alone, drawn at random.
    pub(super) fn draw() -> Result<Self, Fault> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| Fault::other(format!("no random number: {error}")))?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(format!("{STEM}-{digits}{SUFFIX}")))
    }

    /// The name of the temporary file into which the export is written. It is no export's name.
    pub(super) fn temporary(&self) -> String {
        format!(".{}{TEMPORARY}", self.0)
    }

    /// The name of the lock file beside the export. It is no export's name either.
    pub(super) fn lock(&self) -> String {
        format!("{}.lock", self.0)
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The end of a temporary file's name.
const TEMPORARY: &str = ".part";

/// Whether this is the name of an export's temporary file.
pub(super) fn is_temporary(name: &str) -> bool {
    let inner = name
        .strip_prefix('.')
        .and_then(|it| it.strip_suffix(TEMPORARY));
    inner.is_some_and(|inner| inner.parse::<FileName>().is_ok())
}

impl FromStr for FileName {
    type Err = InvalidFileName;

    fn from_str(text: &str) -> Result<Self, InvalidFileName> {
        let middle = text
            .strip_prefix(STEM)
            .and_then(|it| it.strip_suffix(SUFFIX));
        let is_hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_one = middle.is_some_and(|middle| match middle.strip_prefix('-') {
            None => middle.is_empty(),
            Some(digits) => digits.len() == 2 * RANDOM_BYTES && digits.bytes().all(is_hexadecimal),
        });
        if is_one {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidFileName)
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an export is called {STEM}{SUFFIX}, or {STEM}- with {} hexadecimal digits \
             and {SUFFIX}",
            2 * RANDOM_BYTES
        )
    }
}

impl std::error::Error for InvalidFileName {}

impl Serialize for FileName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_given_are_names() {
        let drawn = FileName::draw().unwrap();
        for name in [FileName::shared(), drawn.clone()] {
            assert_eq!(name.as_str().parse(), Ok(name));
        }
        for text in [
            "",
            ".",
            "..",
            "../transactions.csv",
            "/etc/passwd",
            "/transactions.csv",
            "./transactions.csv",
            "transactions.csv/",
            "transactions.csv\0",
            "\0transactions.csv",
            "transactions.csv.lock",
            ".transactions.csv.part",
            "Transactions.csv",
            "transactions-.csv",
            "transactions-0123456789abcde.csv",
            "transactions-0123456789abcdef0.csv",
            "transactions-0123456789ABCDEF.csv",
            "transactions-0123456789abcde/.csv",
            "transactions-../../../passwd.csv",
            "transactions0123456789abcdef.csv",
            "%2e%2e",
        ] {
            assert_eq!(text.parse::<FileName>(), Err(InvalidFileName), "{text:?}");
        }
        assert!(is_temporary(&drawn.temporary()));
        assert!(!is_temporary(".other.csv.part") && !is_temporary(drawn.as_str()));
    }
}
