//! Places in a file: where a mistake is.

use std::fmt;
use std::ops::Range;

/// A mistake in a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file.
    pub file: String,
    /// The line, from 1. None if it concerns the file as a whole.
    pub place: Option<Position>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A line and a column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(Position { line, column }) => write!(f, "{}:{line}:{column}: ", self.file)?,
            None => write!(f, "{}: ", self.file)?,
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for FileError {}

/// The text of a file, with its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct SourceFile<'t> {
    pub(super) name: &'t str,
    pub(super) text: &'t str,
}

impl SourceFile<'_> {
    /// A mistake at this byte.
    pub(super) fn mistake(self, at: usize, message: impl Into<String>) -> FileError {
        FileError {
            file: self.name.to_owned(),
            place: Some(self.position(at)),
            message: message.into(),
        }
    }

    /// A mistake that has no place.
    pub(super) fn mistake_anywhere(self, message: impl Into<String>) -> FileError {
        FileError {
            file: self.name.to_owned(),
            place: None,
            message: message.into(),
        }
    }

    /// The place of this byte.
    pub(super) fn position(self, at: usize) -> Position {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_begins = before.rfind('\n').map_or(0, |it| it + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before[line_begins..].chars().count() + 1,
        }
    }

    /// Where the text of a string begins, given the range of the string with its quotes. A line
    /// break right behind three quotes does not belong to the text.
    pub(super) fn begin_of_text(self, string: &Range<usize>) -> usize {
        let written = self.text.get(string.clone()).unwrap_or_default();
        let quotes = ["'''", "\"\"\""];
        if !quotes.iter().any(|it| written.starts_with(it)) {
            return string.start + 1;
        }
        let rest = &written[3..];
        let line_break = ["\r\n", "\n"].into_iter().find(|it| rest.starts_with(it));
        string.start + 3 + line_break.map_or(0, str::len)
    }

    /// A mistake in a string, at this line and column of its text, from 1.
    pub(super) fn mistake_within(
        self,
        string: &Range<usize>,
        within: Position,
        message: impl Into<String>,
    ) -> FileError {
        let begin = self.position(self.begin_of_text(string));
        let column = if within.line == 1 {
            begin.column + within.column - 1
        } else {
            within.column
        };
        FileError {
            file: self.name.to_owned(),
            place: Some(Position {
                line: begin.line + within.line - 1,
                column,
            }),
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_string_is_a_place_in_the_file() {
        let text = "a = 1\nscript = '''\nBEGIN;\nCOMIT;\n'''\nsql = 'SELECT x'\n";
        let file = SourceFile {
            name: "x.toml",
            text,
        };
        let begin = text.find("'''").unwrap();
        let script = begin..text.rfind("'''").unwrap() + 3;
        let mistake = file.mistake_within(&script, Position { line: 2, column: 1 }, "no");
        assert_eq!(mistake.to_string(), "x.toml:4:1: no");
        let begin = text.find("'SELECT").unwrap();
        let sql = begin..begin + 10;
        let mistake = file.mistake_within(&sql, Position { line: 1, column: 8 }, "no");
        assert_eq!(mistake.to_string(), "x.toml:6:15: no");
        assert_eq!(file.mistake(0, "no").to_string(), "x.toml:1:1: no");
        assert_eq!(file.mistake_anywhere("no").to_string(), "x.toml: no");
    }
}
