//! Where strings, quoted identifiers and comments end, in each engine's SQL. What splits a script
//! and what tells a statement's kind must agree on it, so it is here once.

use super::Flavour;

/// Text in which something that is quoted begins at `start`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quotes<'t> {
    pub(crate) text: &'t str,
    pub(crate) flavour: Flavour,
    pub(crate) start: usize,
}

/// Something that is quoted and has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endless {
    /// Where it begins.
    pub(crate) start: usize,
    /// What is wrong, and what would be right.
    pub(crate) message: String,
}

/// What a quote encloses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoted {
    String,
    Identifier,
}

/// Whether a name may begin with it.
pub(crate) fn begins_word(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

/// Whether a name may go on with it.
pub(crate) fn continues_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

impl Quotes<'_> {
    /// The end of the comment that begins here. `None` if none does.
    pub(crate) fn comment(self) -> Result<Option<usize>, Endless> {
        let rest = &self.text[self.start..];
        if let Some(after) = rest.strip_prefix("--") {
            let needs_space = self.flavour.is_innodb();
            let has_space =
                after.is_empty() || after.starts_with(|it: char| it.is_whitespace() || it <= ' ');
            return Ok((!needs_space || has_space).then(|| self.line_end()));
        }
        if rest.starts_with('#') && self.flavour.is_innodb() {
            return Ok(Some(self.line_end()));
        }
        if rest.starts_with("/*") && !self.is_code() {
            return self.block_comment().map(Some);
        }
        Ok(None)
    }

    /// Whether MySQL's `/*!` or MariaDB's `/*M!` begins here: a comment that is carried out.
    pub(crate) fn is_code(self) -> bool {
        let rest = &self.text[self.start..];
        match self.flavour {
            Flavour::MySql => rest.starts_with("/*!"),
            Flavour::MariaDb => rest.starts_with("/*!") || rest.starts_with("/*M!"),
            Flavour::Postgres | Flavour::Sqlite => false,
        }
    }

    /// The end of the code that begins here. Strings in it may hold its end.
    pub(crate) fn code(self) -> Result<usize, Endless> {
        let mut at = self.start + "/*".len();
        while let Some(next) = self.text[at..].chars().next() {
            let rest = &self.text[at..];
            let inside = Self { start: at, ..self };
            at = match next {
                _ if rest.starts_with("*/") => return Ok(at + "*/".len()),
                '/' if rest.starts_with("/*") => inside.block_comment()?,
                '\'' | '"' | '`' => inside.quoted(next)?,
                _ => at + next.len_utf8(),
            };
        }
        Err(self.error("the comment that begins here has no end: */ is missing"))
    }

    /// The end of what this quote encloses, which begins here.
    pub(crate) fn quoted(self, quote: char) -> Result<usize, Endless> {
        let is_identifier = quote == '`' || (quote == '"' && !self.flavour.is_innodb());
        if is_identifier {
            return self.until_quote(quote, false, Quoted::Identifier);
        }
        self.until_quote(quote, self.flavour.is_innodb(), Quoted::String)
    }

    /// The end of PostgreSQL's `E'…'`, whose quote is here. Such a string may go on after a line
    /// break, in quotes of its own.
    pub(crate) fn escaped(self) -> Result<usize, Endless> {
        let mut end = self.until_quote('\'', true, Quoted::String)?;
        loop {
            let rest = &self.text[end..];
            let more = rest.trim_start();
            let between = &rest[..rest.len() - more.len()];
            if !more.starts_with('\'') || !between.contains(['\n', '\r']) {
                return Ok(end);
            }
            let start = end + between.len();
            let next = Self { start, ..self };
            end = next.until_quote('\'', true, Quoted::String)?;
        }
    }

    /// The end of SQLite's `[…]`, which begins here.
    pub(crate) fn bracketed(self) -> Result<usize, Endless> {
        let end = self.text[self.start..].find(']');
        end.map(|end| self.start + end + 1).ok_or_else(|| {
            self.error("the name that begins here has no end: ] is missing; on SQLite [ quotes")
        })
    }

    /// The end of PostgreSQL's `$tag$…$tag$`. `None` if none begins here.
    pub(crate) fn dollars(self) -> Result<Option<usize>, Endless> {
        let rest = &self.text[self.start + 1..];
        let Some(tag_end) = rest.find(|it: char| !continues_name(it)) else {
            return Ok(None);
        };
        let starts_right = tag_end == 0 || rest.starts_with(begins_word);
        if !rest[tag_end..].starts_with('$') || !starts_right {
            return Ok(None);
        }
        let tag = &self.text[self.start..self.start + tag_end + 2];
        let body = self.start + tag.len();
        match self.text[body..].find(tag) {
            Some(end) => Ok(Some(body + end + tag.len())),
            None => Err(self.error(format!(
                "the text that begins here has no end: a second {tag} is missing"
            ))),
        }
    }

    fn line_end(self) -> usize {
        let rest = &self.text[self.start..];
        let breaks: &[char] = match self.flavour {
            Flavour::Postgres => &['\n', '\r'],
            Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => &['\n'],
        };
        rest.find(breaks)
            .map_or(self.text.len(), |at| self.start + at)
    }

    /// Only PostgreSQL's comments may hold others.
    fn block_comment(self) -> Result<usize, Endless> {
        let mut depth = 0;
        let mut at = self.start;
        loop {
            let rest = &self.text[at..];
            if rest.starts_with("/*") && (depth == 0 || self.flavour == Flavour::Postgres) {
                depth += 1;
                at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                at += 2;
            } else if let Some(next) = rest.chars().next() {
                at += next.len_utf8();
            } else {
                let nests = match self.flavour {
                    Flavour::Postgres => "; on PostgreSQL each /* needs a */ of its own",
                    Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => "",
                };
                return Err(self.error(format!(
                    "the comment that begins here has no end: */ is missing{nests}"
                )));
            }
            if depth == 0 {
                return Ok(at);
            }
        }
    }

    /// The place behind the closing quote. A doubled quote closes nothing.
    fn until_quote(self, quote: char, has_escapes: bool, what: Quoted) -> Result<usize, Endless> {
        let inside = self.start + quote.len_utf8();
        let mut characters = self.text[inside..].char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if has_escapes && character == '\\' {
                characters.next();
            } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none()
            {
                return Ok(inside + at + quote.len_utf8());
            }
        }
        Err(self.error(self.endless(quote, has_escapes, what)))
    }

    /// Says that a quote is never closed, and what most often is the reason.
    fn endless(self, quote: char, has_escapes: bool, what: Quoted) -> String {
        let what = match what {
            Quoted::String => "the string that begins here has no end",
            Quoted::Identifier => "the name that begins here has no end",
        };
        let line = self.text[..self.start].rfind('\n').map_or(0, |at| at + 1);
        let around = &self.text[line..];
        let flavour = self.flavour;
        let follows_word = self.text[..self.start].ends_with(char::is_alphanumeric);
        let escaped_quote = format!("\\{quote}");
        if !has_escapes && around.contains(&escaped_quote) {
            format!(
                "{what}; on {flavour} a backslash does not escape a quote, double it: {quote}{quote}"
            )
        } else if has_escapes && around.contains(&escaped_quote) {
            format!(
                "{what}; on {flavour} a backslash escapes the quote behind it, double the \
                 backslash if the quote is to close: \\\\{quote}"
            )
        } else if follows_word {
            format!(
                "{what}; it follows a letter: if the string before it holds a quote, double \
                 that: {quote}{quote}"
            )
        } else {
            format!("{what}: {quote} is missing; a quote within is doubled: {quote}{quote}")
        }
    }

    fn error(self, message: impl Into<String>) -> Endless {
        Endless {
            start: self.start,
            message: message.into(),
        }
    }
}
