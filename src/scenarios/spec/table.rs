//! A result as libpq prints it, and isolationtester with it.

use crate::answer::{Answer, Datum, DatumKind};

/// The table of a result, with the number of its rows and an empty line. A result without columns
/// is not printed.
pub(super) fn table(answer: &Answer) -> String {
    if !answer.has_rows() {
        return String::new();
    }
    let rows: Vec<Vec<_>> = answer
        .rows
        .iter()
        .map(|row| row.iter().map(shown).collect())
        .collect();
    let names = answer.columns.iter().enumerate();
    let columns: Vec<_> = names
        .map(|(at, name)| Column::of(name, at, &rows))
        .collect();
    let mut lines = vec![line(&columns, |column| &column.name), rule(&columns)];
    for row in &rows {
        let mut values = row.iter();
        lines.push(line(&columns, |_| values.next().map_or("", |it| it)));
    }
    let count = answer.row_count;
    let rows = if count == 1 { "row" } else { "rows" };
    lines.push(format!("({count} {rows})\n"));
    lines.push(String::new());
    lines.join("\n")
}

/// NULL is not told from an empty text.
fn shown(datum: &Datum) -> String {
    match datum {
        Datum::Null => String::new(),
        Datum::Value {
            text,
            kind: DatumKind::Bytes,
        } => format!("\\x{text}"),
        Datum::Value { text, .. } => text.clone(),
    }
}

struct Column {
    name: String,
    /// In bytes, as libpq counts.
    width: usize,
    /// Whether every value looks like a number or a date. Such a column is set flush right.
    is_numeric: bool,
}

impl Column {
    fn of(name: &str, at: usize, rows: &[Vec<String>]) -> Self {
        let values = rows.iter().filter_map(|row| row.get(at));
        let widest = values.clone().map(String::len).max().unwrap_or_default();
        let mut filled = values.filter(|it| !it.is_empty());
        Self {
            name: name.to_owned(),
            width: widest.max(name.len()),
            is_numeric: filled.all(|it| looks_numeric(it)),
        }
    }

    fn pad(&self, text: &str) -> String {
        let padding = " ".repeat(self.width.saturating_sub(text.len()));
        if self.is_numeric {
            padding + text
        } else {
            text.to_owned() + &padding
        }
    }
}

/// Digits, dots, exponents, blanks and signs, with a digit at the end and no exponent at the
/// beginning.
fn looks_numeric(text: &str) -> bool {
    let is_part = |it: char| it.is_ascii_digit() || ['.', 'E', 'e', ' ', '-'].contains(&it);
    text.chars().all(is_part)
        && text.ends_with(|it: char| it.is_ascii_digit())
        && !text.starts_with(['E', 'e'])
}

fn line<'v>(columns: &'v [Column], mut value: impl FnMut(&'v Column) -> &'v str) -> String {
    let fields: Vec<_> = columns.iter().map(|it| it.pad(value(it))).collect();
    fields.join("|")
}

fn rule(columns: &[Column]) -> String {
    let dashes: Vec<_> = columns.iter().map(|it| "-".repeat(it.width)).collect();
    dashes.join("+")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As isolationtester has printed it.
    const PRINTED: &str = "\
a|b|c     |d|e|  f
-+-+------+-+-+---
1| |longer|x|-|1e5
2| |a     | |2|   
(2 rows)

";

    #[test]
    fn a_result_is_printed_as_libpq_prints_it() {
        let row = |values: [Option<&str>; 6]| values.map(|it| it.map_or(Datum::Null, Datum::text));
        let rows = [
            row([
                Some("1"),
                None,
                Some("longer"),
                Some("x"),
                Some("-"),
                Some("1e5"),
            ]),
            row([Some("2"), None, Some("a"), Some(""), Some("2"), Some("")]),
        ];
        let answer = Answer {
            columns: ["a", "b", "c", "d", "e", "f"].map(str::to_owned).into(),
            rows: rows.map(Vec::from).into(),
            row_count: 2,
        };
        assert_eq!(table(&answer), PRINTED);
    }

    #[test]
    fn a_result_may_have_one_row_or_none() {
        let mut answer = Answer {
            columns: vec!["sold".to_owned()],
            rows: vec![vec![Datum::number(7)]],
            row_count: 1,
        };
        assert_eq!(table(&answer), "sold\n----\n   7\n(1 row)\n\n");
        (answer.rows, answer.row_count) = (Vec::new(), 0);
        assert_eq!(table(&answer), "sold\n----\n(0 rows)\n\n");
        assert_eq!(table(&Answer::default()), "");
    }

    #[test]
    fn a_number_is_told_from_a_text_by_its_characters() {
        for numeric in ["1", "-22", "2020-01-01", "1-2", "1 2", "1.5e10"] {
            assert!(looks_numeric(numeric), "{numeric}");
        }
        for text in ["x", "e1", "5-", "t", "1é2"] {
            assert!(!looks_numeric(text), "{text}");
        }
    }
}
