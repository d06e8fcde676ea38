//! The tokens of an SQL statement, as far as it takes to know what kind of statement it is.

use std::ops::Range;

use crate::engine::{Endless, Flavour, Quotes, begins_word, continues_name};

/// One token. Comments are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    /// A keyword, or a name without quotes.
    Word(&'t str),
    /// A name in quotes, without them.
    Name(&'t str),
    /// A string.
    Text,
    /// A number, or what begins like one.
    Number(&'t str),
    /// Any other character.
    Symbol(char),
}

impl<'t> Token<'t> {
    /// Whether it is this keyword.
    pub(crate) fn is(self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The name, with or without quotes. None if it is no name.
    pub(crate) fn name(self) -> Option<&'t str> {
        match self {
            Self::Word(name) | Self::Name(name) => Some(name),
            Self::Text | Self::Number(_) | Self::Symbol(_) => None,
        }
    }
}

/// The tokens of a statement. What has no end, such as a string, ends with the text.
pub(crate) fn tokens(sql: &str, flavour: Flavour) -> Vec<Token<'_>> {
    placed_tokens(sql, flavour)
        .into_iter()
        .map(|(token, _)| token)
        .collect()
}

/// The same, with their places in the text.
pub(super) fn placed_tokens(sql: &str, flavour: Flavour) -> Vec<(Token<'_>, Range<usize>)> {
    let mut scanner = Scanner {
        sql,
        at: 0,
        began: 0,
        flavour,
    };
    let next = || {
        let token = scanner.next_token()?;
        Some((token, scanner.began..scanner.at))
    };
    std::iter::from_fn(next).collect()
}

struct Scanner<'t> {
    sql: &'t str,
    at: usize,
    /// Where the last token began.
    began: usize,
    flavour: Flavour,
}

impl<'t> Scanner<'t> {
    fn rest(&self) -> &'t str {
        &self.sql[self.at..]
    }

    /// What is quoted from this place on.
    fn quotes(&self, start: usize) -> Quotes<'t> {
        Quotes {
            text: self.sql,
            flavour: self.flavour,
            start,
        }
    }

    fn next_token(&mut self) -> Option<Token<'t>> {
        loop {
            let first = self.rest().chars().next()?;
            if first.is_whitespace() {
                self.at += first.len_utf8();
            } else if !self.skip_comment() {
                self.began = self.at;
                return Some(self.token(first));
            }
        }
    }

    /// Skips a comment, if one begins here. The code in `/*! … */` is none on MySQL: only its marks
    /// are skipped.
    fn skip_comment(&mut self) -> bool {
        let rest = self.rest();
        let quotes = self.quotes(self.at);
        if quotes.is_code() {
            let mark = rest.find('!').map_or(rest.len(), |at| at + 1);
            let digits = rest[mark..].bytes().take_while(u8::is_ascii_digit).count();
            self.at += mark + digits;
        } else if self.flavour.is_innodb() && rest.starts_with("*/") {
            self.at += 2;
        } else {
            match quotes.comment() {
                Ok(None) => return false,
                Ok(Some(end)) => self.at = end,
                Err(_endless) => self.at = self.sql.len(),
            }
        }
        true
    }

    fn token(&mut self, first: char) -> Token<'t> {
        let quotes = self.quotes(self.at);
        let is_postgres = self.flavour == Flavour::Postgres;
        match first {
            '\'' => self.text(quotes.quoted(first)),
            '"' if self.flavour.is_innodb() => self.text(quotes.quoted(first)),
            '"' => self.name(quotes.quoted(first)),
            '`' if !is_postgres => self.name(quotes.quoted(first)),
            '[' if self.flavour == Flavour::Sqlite => self.name(quotes.bracketed()),
            '$' if is_postgres => match quotes.dollars() {
                Ok(None) => self.symbol(first),
                Ok(Some(end)) => self.text(Ok(end)),
                Err(endless) => self.text(Err(endless)),
            },
            'e' | 'E' if is_postgres && self.rest()[1..].starts_with('\'') => {
                self.text(self.quotes(self.at + 1).escaped())
            }
            _ if begins_word(first) => Token::Word(self.take(continues_name)),
            _ if first.is_ascii_digit() => {
                Token::Number(self.take(|it| it.is_ascii_alphanumeric() || it == '.'))
            }
            _ => self.symbol(first),
        }
    }

    fn text(&mut self, end: Result<usize, Endless>) -> Token<'t> {
        self.at = end.unwrap_or(self.sql.len());
        Token::Text
    }

    /// A name between two quotes of one character each.
    fn name(&mut self, end: Result<usize, Endless>) -> Token<'t> {
        let begin = self.at + 1;
        let (name_ends, end) = match end {
            Ok(end) => (end - 1, end),
            Err(_endless) => (self.sql.len(), self.sql.len()),
        };
        self.at = end;
        Token::Name(&self.sql[begin..name_ends])
    }

    fn symbol(&mut self, symbol: char) -> Token<'t> {
        self.at += symbol.len_utf8();
        Token::Symbol(symbol)
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|it| !is_part(it)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}

/// Whether one of these words is among the tokens.
pub(super) fn names_one_of(tokens: &[Token<'_>], names: &[&str]) -> bool {
    let is_named = |token: &Token<'_>| names.iter().any(|it| token.is(it));
    tokens.iter().any(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_no_words() {
        let words = |sql, flavour| {
            let tokens = tokens(sql, flavour).into_iter();
            let words = tokens.filter_map(|it| match it {
                Token::Word(word) => Some(word),
                _ => None,
            });
            words.collect::<Vec<_>>().join(" ")
        };
        for (sql, flavour, expected) in [
            ("SELECT 'a ''b' x -- y\nz", Flavour::Postgres, "SELECT x z"),
            (r"SELECT 'a\' b' x", Flavour::MySql, "SELECT x"),
            (r"SELECT 'a\' b", Flavour::Postgres, "SELECT b"),
            (r"SELECT e'a\' b' x", Flavour::Postgres, "SELECT x"),
            ("a $t$ b $$ c $t$ d", Flavour::Postgres, "a d"),
            ("a /* b /* c */ d */ e", Flavour::Postgres, "a e"),
            ("a /* b /* c */ d", Flavour::Sqlite, "a d"),
            ("a # b\nc --d", Flavour::MySql, "a c d"),
            ("/*!50000 a */ b /* c */", Flavour::MariaDb, "a b"),
            ("`a` b", Flavour::MySql, "b"),
            ("\"a\" b [c] d", Flavour::Sqlite, "b d"),
            ("a 'no end", Flavour::Sqlite, "a"),
        ] {
            assert_eq!(words(sql, flavour), expected, "{sql}");
        }
    }

    #[test]
    fn no_text_panics() {
        for sql in [
            "",
            "'",
            "e'",
            "$",
            "$$",
            "$a",
            "/*",
            "*/",
            "--",
            "[",
            "\u{e9}'\u{e9}",
            "é$é$",
        ] {
            for flavour in [
                Flavour::MySql,
                Flavour::MariaDb,
                Flavour::Postgres,
                Flavour::Sqlite,
            ] {
                tokens(sql, flavour);
            }
        }
    }
}
