//! The short messages of a server: errors, completed statements and states.

use super::bytes::{Bytes, NotUnderstood};
use crate::proxy::shown::shortened;

/// An error that a server answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::proxy) struct ServerError {
    /// The SQLSTATE: `40001`.
    pub(in crate::proxy) code: String,
    /// `ERROR`, or `FATAL` or `PANIC` if the server ends the connection.
    pub(in crate::proxy) severity: String,
    /// The server's message.
    pub(in crate::proxy) message: String,
    /// What it says besides.
    pub(in crate::proxy) detail: Option<String>,
    /// What it suggests.
    pub(in crate::proxy) hint: Option<String>,
}

impl ServerError {
    /// A field of an error is cut after this number of bytes.
    const MOST_TEXT: usize = 8 * 1024;

    /// Reads an ErrorResponse as far as it goes.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut error = Self::default();
        let mut bytes = Bytes::new(body);
        let mut translated = None;
        while let Ok(field @ 1..) = bytes.u8() {
            let text = shortened(bytes.text(), Self::MOST_TEXT);
            match field {
                b'C' => error.code = text,
                b'V' => error.severity = text,
                b'S' => translated = Some(text),
                b'M' => error.message = text,
                b'D' => error.detail = Some(text),
                b'H' => error.hint = Some(text),
                _ => {}
            }
        }
        // Servers before 9.6, and some that are none, send the translated severity alone.
        if error.severity.is_empty() {
            error.severity = translated.unwrap_or_default();
        }
        error
    }

    /// Whether the server ends the connection.
    pub(super) fn is_fatal(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }
}

/// What a transaction block is in, as the server says it when it waits for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// No block is open: each statement, or all up to a Sync, is a transaction.
    None,
    Open,
    /// The block's transaction is rolled back, and all but its end is refused.
    Failed,
}

/// Reads ReadyForQuery.
pub(super) fn read_ready(body: &[u8]) -> Result<Block, NotUnderstood> {
    match body {
        b"I" => Ok(Block::None),
        b"T" => Ok(Block::Open),
        b"E" => Ok(Block::Failed),
        other => Err(NotUnderstood(format!(
            "a transaction has no state {other:x?}"
        ))),
    }
}

/// What CommandComplete says: `UPDATE 3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandTag {
    /// Its words: `UPDATE`.
    pub(super) words: String,
    /// How many rows it counted. 0 if it counts none.
    pub(super) rows: u64,
}

/// Reads CommandComplete.
pub(super) fn read_complete(body: &[u8]) -> Result<CommandTag, NotUnderstood> {
    let text = Bytes::new(body).name()?;
    let count = text.rsplit_once(' ').and_then(|(words, count)| {
        let rows = count.parse().ok()?;
        // INSERT has an object's id before its count, which is always 0 nowadays.
        Some((words.trim_end_matches(" 0").to_owned(), rows))
    });
    let (words, rows) = count.unwrap_or((text, 0));
    Ok(CommandTag { words, rows })
}

/// Reads BackendKeyData. Its key has four bytes in version 3.0, and up to 256 in version 3.2.
pub(super) fn read_process(body: &[u8]) -> Result<u32, NotUnderstood> {
    Bytes::new(body).u32()
}
