//! The tokens of an SQL statement, as far as it takes to know what kind of statement it is.

use crate::engine::Flavour;

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
    let mut scanner = Scanner {
        sql,
        at: 0,
        is_innodb: matches!(flavour, Flavour::MySql | Flavour::MariaDb),
        flavour,
    };
    std::iter::from_fn(|| scanner.next_token()).collect()
}

struct Scanner<'t> {
    sql: &'t str,
    at: usize,
    is_innodb: bool,
    flavour: Flavour,
}

impl<'t> Scanner<'t> {
    fn rest(&self) -> &'t str {
        &self.sql[self.at..]
    }

    fn next_token(&mut self) -> Option<Token<'t>> {
        loop {
            let rest = self.rest();
            let first = rest.chars().next()?;
            if first.is_whitespace() {
                self.at += first.len_utf8();
            } else if !self.skip_comment() {
                return Some(self.token(first));
            }
        }
    }

    /// Skips a comment, if one begins here. The code in `/*! … */` is none on MySQL.
    fn skip_comment(&mut self) -> bool {
        let rest = self.rest();
        let is_line = rest.starts_with("--") && self.dashes_begin_a_comment(rest)
            || self.is_innodb && rest.starts_with('#');
        if is_line {
            self.at += rest.find('\n').unwrap_or(rest.len());
        } else if self.is_innodb && (rest.starts_with("/*!") || rest.starts_with("/*M!")) {
            let mark = if rest.starts_with("/*!") { 3 } else { 4 };
            let digits = rest[mark..].bytes().take_while(u8::is_ascii_digit).count();
            self.at += mark + digits;
        } else if self.is_innodb && rest.starts_with("*/") {
            self.at += 2;
        } else if rest.starts_with("/*") {
            self.at += self.length_of_comment(rest);
        } else {
            return false;
        }
        true
    }

    fn dashes_begin_a_comment(&self, rest: &str) -> bool {
        let third = rest[2..].chars().next();
        !self.is_innodb || third.is_none_or(|it| it.is_whitespace() || it.is_control())
    }

    fn length_of_comment(&self, rest: &str) -> usize {
        let mut depth = 0_usize;
        let mut at = 0;
        while at < rest.len() {
            let here = &rest[at..];
            if here.starts_with("/*") && (depth == 0 || self.flavour == Flavour::Postgres) {
                depth += 1;
                at += 2;
            } else if here.starts_with("*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    break;
                }
            } else {
                at += here.chars().next().map_or(1, char::len_utf8);
            }
        }
        at
    }

    fn token(&mut self, first: char) -> Token<'t> {
        let rest = self.rest();
        match first {
            '\'' => self.quoted(0, '\'', self.is_innodb, |_| Token::Text),
            '"' if self.is_innodb => self.quoted(0, '"', true, |_| Token::Text),
            '"' => self.quoted(0, '"', false, Token::Name),
            '`' if self.flavour != Flavour::Postgres => self.quoted(0, '`', false, Token::Name),
            '[' if self.flavour == Flavour::Sqlite => self.quoted(0, ']', false, Token::Name),
            '$' if self.flavour == Flavour::Postgres => self.in_dollars(),
            'e' | 'E' if self.flavour == Flavour::Postgres && rest[1..].starts_with('\'') => {
                self.quoted(1, '\'', true, |_| Token::Text)
            }
            _ if first.is_alphabetic() || first == '_' => Token::Word(self.take(is_of_a_word)),
            _ if first.is_ascii_digit() => {
                Token::Number(self.take(|it| it.is_ascii_alphanumeric() || it == '.'))
            }
            _ => {
                self.at += first.len_utf8();
                Token::Symbol(first)
            }
        }
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|it| !is_part(it)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// A token between quotes, after a prefix of this length. A quote that is doubled does not end
    /// it.
    fn quoted(
        &mut self,
        prefix: usize,
        end: char,
        has_escapes: bool,
        token: impl Fn(&'t str) -> Token<'t>,
    ) -> Token<'t> {
        let rest = &self.rest()[prefix + 1..];
        let mut characters = rest.char_indices().peekable();
        let mut length = rest.len();
        let mut after = rest.len();
        while let Some((at, character)) = characters.next() {
            if has_escapes && character == '\\' {
                characters.next();
            } else if character == end && characters.next_if(|(_, next)| *next == end).is_none() {
                (length, after) = (at, at + end.len_utf8());
                break;
            }
        }
        self.at += prefix + 1 + after;
        token(&rest[..length])
    }

    /// A string between `$tag$` and `$tag$`, or a parameter's sign.
    fn in_dollars(&mut self) -> Token<'t> {
        let rest = self.rest();
        let tag = rest[1..].find('$').map(|end| &rest[..end + 2]);
        let is_tag = |tag: &&str| {
            let name = &tag[1..tag.len() - 1];
            name.chars().all(is_of_a_word) && !name.starts_with(|it: char| it.is_ascii_digit())
        };
        match tag.filter(is_tag) {
            Some(tag) => {
                let body = &rest[tag.len()..];
                let end = body.find(tag).map_or(rest.len(), |at| at + 2 * tag.len());
                self.at += end;
                Token::Text
            }
            None => {
                self.at += 1;
                Token::Symbol('$')
            }
        }
    }
}

fn is_of_a_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
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
