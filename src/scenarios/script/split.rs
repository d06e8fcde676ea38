//! A text split into statements and meta-commands.

use std::ops::Range;

use super::body::Body;
use super::command::Command;
use super::error::{ScriptError, line_of};
use super::lexer::{Lexer, Naming, Token, TokenKind};
use super::template::{Place, Template};
use crate::engine::Flavour;

/// A statement or a meta-command.
#[derive(Debug)]
pub(super) enum Piece {
    Statement(Source),
    Command(Command),
}

/// Where a statement stands in the text, without blanks around it and without its delimiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) range: Range<usize>,
    /// The variables in it, with their places in the whole text.
    pub(super) places: Vec<Place>,
}

impl Source {
    /// The statement, with its variables' places within it.
    pub(super) fn template(self, text: &str) -> Template {
        let start = self.range.start;
        let places = self.places.into_iter().map(|place| place.from(start));
        Template::of_sql(&text[self.range], places.collect())
    }
}

/// Splits a text.
#[derive(Debug)]
pub(super) struct Splitter<'t> {
    lexer: Lexer<'t>,
    /// What the meta-commands are called for, if there may be none.
    refusal: Option<&'static str>,
}

/// A statement whose end was not yet found.
#[derive(Debug)]
struct Pending {
    source: Source,
    body: Body,
}

impl<'t> Splitter<'t> {
    /// For a client's script.
    pub(super) fn of_script(text: &'t str, flavour: Flavour) -> Self {
        Self {
            lexer: Lexer::new(text, flavour, Naming::Plain),
            refusal: None,
        }
    }

    /// For SQL without meta-commands. `refusal` says where they do belong.
    pub(super) fn of_sql(
        text: &'t str,
        flavour: Flavour,
        naming: Naming,
        refusal: &'static str,
    ) -> Self {
        Self {
            lexer: Lexer::new(text, flavour, naming),
            refusal: Some(refusal),
        }
    }

