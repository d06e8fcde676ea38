//! The words, blocks of SQL and signs of a `.spec` file, as isolationtester's scanner sees them.
//!
//! A block ends at the first closing brace, wherever it is: the scanner knows nothing of SQL's
//! strings and comments.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use super::{Place, SpecError};

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Keyword(Keyword),
    /// A name, with or without quotes.
    Name(String),
    /// A block of SQL, without its braces.
    Block(String),
    Number(u32),
    Open,
    Close,
    Comma,
    Star,
    /// The end of the file.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Notices,
    Permutation,
    Session,
    Setup,
    Step,
    Teardown,
}

impl Keyword {
    const ALL: [Self; 6] = [
        Self::Notices,
        Self::Permutation,
        Self::Session,
        Self::Setup,
        Self::Step,
        Self::Teardown,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Notices => "notices",
            Self::Permutation => "permutation",
            Self::Session => "session",
            Self::Setup => "setup",
            Self::Step => "step",
            Self::Teardown => "teardown",
        }
    }
}

/// As an error message names what it has found.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyword(keyword) => write!(f, "the word \"{}\"", keyword.word()),
            Self::Name(name) => write!(f, "the name \"{name}\""),
            Self::Block(_) => f.write_str("a block of SQL"),
            Self::Number(number) => write!(f, "the number {number}"),
            Self::Open => f.write_str("\"(\""),
            Self::Close => f.write_str("\")\""),
            Self::Comma => f.write_str("\",\""),
            Self::Star => f.write_str("\"*\""),
            Self::End => f.write_str("the end of the file"),
        }
    }
}

/// Reads tokens one by one.
pub(super) struct Lexer<'t> {
    rest: Peekable<Chars<'t>>,
    place: Place,
    /// Whether the last token was a block of SQL.
    is_behind_a_block: bool,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            rest: text.chars().peekable(),
            place: Place::START,
            is_behind_a_block: false,
        }
    }

    /// The next token and its place. After the end it is the end again.
    pub(super) fn next(&mut self) -> Result<(Token, Place), SpecError> {
        self.skip_blanks_and_comments();
        let place = self.place;
        let Some(first) = self.take() else {
            return Ok((Token::End, place));
        };
        let token = match first {
            '{' => self.block(place)?,
            '"' => self.quoted_name(place)?,
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '*' => Token::Star,
            '0'..='9' => self.number(first, place)?,
            _ if begins_a_name(first) => self.word(first),
            _ => return Err(SpecError::new(place, self.out_of_place(first))),
        };
        self.is_behind_a_block = matches!(token, Token::Block(_));
        Ok((token, place))
    }

    fn take(&mut self) -> Option<char> {
        let taken = self.rest.next()?;
        if taken == '\n' {
            self.place.line += 1;
            self.place.column = 1;
        } else {
            self.place.column += 1;
        }
        Some(taken)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.rest.peek().copied().filter(|it| wanted(*it)) {
            taken.push(next);
            self.take();
        }
        taken
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            self.take_while(|it| is_blank(it) || it == '\n');
            if self.rest.peek() != Some(&'#') {
                return;
            }
            self.take_while(|it| it != '\n' && it != '\r');
        }
    }

    fn block(&mut self, begin: Place) -> Result<Token, SpecError> {
        let text = self.take_while(|it| it != '}');
        if self.take().is_none() {
            return Err(SpecError::new(
                begin,
                "this block of SQL has no end; a \"}\" after its last statement ends it",
            ));
        }
        Ok(Token::Block(text.trim_matches(is_blank).to_owned()))
    }

    /// Two quotes in a quoted name are one in the name.
    fn quoted_name(&mut self, begin: Place) -> Result<Token, SpecError> {
        let mut name = String::new();
        loop {
            match self.take() {
                Some('"') if self.rest.peek() == Some(&'"') => {
                    self.take();
                    name.push('"');
                }
                Some('"') => return Ok(Token::Name(name)),
                Some('\n') | None => {
                    return Err(SpecError::new(
                        begin,
                        "this quoted name has no end in its line; a second \" ends it",
                    ));
                }
                Some(other) => name.push(other),
            }
        }
    }

    fn number(&mut self, first: char, place: Place) -> Result<Token, SpecError> {
        let digits = format!("{first}{}", self.take_while(|it| it.is_ascii_digit()));
        let most = i32::MAX.cast_unsigned();
        match digits.parse() {
            Ok(number) if number <= most => Ok(Token::Number(number)),
            _ => Err(SpecError::new(
                place,
                format!("{digits} is too large; at most {most} is right"),
            )),
        }
    }

    fn out_of_place(&self, one: char) -> String {
        let what = match one {
            '}' => "\"}\" ends no block of SQL".to_owned(),
            '\'' => "a name is quoted with \", not with '".to_owned(),
            ';' => "\";\" stands within blocks of SQL only".to_owned(),
            other => format!(
                "{other:?} begins nothing; there are names, \"quoted names\", {{ blocks of SQL }} and \
                 # comments"
            ),
        };
        if self.is_behind_a_block {
            // The most frequent mistake by far: a document or an array in a string.
            format!(
                "{what}. A block ends at its first \"}}\", even within a string or a comment, so that \
                 its SQL has to do without one"
            )
        } else {
            what
        }
    }

    fn word(&mut self, first: char) -> Token {
        let is_within = |it: char| begins_a_name(it) || it.is_ascii_digit() || it == '$';
        let word = format!("{first}{}", self.take_while(is_within));
        let mut keywords = Keyword::ALL.into_iter();
        match keywords.find(|it| it.word() == word) {
            Some(keyword) => Token::Keyword(keyword),
            None => Token::Name(word),
        }
    }
}

/// A line break is no blank: one at the beginning or end of a block belongs to the SQL.
fn is_blank(one: char) -> bool {
    matches!(one, ' ' | '\t' | '\r' | '\x0c')
}

fn begins_a_name(one: char) -> bool {
    one.is_ascii_alphabetic() || one == '_' || !one.is_ascii()
}
