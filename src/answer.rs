//! What an engine answers to a statement of a user's: its columns and rows, as the engine's own
//! client would show them.

use std::fmt;

/// One value that an engine has returned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Datum {
    /// SQL's NULL.
    Null,
    /// Any other value.
    Value {
        /// The value as the engine's own client shows it.
        text: String,
        /// How it is written in SQL.
        kind: DatumKind,
    },
}

/// How a value is written in SQL, so that it keeps its meaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DatumKind {
    /// Without quotes: `12`, `1.50`.
    Number,
    /// As TRUE or FALSE. The text is what the client shows, `t` or `f`.
    Boolean,
    /// In quotes.
    Text,
    /// As hexadecimal digits. The text holds these digits, without any prefix.
    Bytes,
    /// In quotes, together with the name of its type: `date`, `timestamp with time zone`.
    Typed(String),
}

impl Datum {
    /// A number.
    pub fn number(number: impl fmt::Display) -> Self {
        Self::Value {
            text: number.to_string(),
            kind: DatumKind::Number,
        }
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Value {
            text: text.into(),
            kind: DatumKind::Text,
        }
    }
}

/// As a report shows it. NULL can be told from the text `NULL`, and an empty text from nothing.
impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Value { text, kind } => match kind {
                DatumKind::Bytes => write!(f, "0x{text}"),
                _ if text.is_empty() || text == "NULL" => write!(f, "'{text}'"),
                _ => f.write_str(text),
            },
        }
    }
}

/// The answer to one statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The columns' names. Empty if the statement returns no rows.
    pub columns: Vec<String>,
    /// The rows, at most [`MOST_ROWS`](Self::MOST_ROWS) of them.
    pub rows: Vec<Vec<Datum>>,
    /// How many rows it returned or, for a statement that changes rows, how many it matched.
    pub row_count: u64,
}

impl Answer {
    /// Rows beyond this number are counted, but not kept.
    pub const MOST_ROWS: usize = 100;

    /// Whether the statement returns rows, be it none.
    pub fn has_rows(&self) -> bool {
        !self.columns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_told_from_text() {
        assert_eq!(Datum::Null.to_string(), "NULL");
        assert_eq!(Datum::text("NULL").to_string(), "'NULL'");
        assert_eq!(Datum::text("").to_string(), "''");
        assert_eq!(Datum::text("null").to_string(), "null");
        assert_eq!(Datum::number("1.50").to_string(), "1.50");
    }
}
