//! Whether a `;` ends a statement, or stands within the body of a trigger or a routine.

use super::error::ScriptError;
use super::lexer::{Token, TokenKind};
use crate::engine::Flavour;

/// Follows one statement from its first piece.
#[derive(Debug)]
pub(super) struct Body {
    flavour: Flavour,
    header: Header,
    /// The blocks that are open, with the place of their first word.
    blocks: Vec<(Block, usize)>,
    parentheses: usize,
    awaiting: Awaiting,
    previous: Previous,
    /// Whether the statement within the body declares something. A handler may be a block.
    is_declaration: bool,
}

/// How far the statement's kind is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    Start,
    /// `CREATE …`, without the word for what is created.
    Create,
    /// `CREATE … DEFINER = …`
    Definer,
    /// `ALTER`
    Alter,
    /// `BEGIN`, which MariaDB may follow with `NOT ATOMIC`.
    Begin,
    /// `BEGIN NOT`
    BeginNot,
    /// It may have a body.
    Routine,
    /// PostgreSQL's `CREATE RULE`: several statements in parentheses.
    Rule,
    /// It has no body.
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Begin,
    Case,
}

/// What the next piece decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    Nothing,
    /// PostgreSQL's BEGIN at this place: a body begins only with BEGIN ATOMIC.
    AfterBegin(usize),
    /// END: what it ends stands behind it.
    AfterEnd,
    /// MariaDB's END FOR: a loop's end, or a CASE's before FOR UPDATE.
    AfterEndFor,
}

/// The piece before the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Previous {
    Word(String),
    Symbol(char),
    Other,
}

/// After these words a statement begins within a body.
const BEFORE_STATEMENTS: [&str; 7] = ["ATOMIC", "BEGIN", "DO", "ELSE", "LOOP", "REPEAT", "THEN"];

/// After these words comes the name of what is created.
const BEFORE_NAMES: [&str; 5] = ["EVENT", "EXISTS", "FUNCTION", "PROCEDURE", "TRIGGER"];

impl Body {
    pub(super) fn new(flavour: Flavour) -> Self {
        Self {
            flavour,
            header: Header::Start,
            blocks: Vec::new(),
            parentheses: 0,
            awaiting: Awaiting::Nothing,
            previous: Previous::Other,
            is_declaration: false,
        }
    }

    /// Takes the statement's next piece, which is not blank.
    pub(super) fn feed(&mut self, token: &Token, text: &str) {
        let written = &text[token.range.clone()];
        // MySQL's `/*! … */`, which may stand anywhere.
        if written.starts_with("/*") {
            return;
        }
        let current = match token.kind {
            TokenKind::Word => Previous::Word(written.to_ascii_uppercase()),
            TokenKind::Other | TokenKind::Delimiter => match written.chars().next() {
                Some(symbol) if written.len() == symbol.len_utf8() => Previous::Symbol(symbol),
                _ => Previous::Other,
            },
            TokenKind::Blank
            | TokenKind::Quoted
            | TokenKind::Variable(_)
            | TokenKind::Backslash => Previous::Other,
        };
        match &current {
            Previous::Symbol('(') => self.parentheses += 1,
            Previous::Symbol(')') => self.parentheses = self.parentheses.saturating_sub(1),
            Previous::Word(_) | Previous::Symbol(_) | Previous::Other => {}
        }
        match self.header {
            Header::Routine => self.inside(&current, token.range.start),
            Header::Rule | Header::Plain => {}
            Header::BeginNot if current == Previous::Word("ATOMIC".to_owned()) => {
                self.header = Header::Routine;
                self.blocks.push((Block::Begin, token.range.start));
            }
            Header::Start
            | Header::Create
            | Header::Definer
            | Header::Alter
            | Header::Begin
            | Header::BeginNot => self.header = self.header_after(&current),
        }
        self.previous = current;
    }

    /// Whether a `;` here stands within the statement.
    pub(super) fn is_open(&self) -> bool {
        let ends_here = usize::from(self.awaiting == Awaiting::AfterEnd);
        self.blocks.len() > ends_here || (self.header == Header::Rule && self.parentheses > 0)
    }

    /// The mistake of a statement that ends here, if its body does not.
    pub(super) fn unended(&mut self, text: &str) -> Option<ScriptError> {
        self.decide(None);
        let (block, at) = self.blocks.last()?;
        let block = match block {
            Block::Begin => "BEGIN",
            Block::Case => "CASE",
        };
        Some(ScriptError::at(
            text,
            *at,
            format!(
                "the {block} that begins here has no END, so the statement has none; if the END \
                 is there, put DELIMITER // on a line before the statement, // behind it, and \
                 DELIMITER ; on a line after it"
            ),
        ))
    }

