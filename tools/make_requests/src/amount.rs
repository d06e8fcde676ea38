//! What one deposit adds.

use std::fmt;
use std::str::FromStr;

use crate::invalid::Invalid;

/// What one deposit adds: at least 1, because a lost deposit of 0 would leave no trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(i64);

impl Amount {
    /// The number itself.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl Default for Amount {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<i64> for Amount {
    type Error = Invalid;

    fn try_from(amount: i64) -> Result<Self, Invalid> {
        if amount >= 1 {
            Ok(Self(amount))
        } else {
            Err(Invalid(format!(
                "an amount is a whole number, 1 to {}",
                i64::MAX
            )))
        }
    }
}

impl FromStr for Amount {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // A text that is not a number gets the same complaint as 0.
        text.parse().unwrap_or(0).try_into()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_positive() {
        assert_eq!("9223372036854775807".parse(), Ok(Amount(i64::MAX)));
        for bad in ["0", "-100", "9223372036854775808", "1.5", ""] {
            assert!(bad.parse::<Amount>().is_err(), "{bad:?} was taken");
        }
    }
}
