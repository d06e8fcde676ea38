//! What a client asks for, and the export that it gets.

use serde::Serialize;
use utoipa::ToSchema;

use super::{ExportId, FileName};
use crate::engine::Fault;

/// What is to be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportRequest {
    /// The account's number.
    pub account: i64,
}

/// What was written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExportTotals {
    pub(super) export: ExportId,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl ExportTotals {
    /// It is to be had under this name.
    pub(super) fn into(self, file: FileName) -> Export {
        Export {
            export: self.export,
            file,
            rows: self.rows,
            bytes: self.bytes,
        }
    }
}

/// An export that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Export {
    /// The number that every row of it has.
    pub export: ExportId,
    /// Its name.
    #[schema(value_type = String)]
    pub file: FileName,
    /// How many transactions it has.
    pub rows: u64,
    /// How many bytes were written.
    pub bytes: u64,
}

/// Why there is no export. Nothing is left of it then; what it has emptied or removed for that, be it an earlier export
/// or one that somebody else was writing into the same file, does not come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such account.
    UnknownAccount,
    /// The engine refused, a lock was not to be had in time, or the file could not be written.
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