    fn header_after(&self, current: &Previous) -> Header {
        let Previous::Word(word) = current else {
            return match self.header {
                Header::Definer => Header::Definer,
                _ => Header::Plain,
            };
        };
        let is_name = matches!(self.previous, Previous::Symbol('=' | '@'));
        match (self.header, word.as_str()) {
            (Header::Start, "CREATE") => Header::Create,
            (Header::Start, "ALTER") if self.flavour.is_innodb() => Header::Alter,
            (Header::Start, "BEGIN") if self.flavour == Flavour::MariaDb => Header::Begin,
            (Header::Begin, "NOT") => Header::BeginNot,
            (Header::Definer, _) if is_name => Header::Definer,
            (
                Header::Create,
                "OR" | "REPLACE" | "TEMP" | "TEMPORARY" | "CONSTRAINT" | "AGGREGATE",
            ) => Header::Create,
            (Header::Create, "DEFINER") => Header::Definer,
            (Header::Create, "RULE") if self.flavour == Flavour::Postgres => Header::Rule,
            (Header::Create | Header::Definer, "TRIGGER" | "FUNCTION" | "PROCEDURE" | "EVENT")
            | (Header::Alter, "EVENT") => Header::Routine,
            (Header::Definer, "VIEW" | "SQL" | "TABLE") => Header::Plain,
            (Header::Alter, "DEFINER") => Header::Definer,
            (Header::Definer, _) => Header::Definer,
            _ => Header::Plain,
        }
    }

    fn inside(&mut self, current: &Previous, at: usize) {
        let is_first = self.begins_statement();
        let Previous::Word(word) = current else {
            self.decide(None);
            return;
        };
        if self.decide(Some(word)) {
            return;
        }
        if is_first {
            self.is_declaration = word == "DECLARE";
        }
        match word.as_str() {
            "BEGIN" if self.may_begin() => match self.flavour {
                Flavour::Postgres => self.awaiting = Awaiting::AfterBegin(at),
                Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => {
                    self.blocks.push((Block::Begin, at));
                }
            },
            "CASE" if self.previous != Previous::Symbol('.') => {
                self.blocks.push((Block::Case, at));
            }
            "END" if self.may_end() => self.awaiting = Awaiting::AfterEnd,
            _ => {}
        }
    }

    /// Decides what was left open until the next word. Returns whether that word is used up.
    fn decide(&mut self, word: Option<&str>) -> bool {
        match (
            std::mem::replace(&mut self.awaiting, Awaiting::Nothing),
            word,
        ) {
            (Awaiting::Nothing, _) => false,
            (Awaiting::AfterBegin(at), Some("ATOMIC")) => {
                self.blocks.push((Block::Begin, at));
                true
            }
            (Awaiting::AfterBegin(_), _) => false,
            (Awaiting::AfterEnd, Some("IF" | "LOOP" | "WHILE" | "REPEAT"))
                if self.flavour.is_innodb() =>
            {
                true
            }
            (Awaiting::AfterEnd, Some("FOR")) if self.flavour == Flavour::MariaDb => {
                self.awaiting = Awaiting::AfterEndFor;
                true
            }
            (Awaiting::AfterEnd, word) => {
                self.blocks.pop();
                word == Some("CASE")
            }
            (Awaiting::AfterEndFor, Some("UPDATE" | "SHARE")) => {
                self.blocks.pop();
                true
            }
            (Awaiting::AfterEndFor, _) => false,
        }
    }

    /// Columns and other things may be named `begin` as well.
    fn may_begin(&self) -> bool {
        if !self.blocks.is_empty() {
            return self.begins_statement() || self.is_declaration;
        }
        let is_name = match &self.previous {
            Previous::Word(word) => BEFORE_NAMES.contains(&word.as_str()),
            Previous::Symbol(symbol) => ['.', ',', '@'].contains(symbol),
            Previous::Other => false,
        };
        self.parentheses == 0 && !is_name
    }

    /// Columns may be named `end` as well.
    fn may_end(&self) -> bool {
        match (self.blocks.last(), &self.previous) {
            (Some((Block::Case, _)), previous) => *previous != Previous::Symbol('.'),
            (Some((Block::Begin, _)), Previous::Word(word)) => word == "BEGIN" || word == "ATOMIC",
            (Some((Block::Begin, _)), previous) => *previous == Previous::Symbol(';'),
            (None, _) => false,
        }
    }

    /// Whether a statement within the body begins with the current piece.
    fn begins_statement(&self) -> bool {
        match &self.previous {
            Previous::Word(word) => BEFORE_STATEMENTS.contains(&word.as_str()),
            Previous::Symbol(symbol) => [';', ':'].contains(symbol),
            Previous::Other => false,
        }
    }
}
