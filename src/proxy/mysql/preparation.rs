//! The answer to PREPARE. Its end is found by counting.

use std::sync::Arc;

use super::arguments::Binding;
use super::bytes::{Bytes, NotUnderstood};
use super::capabilities::{Capabilities, Status};
use super::columns::{self, Column};
use super::prepared::{PreparedStatement, PreparedStatements};
use super::reply::{ErrPacket, is_eof, is_err, read_end, read_err};
use super::result::{Outcome, Progress, StatementResult};

/// What the first packet of the answer says.
#[derive(Debug, Clone, Copy)]
struct Head {
    id: u32,
    /// How many arguments the statement has.
    parameters: u16,
    /// How many definitions have not come yet, those of the parameters first.
    definitions: u32,
    /// How many EOF packets have not come yet.
    ends: u32,
    /// How many of the definitions are those of columns.
    columns: u32,
}

/// Reads the answer to PREPARE.
#[derive(Debug)]
pub(super) struct PreparationReader {
    agreed: Capabilities,
    text: Arc<str>,
    head: Option<Head>,
    columns: Vec<Column>,
}

impl PreparationReader {
    pub(super) fn new(agreed: Capabilities, text: Arc<str>) -> Self {
        Self {
            agreed,
            text,
            head: None,
            columns: Vec::new(),
        }
    }

    /// Takes one packet, and keeps the statement with the last one.
    pub(super) fn take(
        &mut self,
        payload: &[u8],
        status: &mut Status,
        prepared: &mut PreparedStatements,
    ) -> Result<Progress, NotUnderstood> {
        if is_err(payload) {
            let ErrPacket::Error(error) = read_err(payload)? else {
                return Ok(Progress::GoesOn);
            };
            prepared.forget_last();
            *status = status.after_error();
            return Ok(done(StatementResult::Refused(error)));
        }
        let head = match &mut self.head {
            None => self.head.insert(read_head(payload, self.agreed)?),
            Some(head) if is_eof(payload) => {
                *status = read_end(payload)?.into();
                head.ends = head.ends.saturating_sub(1);
                head
            }
            Some(head) => {
                let column = columns::read(payload, self.agreed)?;
                // What remains are the columns: the parameters came first.
                if head.definitions <= head.columns {
                    self.columns.push(column);
                }
                head.definitions = head.definitions.saturating_sub(1);
                head
            }
        };
        if head.definitions > 0 || head.ends > 0 {
            return Ok(Progress::GoesOn);
        }
        let head = *head;
        prepared.insert(head.id, self.statement(head));
        Ok(done(StatementResult::NOTHING))
    }

    /// The statement whose definitions have all come.
    fn statement(&mut self, head: Head) -> PreparedStatement {
        let binding = Binding {
            count: usize::from(head.parameters),
            ..Binding::default()
        };
        PreparedStatement {
            text: Arc::clone(&self.text),
            binding,
            columns: std::mem::take(&mut self.columns).into(),
        }
    }
}

fn read_head(payload: &[u8], agreed: Capabilities) -> Result<Head, NotUnderstood> {
    let mut bytes = Bytes::new(payload);
    if bytes.u8()? != 0 {
        let complaint = "the answer to PREPARE begins with neither OK nor ERR";
        return Err(NotUnderstood(complaint.to_owned()));
    }
    let id = bytes.u32()?;
    let columns = bytes.u16()?;
    let parameters = bytes.u16()?;
    let ends = if agreed.has(Capabilities::DEPRECATE_EOF) {
        0
    } else {
        u32::from(columns > 0) + u32::from(parameters > 0)
    };
    Ok(Head {
        id,
        parameters,
        definitions: u32::from(columns) + u32::from(parameters),
        ends,
        columns: u32::from(columns),
    })
}

fn done(result: StatementResult) -> Progress {
    Progress::Done(Outcome {
        results: vec![result],
    })
}
