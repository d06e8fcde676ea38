//! The results of a command, and the packets that they come in.

use std::sync::Arc;

use super::bytes::{Bytes, NotUnderstood};
use super::capabilities::{Capabilities, Status, StatusFlags};
use super::columns::{self, Column};
use super::packet::Packet;
use super::reply::{
    ErrPacket, OkPacket, ServerError, is_eof, is_err, is_ok, read_end, read_err, read_ok,
};
use super::values::{binary_row, text_row};
use crate::answer::Answer;
use crate::proxy::progress;

/// What a server has answered to one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::proxy) struct Outcome {
    /// One result for each statement of a query, and for each result of a procedure. Nothing
    /// follows an error.
    pub(in crate::proxy) results: Vec<StatementResult>,
}

/// What a server has answered to one statement, or to a command without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) enum StatementResult {
    /// It returns no rows.
    Done {
        /// How many rows it has changed, or matched if the client asked for that.
        affected_rows: u64,
        /// The first number that the server has drawn for a key. 0 if there is none.
        last_insert_id: u64,
    },
    /// It returns rows.
    Rows(Answer),
    /// The server refuses it.
    Refused(ServerError),
}

impl StatementResult {
    /// The result of what changes nothing.
    pub(super) const NOTHING: Self = Self::Done {
        affected_rows: 0,
        last_insert_id: 0,
    };
}

impl From<OkPacket> for StatementResult {
    fn from(ok: OkPacket) -> Self {
        Self::Done {
            affected_rows: ok.affected_rows,
            last_insert_id: ok.last_insert_id,
        }
    }
}

/// How far an answer is.
pub(in crate::proxy) type Progress = progress::Progress<Outcome>;

/// The encoding of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowFormat {
    Text,
    Binary,
}

/// What comes next.
#[derive(Debug)]
enum Phase {
    /// The first packet of a result.
    First,
    /// This number of definitions.
    Definitions(u64),
    /// The EOF packet after the definitions.
    EndOfDefinitions,
    Rows,
}

/// Reads results: those of a query, of an execution, or the rows of a cursor.
#[derive(Debug)]
pub(super) struct ResultReader {
    agreed: Capabilities,
    format: RowFormat,
    opens_cursor: bool,
    is_fetch: bool,
    phase: Phase,
    /// Whether the rows are the OUT parameters of a procedure, and its own result follows.
    are_parameters: bool,
    /// The definitions of the result that is being read.
    defined: Vec<Column>,
    /// The columns of the rows. `None` if they are not known: then no value is kept.
    columns: Option<Arc<[Column]>>,
    answer: Answer,
    outcome: Outcome,
}

impl ResultReader {
    /// A reader of the results of a query.
    pub(super) fn of_query(agreed: Capabilities) -> Self {
        Self {
            agreed,
            format: RowFormat::Text,
            opens_cursor: false,
            is_fetch: false,
            phase: Phase::First,
            are_parameters: false,
            defined: Vec::new(),
            columns: None,
            answer: Answer::default(),
            outcome: Outcome::default(),
        }
    }

    /// A reader of the results of an execution. `columns` are those of the prepared statement.
    pub(super) fn of_execution(
        agreed: Capabilities,
        opens_cursor: bool,
        columns: Option<Arc<[Column]>>,
    ) -> Self {
        Self {
            format: RowFormat::Binary,
            opens_cursor,
            columns,
            ..Self::of_query(agreed)
        }
    }

    /// A reader of the rows that a cursor returns.
    pub(super) fn of_fetch(agreed: Capabilities, columns: Option<Arc<[Column]>>) -> Self {
        let mut reader = Self {
            is_fetch: true,
            phase: Phase::Rows,
            ..Self::of_execution(agreed, false, columns)
        };
        reader.name_columns();
        reader
    }

    /// The columns that the server defined last.
    pub(super) fn columns(&self) -> Option<&Arc<[Column]>> {
        self.columns.as_ref()
    }

    /// Takes one packet of the answer.
    pub(super) fn take(
        &mut self,
        packet: &Packet,
        status: &mut Status,
    ) -> Result<Progress, NotUnderstood> {
        let payload = packet.payload.as_slice();
        if is_err(payload) {
            return Ok(match read_err(payload)? {
                ErrPacket::Progress => Progress::GoesOn,
                ErrPacket::Error(error) => {
                    *status = status.after_error();
                    self.outcome.results.push(StatementResult::Refused(error));
                    self.done()
                }
            });
        }
        match self.phase {
            Phase::First => self.first(payload, status),
            Phase::Definitions(left) => self.definition(payload, left),
            Phase::EndOfDefinitions => self.end_of_definitions(payload, status),
            Phase::Rows if self.is_end(packet) => {
                let flags = read_end(payload)?;
                Ok(self.end_of_rows(flags, status))
            }
            Phase::Rows => self.row(packet),
        }
    }

