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
            // MariaDB's `X'…'` is no number beside a BIT, as MySQL's is. Its `0x…` is both.
            Self::MariaDb if !digits.is_empty() => format!("0x{digits}"),
            Self::MySql | Self::MariaDb | Self::Sqlite => format!("X'{digits}'"),
            Self::Postgres => format!("'\\x{digits}'::bytea"),
        }
    }

    fn typed(self, text: &str, name: &str) -> String {
        let quoted = self.quoted(text);
        match self {
            // Without quotes `bit` is `bit(1)`, and the rest of the value is cut off.
            Self::Postgres => match name.strip_prefix("bit") {
                Some(array @ ("" | "[]")) => format!("CAST({quoted} AS \"bit\"{array})"),
                _ => format!("CAST({quoted} AS {name})"),
            },
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

    use super::*;
    use Flavour::{MariaDb, MySql, Postgres, Sqlite};

    const EVERY: [Flavour; 4] = [MySql, MariaDb, Postgres, Sqlite];
    const INNODB: [Flavour; 2] = [MySql, MariaDb];

    fn value(text: &str, kind: DatumKind) -> Datum {
        Datum::Value {
            text: text.to_owned(),
            kind,
        }
    }

    const NUMBERS: &[(&[Flavour], &str, &str)] = &[
        (&EVERY, "12", "12"),
        (&EVERY, "1.50", "1.50"),
        (&EVERY, "1e+20", "1e+20"),
        (&EVERY, "-5", "(-5)"),
        (&EVERY, "-1.5e-07", "(-1.5e-07)"),
        // What is no number cannot become a part of the statement.
        (&EVERY, "1; DROP", "'1; DROP'"),
        (&EVERY, "", "''"),
        (&EVERY, "-", "'-'"),
        (&EVERY, ".", "'.'"),
        (&EVERY, "1e", "'1e'"),
        (&[Postgres], "NaN", "CAST('NaN' AS double precision)"),
        (
            &[Postgres],
            "-Infinity",
            "CAST('-Infinity' AS double precision)",
        ),
        (&[Sqlite], "Inf", "9e999"),
        (&[Sqlite], "-Inf", "(-9e999)"),
    ];

    #[test]
    fn a_number_stands_bare_and_a_negative_one_in_parentheses() {
        for (flavours, text, expected) in NUMBERS {
            for flavour in *flavours {
                let literal = flavour.literal(&Datum::number(text));
                assert_eq!(literal, *expected, "{flavour}: {text}");
            }
        }
    }

    #[test]
    fn null_and_booleans_are_words() {
        for flavour in EVERY {
            assert_eq!(flavour.literal(&Datum::Null), "NULL");
            for (text, expected) in [("t", "TRUE"), ("TRUE", "TRUE"), ("f", "FALSE")] {
                let literal = flavour.literal(&value(text, DatumKind::Boolean));
                assert_eq!(literal, expected);
            }
        }
    }

    const TEXTS: &[(&[Flavour], &str, &str)] = &[
        (&EVERY, "", "''"),
        (&EVERY, "it's", "'it''s'"),
        (&INNODB, r"a\'b", r"'a\\''b'"),
        (&INNODB, "a\0b", r"'a\0b'"),
        (&[Postgres, Sqlite], r"a\'b", r"'a\''b'"),
        (&[Sqlite], "a\0'b", "('a' || char(0) || '''b')"),
    ];

    #[test]
    fn a_text_is_quoted() {
        for (flavours, text, expected) in TEXTS {
            for flavour in *flavours {
                assert_eq!(flavour.literal(&Datum::text(*text)), *expected);
                assert_eq!(flavour.quoted(text), *expected);
            }
        }
    }

    #[test]
    fn a_name_is_quoted() {
        for flavour in INNODB {
            assert_eq!(flavour.quoted_name("a`\"b"), "`a``\"b`");
        }
        for flavour in [Postgres, Sqlite] {
            assert_eq!(flavour.quoted_name("a`\"b"), "\"a`\"\"b\"");
        }
    }

    #[test]
    fn bytes_are_hexadecimal_digits() {
        let bytes = value("00ff", DatumKind::Bytes);
        for flavour in [MySql, Sqlite] {
            assert_eq!(flavour.literal(&bytes), "X'00ff'");
        }
        assert_eq!(MariaDb.literal(&bytes), "0x00ff");
        assert_eq!(MariaDb.literal(&value("", DatumKind::Bytes)), "X''");
        assert_eq!(Postgres.literal(&bytes), r"'\x00ff'::bytea");
    }

    const TYPED: &[(&[Flavour], &str, &str, &str)] = &[
        (&INNODB, "2026-01-02", "date", "DATE'2026-01-02'"),
        (
            &INNODB,
            "2026-01-02 03:04:05.6",
            "datetime(1)",
            "TIMESTAMP'2026-01-02 03:04:05.6'",
        ),
        (
            &INNODB,
            "2026-01-02 03:04:05",
            "TIMESTAMP",
            "TIMESTAMP'2026-01-02 03:04:05'",
        ),
        (&INNODB, "-12:00:00", "time", "TIME'-12:00:00'"),
        (&INNODB, "0000-00-00", "date", "'0000-00-00'"),
        (
            &INNODB,
            "2026-00-01 00:00:00",
            "datetime",
            "'2026-00-01 00:00:00'",
        ),
        (&INNODB, "a", "enum", "'a'"),
        (&[MySql], "[1]", "json", "CAST('[1]' AS JSON)"),
        (&[MariaDb], "[1]", "json", "'[1]'"),
        (&[Postgres], "it's", "json", "CAST('it''s' AS json)"),
        (&[Postgres], "{1,2}", "int4[]", "CAST('{1,2}' AS int4[])"),
        (&[Postgres], "101", "bit", "CAST('101' AS \"bit\")"),
        (&[Postgres], "{101}", "bit[]", "CAST('{101}' AS \"bit\"[])"),
        (
            &[Postgres],
            "101",
            "bit varying",
            "CAST('101' AS bit varying)",
        ),
        (&[Sqlite], "2026-01-02", "date", "'2026-01-02'"),
    ];

    #[test]
    fn a_typed_value_keeps_its_type_where_the_engine_has_it() {
        for (flavours, text, name, expected) in TYPED {
            for flavour in *flavours {
                let datum = value(text, DatumKind::Typed((*name).to_owned()));
                assert_eq!(flavour.literal(&datum), *expected, "{flavour}: {name}");
            }
        }
    }

    #[test]
    fn sqlite_reads_a_literal_of_any_text_as_that_text() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.unwrap();
        let connection = SqliteConnection::connect("sqlite::memory:");
        let mut connection = runtime.block_on(connection).unwrap();
        let texts = prop::collection::vec(
            prop_oneof![
                any::<char>(),
                prop::sample::select(&['\'', '\\', '\0', '"'][..])
            ],
            0..30,
        );
        let mut runner = TestRunner::new(Config {
            failure_persistence: None,
            ..Config::default()
        });
        let mut read_back = |text: String| {
            let sql = format!("SELECT {}", Sqlite.literal(&Datum::text(text.clone())));
            let read = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection);
            let read: String = runtime.block_on(read).unwrap();
            (read, text)
        };
        let read_back = std::cell::RefCell::new(&mut read_back);
        let outcome = runner.run(&texts, |characters| {
            let (read, text) = read_back.borrow_mut()(characters.into_iter().collect());
            prop_assert_eq!(read, text);
            Ok(())
        });
        outcome.unwrap();
    }
}
