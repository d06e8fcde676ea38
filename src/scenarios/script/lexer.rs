//! The pieces of SQL that matter for splitting it and for finding variables in it.

use std::ops::Range;

use super::error::ScriptError;
use super::template::{Place, Spelling};
use crate::engine::{Endless, Flavour, Quotes, begins_word, continues_name};

/// Which variables there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// None: one is a mistake.
    Refused,
    /// `:name`
    Plain,
    /// `:name`, and `:A.name`.
    Dotted,
}

/// A piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Whitespace or a comment.
    Blank,
    /// A keyword or a name without quotes.
    Word,
    /// A string, or a name in quotes.
    Quoted,
    /// What ends a statement: `;`, unless DELIMITER has changed it.
    Delimiter,
    /// A variable.
    Variable(Place),
    /// A backslash outside quotes, where a meta-command begins.
    Backslash,
    /// Anything else: an operator, a parenthesis, a number.
    Other,
}

/// Reads one piece after the other.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'t> {
    pub(super) text: &'t str,
    pub(super) flavour: Flavour,
    /// Where the next piece begins.
    pub(super) at: usize,
    pub(super) delimiter: String,
    naming: Naming,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str, flavour: Flavour, naming: Naming) -> Self {
        Self {
            text,
            flavour,
            at: 0,
            delimiter: ";".to_owned(),
            naming,
        }
    }

    /// The next piece. `None` at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<Token>, ScriptError> {
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            return Ok(None);
        };
        let (kind, end) = self.piece(first)?;
        self.at = end;
        let range = start..end;
        Ok(Some(Token { kind, range }))
    }

    /// The text that is still to be read.
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn piece(&self, first: char) -> Result<(TokenKind, usize), ScriptError> {
        let quotes = Quotes {
            text: self.text,
            flavour: self.flavour,
            start: self.at,
        };
        let is_sqlite = self.flavour == Flavour::Sqlite;
        if let Some(end) = self.ended(quotes.comment())? {
            return Ok((TokenKind::Blank, end));
        }
        if self.is_at_delimiter() {
            return Ok((TokenKind::Delimiter, self.at + self.delimiter.len()));
        }
        Ok(match first {
            _ if first.is_whitespace() => (TokenKind::Blank, self.end_of(|it| it.is_whitespace())),
            _ if quotes.is_code() => (TokenKind::Other, self.ended(quotes.code())?),
            '\'' | '"' => (TokenKind::Quoted, self.ended(quotes.quoted(first))?),
            '`' if self.flavour != Flavour::Postgres => {
                (TokenKind::Quoted, self.ended(quotes.quoted(first))?)
            }
            '[' if is_sqlite => (TokenKind::Quoted, self.ended(quotes.bracketed())?),
            '$' if self.flavour == Flavour::Postgres => match self.ended(quotes.dollars())? {
                Some(end) => (TokenKind::Quoted, end),
                None => (TokenKind::Other, self.at + 1),
            },
            ':' => self.colon()?,
            '\\' => (TokenKind::Backslash, self.at + 1),
            _ if begins_word(first) => self.word()?,
            _ if first.is_numeric() => (TokenKind::Other, self.end_of(continues_name)),
            _ => (TokenKind::Other, self.at + first.len_utf8()),
        })
    }

    fn word(&self) -> Result<(TokenKind, usize), ScriptError> {
        let mut end = self.end_of(|it| continues_name(it) || it == '$');
        // In `END$$` the word ends where the delimiter begins.
        if !self.delimiter.starts_with(continues_name)
            && let Some(at) = self.text[self.at..end].find(&self.delimiter)
        {
            end = self.at + at;
        }
        let is_prefix = self.flavour == Flavour::Postgres
            && self.text[self.at..end].eq_ignore_ascii_case("e")
            && self.text[end..].starts_with('\'');
        if is_prefix {
            let quotes = Quotes {
                text: self.text,
                flavour: self.flavour,
                start: end,
            };
            return Ok((TokenKind::Quoted, self.ended(quotes.escaped())?));
        }
        Ok((TokenKind::Word, end))
    }

    /// A delimiter that is a word is none within another word.
    fn is_at_delimiter(&self) -> bool {
        let Some(after) = self.rest().strip_prefix(&self.delimiter) else {
            return false;
        };
        let is_in_word = self.delimiter.ends_with(continues_name)
            && after.starts_with(continues_name)
            || self.delimiter.starts_with(continues_name)
                && self.text[..self.at].ends_with(continues_name);
        !is_in_word
    }

    /// Several colons stay, and so does one before anything but a name.
    fn colon(&self) -> Result<(TokenKind, usize), ScriptError> {
        let end = self.end_of(|it| it == ':');
        if end - self.at > 1 {
            return Ok((TokenKind::Other, end));
        }
        let Some(place) = self.variable()? else {
            return Ok((TokenKind::Other, end));
        };
        if self.naming != Naming::Refused {
            let end = place.range.end;
            return Ok((TokenKind::Variable(place), end));
        }
        let before = self.text[..self.at].chars().next_back();
        // `name:` is a label of MySQL's, `[a:b]` a part of a PostgreSQL array.
        let follows_value = before.is_some_and(|it| continues_name(it) || "\"`')]".contains(it));
        if follows_value {
            return Ok((TokenKind::Other, end));
        }
        let written = &self.text[place.range];
        Err(self.error(format!(
            "{written} is a variable, and only clients' scripts have variables; write its value \
             (a space goes behind a colon that belongs to SQL)"
        )))
    }

    /// The variable whose colon is here.
    pub(super) fn variable(&self) -> Result<Option<Place>, ScriptError> {
        let after = &self.rest()[1..];
        let (spelling, opening, closing) = match after.chars().next() {
            Some('\'') => (Spelling::Quoted, "'", "'"),
            Some('"') => (Spelling::Name, "\"", "\""),
            Some('{') if after.starts_with("{?") => (Spelling::Test, "{?", "}"),
            Some(first) if begins_word(first) => (Spelling::Typed, "", ""),
            _ => return Ok(None),
        };
        let name = self.name(&after[opening.len()..]);
        let behind = &after[opening.len() + name.len()..];
        if name.is_empty() || !behind.starts_with(closing) {
            if spelling == Spelling::Test {
                return Err(self.error("`:{?` begins a test, which is written `:{?name}`"));
            }
            return Ok(None);
        }
        let length = ":".len() + opening.len() + name.len() + closing.len();
        Ok(Some(Place {
            name: name.to_owned(),
            spelling,
            range: self.at..self.at + length,
        }))
    }

    /// The name at the beginning of the text, if there is one.
    fn name<'n>(&self, text: &'n str) -> &'n str {
        let word = |text: &str| {
            if !text.starts_with(begins_word) {
                return 0;
            }
            text.find(|it: char| !continues_name(it))
                .unwrap_or(text.len())
        };
        let mut end = word(text);
        while self.naming == Naming::Dotted
            && end > 0
            && let Some(after) = text[end..].strip_prefix('.')
            && word(after) > 0
        {
            end += 1 + word(after);
        }
        &text[..end]
    }

    fn end_of(&self, belongs: impl Fn(char) -> bool) -> usize {
        let rest = self.rest();
        let length = rest.find(|it: char| !belongs(it)).unwrap_or(rest.len());
        self.at + length
    }

    /// The end of what is quoted, or the mistake that it has none.
    fn ended<T>(&self, end: Result<T, Endless>) -> Result<T, ScriptError> {
        end.map_err(|it| ScriptError::at(self.text, it.start, it.message))
    }

    /// A mistake at the piece that begins here.
    pub(super) fn error(&self, message: impl Into<String>) -> ScriptError {
        ScriptError::at(self.text, self.at, message)
    }
}