    fn first(&mut self, payload: &[u8], status: &mut Status) -> Result<Progress, NotUnderstood> {
        const LOCAL_FILE: u8 = 0xFB;
        if is_ok(payload) {
            let ok = read_ok(payload)?;
            self.outcome.results.push(ok.into());
            return Ok(self.after_result(ok.flags, status));
        }
        if payload.first() == Some(&LOCAL_FILE) {
            return Ok(Progress::AwaitsClient);
        }
        let mut bytes = Bytes::new(payload);
        let count = bytes.length()?;
        let follow = if self.agreed.has(Capabilities::CACHE_METADATA) {
            bytes.u8()? != 0
        } else {
            true
        };
        if count == 0 || !bytes.is_empty() {
            let complaint = "a result begins with neither OK, ERR nor the number of its columns";
            return Err(NotUnderstood(complaint.to_owned()));
        }
        if follow {
            self.defined.clear();
            self.phase = Phase::Definitions(count);
        } else {
            self.name_columns();
            self.phase = self.after_definitions();
        }
        Ok(Progress::GoesOn)
    }

    fn definition(&mut self, payload: &[u8], left: u64) -> Result<Progress, NotUnderstood> {
        self.defined.push(columns::read(payload, self.agreed)?);
        self.phase = if left > 1 {
            Phase::Definitions(left - 1)
        } else {
            self.columns = Some(std::mem::take(&mut self.defined).into());
            self.name_columns();
            self.after_definitions()
        };
        Ok(Progress::GoesOn)
    }

    fn after_definitions(&self) -> Phase {
        if self.agreed.has(Capabilities::DEPRECATE_EOF) {
            Phase::Rows
        } else {
            Phase::EndOfDefinitions
        }
    }

    fn end_of_definitions(
        &mut self,
        payload: &[u8],
        status: &mut Status,
    ) -> Result<Progress, NotUnderstood> {
        if !is_eof(payload) {
            let complaint = "the definitions of columns do not end with EOF";
            return Err(NotUnderstood(complaint.to_owned()));
        }
        let flags = read_end(payload)?;
        if self.opens_cursor && flags.has_cursor() {
            // The rows wait for FETCH.
            Ok(self.end_of_rows(flags, status))
        } else {
            self.are_parameters = flags.has_out_parameters();
            self.phase = Phase::Rows;
            Ok(Progress::GoesOn)
        }
    }

    /// Whether this packet ends the rows. A row's first value may begin with the same byte, but
    /// then it has at least 16 MiB.
    fn is_end(&self, packet: &Packet) -> bool {
        if self.agreed.has(Capabilities::DEPRECATE_EOF) {
            packet.payload.first() == Some(&0xFE) && !packet.is_continued()
        } else {
            is_eof(&packet.payload)
        }
    }

    fn row(&mut self, packet: &Packet) -> Result<Progress, NotUnderstood> {
        self.answer.row_count += 1;
        let is_kept = self.answer.rows.len() < Answer::MOST_ROWS && !packet.is_continued();
        if let Some(columns) = self.columns.as_ref().filter(|_| is_kept) {
            let row = match self.format {
                RowFormat::Text => text_row(&packet.payload, columns)?,
                RowFormat::Binary => binary_row(&packet.payload, columns)?,
            };
            self.answer.rows.push(row);
        }
        Ok(Progress::GoesOn)
    }

    fn end_of_rows(&mut self, flags: StatusFlags, status: &mut Status) -> Progress {
        let answer = std::mem::take(&mut self.answer);
        self.outcome.results.push(StatementResult::Rows(answer));
        self.after_result(flags, status)
    }

    fn after_result(&mut self, flags: StatusFlags, status: &mut Status) -> Progress {
        *status = flags.into();
        // MySQL says only before the OUT parameters that more follows, and not after them.
        let has_more = flags.has_more_results() || self.are_parameters;
        self.are_parameters = false;
        if has_more && !self.is_fetch {
            self.phase = Phase::First;
            Progress::GoesOn
        } else {
            self.done()
        }
    }

    fn done(&mut self) -> Progress {
        Progress::Done(std::mem::take(&mut self.outcome))
    }

    fn name_columns(&mut self) {
        let columns = self.columns.iter().flat_map(|columns| columns.iter());
        self.answer.columns = columns.map(|column| column.name.clone()).collect();
    }
}
