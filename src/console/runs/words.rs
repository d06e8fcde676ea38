//! What a refusal means, in words for a visitor.

use crate::engine::FaultKind;

/// What a refusal means. `fault` is the kind as the API spells it; None if the strategy refused.
pub(super) fn of_refusal(fault: Option<&str>) -> &'static str {
    let Some(name) = fault else {
        return "The strategy itself refused: another client was faster, and the strategy does not \
                overwrite what it has not seen.";
    };
    let kind = FaultKind::ALL.into_iter().find(|kind| kind.name() == name);
    kind.map_or("The database refused.", of_kind)
}

fn of_kind(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Deadlock => {
            "Two transactions waited for each other's locks. The engine ended one of them, so that \
             the other could go on. Nothing of the refused one was kept."
        }
        FaultKind::LockTimeout => {
            "Another client held the lock for longer than this one may wait. The engine gave up \
             the statement."
        }
        FaultKind::SnapshotConflict => {
            "Another client changed the row after this transaction had taken its snapshot. The \
             engine refused to write over a change that the transaction could not see."
        }
        FaultKind::SerializationFailure => {
            "What this transaction read and what others wrote fit into no order of one after the \
             other. The engine refused it, instead of losing an update."
        }
        FaultKind::TransactionAborted => {
            "Something in the transaction was refused before, and nothing more is done in it."
        }
        FaultKind::Busy => {
            "Another client was writing, and SQLite has one writer at a time. Waiting would not \
             have helped: this transaction had read before that write."
        }
        FaultKind::UniqueViolation => "A row with this key was there already.",
        FaultKind::ForeignKeyViolation => "The row that this one belongs to was not there.",
        FaultKind::CheckViolation => "The row would have broken a rule of its table.",
        FaultKind::NotNullViolation => "A value was missing.",
        FaultKind::ExclusionViolation => "The row met another one that excludes it.",
        FaultKind::Unavailable => {
            "The database or the pool of connections to it was out of reach, so nothing raced."
        }
        FaultKind::LimitReached => "The database server has reached a limit, often of connections.",
        FaultKind::Interrupted => "The database server cancelled the statement.",
        FaultKind::ReadOnly => "The database takes no writes at the moment.",
        FaultKind::NotAllowed => "The lab's database user may not do this.",
        FaultKind::DatabaseFull => "The database has no room left.",
        FaultKind::DatabaseStorage => "The database cannot read or write its own files.",
        FaultKind::SchemaMissing => "A table or a column of the lab's is missing.",
        FaultKind::StatementLost => "The database has forgotten a prepared statement.",
        FaultKind::OutOfRange => "A number does not fit into its column.",
        FaultKind::DiskFull => "There is no room left for a file.",
        FaultKind::Storage => "A file or its folder cannot be used.",
        FaultKind::Other => "The engine refused for a reason that the lab does not know.",
    }
}
