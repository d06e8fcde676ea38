//! Why a text is no script, and where.

use std::fmt;

/// A mistake in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// The line within the text, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
    /// What was wrong, and what would be right.
    pub message: String,
}

impl ScriptError {
    /// A mistake at this byte of the text.
    pub(super) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        Self {
            line: line_of(text, offset),
            column: column_of(text, offset),
            message: message.into(),
        }
    }
}

/// The line of this byte of the text, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// The character within its line at which this byte of the text stands, from 1.
pub(super) fn column_of(text: &str, offset: usize) -> usize {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    before[line_start..].chars().count() + 1
}

/// Counts lines on the way through a text, which may be long: set-up fills tables.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
        }
    }

    /// The line of this byte, from 1. It comes after those that were asked for before.
    pub(super) fn line_of(&mut self, offset: usize) -> usize {
        self.line += self.text[self.offset..offset].matches('\n').count();
        self.offset = offset;
        self.line
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            message,
        } = self;
        write!(f, "line {line}, column {column}: {message}")
    }
}

impl std::error::Error for ScriptError {}
