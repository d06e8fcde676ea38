//! What a client asks for, and the export that it gets.

use serde::Serialize;
use utoipa::ToSchema;

use super::{ExportId, FileName};
use crate::engine::Fault;

/// What a client asks for: an export of an account's transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportRequest {
    /// The account's number.
    pub account: i64,
}

/// The totals of an export that was written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExportTotals {
    pub(super) export: ExportId,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl ExportTotals {
    /// The export that is ready under this name.
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
    /// The number that is in each of its rows.
    pub export: ExportId,
    /// The name of its file.
    #[schema(value_type = String)]
    pub file: FileName,
    /// How many transactions it contains.
    pub rows: u64,
    /// How many bytes were written.
    pub bytes: u64,
}

/// Why there is no export. Nothing is left of it then. A file that it had emptied before is lost,
/// be it an earlier export or one that another client was writing into the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such account.
    UnknownAccount,
    /// The engine refused, a wait for a lock took too long, or the file could not be written.
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
