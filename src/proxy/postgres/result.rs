//! The results of a unit, and the messages that they come in.

use std::sync::Arc;

use super::bytes::NotUnderstood;
use super::columns::{Column, row};
use super::message::Message;
use super::reply::ServerError;
use crate::answer::Answer;
use crate::proxy::progress;

/// What a server has answered to one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::proxy) struct Outcome {
    /// One result for each statement. A refusal may follow the result of a statement that could not
    /// be committed. Empty if nothing ran.
    pub(in crate::proxy) results: Vec<StatementResult>,
}

/// What a server has answered to one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) enum StatementResult {
    /// It returns no rows.
    Done {
        /// How many rows it has changed, or copied.
        affected_rows: u64,
    },
    /// It returns rows. They have no columns if the client has never asked what they look like.
    Rows(Answer),
    /// The server refuses it, or something that prepares it, or its commit.
    Refused(ServerError),
}

/// How far an answer is.
pub(in crate::proxy) type Progress = progress::Progress<Outcome>;

/// Reads the rows of one statement after the other.
#[derive(Debug, Default)]
pub(super) struct RowsReader {
    /// `None` if they are not known: then no value is kept.
    columns: Option<Arc<[Column]>>,
    answer: Answer,
    has_begun: bool,
}

impl RowsReader {
    /// Whether it is known, or known to be unknown, what the rows look like.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The rows that follow have these columns.
    pub(super) fn begin(&mut self, columns: Option<Arc<[Column]>>) {
        let names = columns.iter().flat_map(|columns| columns.iter());
        self.answer.columns = names.map(|column| column.name.clone()).collect();
        self.columns = columns;
        self.has_begun = true;
    }

    /// Takes a row. One that is too long is counted and not kept.
    pub(super) fn take(&mut self, message: &Message) -> Result<(), NotUnderstood> {
        self.answer.row_count += 1;
        let is_kept = self.answer.rows.len() < Answer::MOST_ROWS && !message.is_continued;
        if let Some(columns) = self.columns.as_ref().filter(|_| is_kept) {
            self.answer.rows.extend(row(message.body(), columns)?);
        }
        Ok(())
    }

    /// The result of a statement that has ended.
    pub(super) fn end(&mut self, affected_rows: u64) -> StatementResult {
        let answer = std::mem::take(self).answer;
        if answer.has_rows() || answer.row_count > 0 {
            StatementResult::Rows(answer)
        } else {
            StatementResult::Done { affected_rows }
        }
    }

    /// What has come of a statement's rows does not count.
    pub(super) fn discard(&mut self) {
        *self = Self::default();
    }
}
