//! Problems of the engine and of the disk.

use axum::http::StatusCode;

use super::Problem;
use crate::engine::{Fault, FaultKind};

impl Problem {
    /// 503: no deposit could be made at the moment, and why. Readiness is answered with 200 or 503
    /// alone, so the fault's own status does not count.
    pub(in crate::http) fn not_ready(fault: Fault) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            ..Self::from(fault)
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let name = fault.kind.name().replace('_', "-");
        let detail = fault.public_words();
        Self {
            fault: Some(fault.kind),
            code: fault.code.clone(),
            retryable: fault.kind.is_retryable(),
            engine_words: (fault.message != detail).then(|| fault.message.as_str().into()),
            ..Self::new(status(fault.kind), &name, title(fault.kind), detail)
        }
    }
}

fn status(kind: FaultKind) -> StatusCode {
    match kind {
        FaultKind::Deadlock
        | FaultKind::LockTimeout
        | FaultKind::SnapshotConflict
        | FaultKind::SerializationFailure
        | FaultKind::TransactionAborted
        | FaultKind::Busy
        | FaultKind::UniqueViolation
        | FaultKind::ForeignKeyViolation
        | FaultKind::CheckViolation
        | FaultKind::NotNullViolation
        | FaultKind::ExclusionViolation => StatusCode::CONFLICT,
        FaultKind::OutOfRange => StatusCode::UNPROCESSABLE_ENTITY,
        FaultKind::Unavailable
        | FaultKind::LimitReached
        | FaultKind::Interrupted
        | FaultKind::ReadOnly
        | FaultKind::NotAllowed
        | FaultKind::DatabaseStorage
        | FaultKind::SchemaMissing
        | FaultKind::StatementLost
        | FaultKind::Storage => StatusCode::SERVICE_UNAVAILABLE,
        FaultKind::DatabaseFull | FaultKind::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        FaultKind::Other => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn title(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Deadlock => "The engine found a deadlock",
        FaultKind::LockTimeout => "A lock could not be taken in time",
        FaultKind::SnapshotConflict => "Another client changed the row in between",
        FaultKind::SerializationFailure => {
            "The transactions fit into no order of one after the other"
        }
        FaultKind::TransactionAborted => "The transaction had been refused before",
        FaultKind::Busy => "Another client is writing",
        FaultKind::UniqueViolation => "The key exists already",
        FaultKind::ForeignKeyViolation => "The row that this one would belong to is missing",
        FaultKind::CheckViolation => "The row breaks a rule of its table",
        FaultKind::NotNullViolation => "A value is missing",
        FaultKind::ExclusionViolation => "The row meets another one that excludes it",
        FaultKind::Unavailable => "The database is out of reach",
        FaultKind::LimitReached => "A limit of the database server is reached",
        FaultKind::Interrupted => "The database server has cancelled the statement",
        FaultKind::ReadOnly => "The database is read-only",
        FaultKind::NotAllowed => "The lab's database user may not do this",
        FaultKind::DatabaseFull => "There is no room left in the database",
        FaultKind::DatabaseStorage => "The database's storage fails",
        FaultKind::SchemaMissing => "The lab's tables are missing or changed",
        FaultKind::StatementLost => "The database has lost a prepared statement",
        FaultKind::OutOfRange => "A number does not fit its column",
        FaultKind::DiskFull => "There is no room left on the disk",
        FaultKind::Storage => "A file or its folder cannot be used",
        FaultKind::Other => "The engine refused for a reason that the lab does not know",
    }
}