    /// The next statement or meta-command. `None` at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, ScriptError> {
        let mut pending: Option<Pending> = None;
        loop {
            let Some(token) = self.lexer.next()? else {
                return self.end(pending);
            };
            match token.kind {
                TokenKind::Blank => {}
                TokenKind::Delimiter => match &mut pending {
                    Some(it) if self.is_within(it) => it.add(token, self.lexer.text),
                    Some(_) => return self.end(pending),
                    None => {}
                },
                TokenKind::Backslash => match pending {
                    Some(pending) => return self.command_behind(pending, &token).map(Some),
                    None => return self.command(&token).map(Some),
                },
                TokenKind::Word if self.is_delimiter_command(&token, pending.as_ref())? => {
                    self.change_delimiter(&token)?;
                }
                TokenKind::Word | TokenKind::Quoted | TokenKind::Variable(_) | TokenKind::Other => {
                    let flavour = self.lexer.flavour;
                    pending
                        .get_or_insert_with(|| Pending::new(token.range.start, flavour))
                        .add(token, self.lexer.text);
                }
            }
        }
    }

    /// Whether a delimiter here belongs to the statement's body.
    fn is_within(&self, pending: &Pending) -> bool {
        self.lexer.delimiter == ";" && pending.body.is_open()
    }

    fn end(&self, pending: Option<Pending>) -> Result<Option<Piece>, ScriptError> {
        let Some(mut pending) = pending else {
            return Ok(None);
        };
        if self.lexer.delimiter == ";"
            && let Some(error) = pending.body.unended(self.lexer.text)
        {
            return Err(error);
        }
        Ok(Some(Piece::Statement(pending.source)))
    }

    fn command(&mut self, backslash: &Token) -> Result<Piece, ScriptError> {
        if let Some(refusal) = self.refusal {
            let written = self.lexer.rest().split_whitespace().next().unwrap_or("");
            return Err(self.error_at(
                backslash,
                format!("\\{written} is a meta-command, and {refusal}"),
            ));
        }
        Command::read(&mut self.lexer, backslash.range.start).map(Piece::Command)
    }

    /// A meta-command behind a statement that was not ended. Only `\gset` ends one.
    fn command_behind(
        &mut self,
        pending: Pending,
        backslash: &Token,
    ) -> Result<Piece, ScriptError> {
        let after_backslash = self.lexer.at;
        let command = self.command(backslash)?;
        if let Piece::Command(command) = &command
            && !command.ends_statement()
        {
            let line = line_of(self.lexer.text, pending.source.range.start);
            let delimiter = &self.lexer.delimiter;
            return Err(self.error_at(
                backslash,
                format!(
                    "the statement that begins on line {line} has not ended before {}: \
                     {delimiter} is missing; a statement is whole, no meta-command stands in it",
                    command.written()
                ),
            ));
        }
        // It is read again once the statement has been returned.
        self.lexer.at = after_backslash - 1;
        match self.end(Some(pending))? {
            Some(statement) => Ok(statement),
            None => Ok(command),
        }
    }

    /// Whether this word is the mysql client's DELIMITER, alone at the beginning of its line.
    fn is_delimiter_command(
        &self,
        word: &Token,
        pending: Option<&Pending>,
    ) -> Result<bool, ScriptError> {
        let text = self.lexer.text;
        if !text[word.range.clone()].eq_ignore_ascii_case("delimiter") {
            return Ok(false);
        }
        let begins_line = text[..word.range.start]
            .rsplit('\n')
            .next()
            .is_none_or(|before| before.trim().is_empty());
        match pending {
            None if begins_line => Ok(true),
            None => Err(self.error_at(word, "DELIMITER belongs at the beginning of a line")),
            // Elsewhere it is a word of SQL: an option of PostgreSQL's COPY.
            Some(pending) if begins_line && self.lexer.flavour.is_innodb() => {
                let line = line_of(text, pending.source.range.start);
                Err(self.error_at(
                    word,
                    format!(
                        "the statement that begins on line {line} has not ended before \
                         DELIMITER: {} is missing",
                        self.lexer.delimiter
                    ),
                ))
            }
            Some(_) => Ok(false),
        }
    }

    fn change_delimiter(&mut self, word: &Token) -> Result<(), ScriptError> {
        let line = self.lexer.rest().split('\n').next().unwrap_or("");
        let mut words = line.split_whitespace();
        let delimiter = words.next().unwrap_or("");
        let is_comment = delimiter.starts_with("--")
            || delimiter.starts_with("/*")
            || (delimiter.starts_with('#') && self.lexer.flavour.is_innodb());
        let complaint = if delimiter.is_empty() {
            "DELIMITER needs what ends a statement from here on: `DELIMITER //`".to_owned()
        } else if delimiter.contains(['\'', '"', '`', '\\']) || is_comment {
            format!(
                "{delimiter} would be a quote, a comment or a meta-command; `DELIMITER //` is right"
            )
        } else if let Some(more) = words.next() {
            format!(
                "DELIMITER takes one word, and {more} is another; it belongs on a line of its own"
            )
        } else {
            self.lexer.delimiter = delimiter.to_owned();
            self.lexer.at += line.len();
            return Ok(());
        };
        Err(self.error_at(word, complaint))
    }

    fn error_at(&self, token: &Token, message: impl Into<String>) -> ScriptError {
        ScriptError::at(self.lexer.text, token.range.start, message)
    }
}

impl Pending {
    fn new(start: usize, flavour: Flavour) -> Self {
        Self {
            source: Source {
                range: start..start,
                places: Vec::new(),
            },
            body: Body::new(flavour),
        }
    }

    fn add(&mut self, token: Token, text: &str) {
        self.body.feed(&token, text);
        self.source.range.end = token.range.end;
        if let TokenKind::Variable(place) = token.kind {
            self.source.places.push(place);
        }
    }
}
