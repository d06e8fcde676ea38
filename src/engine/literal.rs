//! Values as SQL literals: what an engine has returned, written so that the engine reads the same
//! value again.
//!
//! The spelling relies on the session variables that every connection sets (see `presets`): a
//! backslash escapes in MySQL's strings, and does not in PostgreSQL's.

use super::Flavour;
use crate::answer::{Datum, DatumKind};

impl Flavour {
    /// The value as a literal that keeps its type.
    pub fn literal(self, datum: &Datum) -> String {
        let Datum::Value { text, kind } = datum else {
            return "NULL".to_owned();
        };
        match kind {
            DatumKind::Number => self.number(text),
            DatumKind::Boolean => boolean(text).to_owned(),
            DatumKind::Text => self.quoted(text),
            DatumKind::Bytes => self.bytes(text),
            DatumKind::Typed(name) => self.typed(text, name),
        }
    }

    /// The text as a string literal.
    pub fn quoted(self, text: &str) -> String {
        let doubled = text.replace('\'', "''");
        match self {
            Self::MySql | Self::MariaDb => {
                let escaped = doubled.replace('\\', r"\\").replace('\0', r"\0");
                format!("'{escaped}'")
            }
            Self::Postgres => format!("'{doubled}'"),
            // SQLite reads no SQL beyond a NUL.
            Self::Sqlite if text.contains('\0') => {
                format!("('{}')", doubled.replace('\0', "' || char(0) || '"))
            }
            Self::Sqlite => format!("'{doubled}'"),
        }
    }

    /// The text as a quoted identifier.
    pub fn quoted_name(self, text: &str) -> String {
        match self {
            Self::MySql | Self::MariaDb => format!("`{}`", text.replace('`', "``")),
            Self::Postgres | Self::Sqlite => format!("\"{}\"", text.replace('"', "\"\"")),
        }
    }

    /// A negative number is in parentheses: in `1-:n` its sign would begin a comment.
    fn number(self, text: &str) -> String {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text),
        };
        match (self, digits.to_ascii_lowercase().as_str()) {
            (Self::Postgres, "nan" | "infinity" | "inf") => {
                format!("CAST('{text}' AS double precision)")
            }
            // SQLite has no word for it. Every number that is too large is infinite.
            (Self::Sqlite, "infinity" | "inf") => match sign {
                "" => "9e999".to_owned(),
                _ => "(-9e999)".to_owned(),
            },
            _ if !is_unsigned_number(digits) => self.quoted(text),
            _ if sign.is_empty() => text.to_owned(),
            _ => format!("({text})"),
        }
    }

    fn bytes(self, digits: &str) -> String {
        match self {
            Self::MySql | Self::MariaDb | Self::Sqlite => format!("X'{digits}'"),
            Self::Postgres => format!("'\\x{digits}'::bytea"),
        }
    }

    fn typed(self, text: &str, name: &str) -> String {
        let quoted = self.quoted(text);
        match self {
            Self::Postgres => format!("CAST({quoted} AS {name})"),
            Self::MySql | Self::MariaDb => match self.keyword(text, name) {
                Some(Keyword::Prefix(keyword)) => format!("{keyword}{quoted}"),
                Some(Keyword::Cast(keyword)) => format!("CAST({quoted} AS {keyword})"),
                None => quoted,
            },
            Self::Sqlite => quoted,
        }
    }

    /// What MySQL or MariaDB needs in order to see more than a text in a literal of this type.
    fn keyword(self, text: &str, name: &str) -> Option<Keyword> {
        let base = name.split('(').next().unwrap_or(name).trim();
        match base.to_ascii_lowercase().as_str() {
            // `DATE'0000-00-00'` is refused in some modes, the text is not.
            "date" | "datetime" | "timestamp" if is_zero_date(text) => None,
            "date" => Some(Keyword::Prefix("DATE")),
            "datetime" | "timestamp" => Some(Keyword::Prefix("TIMESTAMP")),
            "time" => Some(Keyword::Prefix("TIME")),
            // MariaDB's JSON is a text.
            "json" if self == Self::MySql => Some(Keyword::Cast("JSON")),
            _ => None,
        }
    }
}

/// How a type's name stands beside a quoted text.
enum Keyword {
    Prefix(&'static str),
    Cast(&'static str),
}

fn boolean(text: &str) -> &'static str {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" | "y" | "yes" | "on" => "TRUE",
        _ => "FALSE",
    }
}

/// Whether it may stand in SQL without quotes: `12`, `1.50`, `.5`, `1e+20`.
fn is_unsigned_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let has_only_digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_exponent = |text: &str| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        !digits.is_empty() && has_only_digits(digits)
    };
    !(whole.is_empty() && fraction.is_empty())
        && has_only_digits(whole)
        && has_only_digits(fraction)
        && exponent.is_none_or(is_exponent)
}

/// Whether its year, month or day is zero, which MySQL allows in columns.
fn is_zero_date(text: &str) -> bool {
    let date = text.split([' ', 'T']).next().unwrap_or(text);
    date.split('-')
        .any(|part| !part.is_empty() && part.bytes().all(|it| it == b'0'))
}
