//! The kinds of refusal, and what each means for the client that was refused.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kinds of refusal that the lab tells apart.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Two transactions waited for each other. The engine refused one and rolled it back.
    Deadlock,
    /// A lock was not free in time. InnoDB gives up the statement, not the transaction.
    LockTimeout,
    /// Another client changed the row (MariaDB) or the database (SQLite) after this transaction's
    /// snapshot was taken.
    SnapshotConflict,
    /// PostgreSQL: what this transaction has read and what others have written do not fit any
    /// order of one after the other. It may turn out as late as at the commit.
    SerializationFailure,
    /// PostgreSQL: nothing more is done in this transaction, because something in it was refused
    /// before. The earlier refusal says why.
    TransactionAborted,
    /// SQLite: another client is writing, and waiting would not have helped or took too long.
    Busy,
    /// A row with this key exists already.
    UniqueViolation,
    /// The row that this one refers to does not exist.
    ForeignKeyViolation,
    /// A row breaks a CHECK constraint.
    CheckViolation,
    /// A value is missing that must be there.
    NotNullViolation,
    /// PostgreSQL: a row meets another one that an exclusion constraint keeps it apart from.
    ExclusionViolation,
    /// The database or the pool of connections to it is out of reach.
    Unavailable,
    /// A limit of the database server is reached: of its connections, of its memory, or of its
    /// user.
    LimitReached,
    /// The statement was cancelled by an administrator, or ran for longer than the server allows.
    Interrupted,
    /// The database, the server or the transaction takes no writes, as a standby's does not.
    ReadOnly,
    /// The lab's own database user is not let in, or may not do this.
    NotAllowed,
    /// The database has no room left to store anything.
    DatabaseFull,
    /// The database cannot read or write its own files, or finds them damaged.
    DatabaseStorage,
    /// The database, a table or a column is missing: the schema is not the one this program makes.
    SchemaMissing,
    /// The server has forgotten a prepared statement, or the table has changed under it.
    StatementLost,
    /// A number does not fit its column.
    OutOfRange,
    /// There is no room left for a file of the lab's own.
    DiskFull,
    /// A file of the lab's own, or its folder, cannot be used: it is missing or not allowed, or the
    /// disk fails.
    Storage,
    /// None of the above: most likely a mistake in the lab itself.
    Other,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 24] = [
        Self::Deadlock,
        Self::LockTimeout,
        Self::SnapshotConflict,
        Self::SerializationFailure,
        Self::TransactionAborted,
        Self::Busy,
        Self::UniqueViolation,
        Self::ForeignKeyViolation,
        Self::CheckViolation,
        Self::NotNullViolation,
        Self::ExclusionViolation,
        Self::Unavailable,
        Self::LimitReached,
        Self::Interrupted,
        Self::ReadOnly,
        Self::NotAllowed,
        Self::DatabaseFull,
        Self::DatabaseStorage,
        Self::SchemaMissing,
        Self::StatementLost,
        Self::OutOfRange,
        Self::DiskFull,
        Self::Storage,
        Self::Other,
    ];

    /// The kind as the API and the tools spell it, e.g. `lock_timeout`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock",
            Self::LockTimeout => "lock_timeout",
            Self::SnapshotConflict => "snapshot_conflict",
            Self::SerializationFailure => "serialization_failure",
            Self::TransactionAborted => "transaction_aborted",
            Self::Busy => "busy",
            Self::UniqueViolation => "unique_violation",
            Self::ForeignKeyViolation => "foreign_key_violation",
            Self::CheckViolation => "check_violation",
            Self::NotNullViolation => "not_null_violation",
            Self::ExclusionViolation => "exclusion_violation",
            Self::Unavailable => "unavailable",
            Self::LimitReached => "limit_reached",
            Self::Interrupted => "interrupted",
            Self::ReadOnly => "read_only",
            Self::NotAllowed => "not_allowed",
            Self::DatabaseFull => "database_full",
            Self::DatabaseStorage => "database_storage",
            Self::SchemaMissing => "schema_missing",
            Self::StatementLost => "statement_lost",
            Self::OutOfRange => "out_of_range",
            Self::DiskFull => "disk_full",
            Self::Storage => "storage",
            Self::Other => "other",
        }
    }

    /// Whether the same work may succeed later, if it is done again from its beginning.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Deadlock
            | Self::LockTimeout
            | Self::SnapshotConflict
            | Self::SerializationFailure
            | Self::TransactionAborted
            | Self::Busy
            | Self::Unavailable
            | Self::LimitReached
            | Self::Interrupted
            | Self::ReadOnly
            | Self::StatementLost => true,
            Self::UniqueViolation
            | Self::ForeignKeyViolation
            | Self::CheckViolation
            | Self::NotNullViolation
            | Self::ExclusionViolation
            | Self::NotAllowed
            | Self::DatabaseFull
            | Self::DatabaseStorage
            | Self::SchemaMissing
            | Self::OutOfRange
            | Self::DiskFull
            | Self::Storage
            | Self::Other => false,
        }
    }

    /// Whether the work was refused only because of what another client was doing, so that it may
    /// succeed at once if it is done again.
    ///
    /// A lock wait that took too long is no collision: it was long enough. Nor is an answer that
    /// was lost: the work may have been done, and another attempt would do it twice.
    pub(crate) fn is_collision(self) -> bool {
        match self {
            Self::Deadlock | Self::SnapshotConflict | Self::SerializationFailure | Self::Busy => {
                true
            }
            Self::LockTimeout
            | Self::TransactionAborted
            | Self::UniqueViolation
            | Self::ForeignKeyViolation
            | Self::CheckViolation
            | Self::NotNullViolation
            | Self::ExclusionViolation
            | Self::Unavailable
            | Self::LimitReached
            | Self::Interrupted
            | Self::ReadOnly
            | Self::NotAllowed
            | Self::DatabaseFull
            | Self::DatabaseStorage
            | Self::SchemaMissing
            | Self::StatementLost
            | Self::OutOfRange
            | Self::DiskFull
            | Self::Storage
            | Self::Other => false,
        }
    }

    /// As [`is_collision`](Self::is_collision), for a statement in autocommit. There SQLite is busy
    /// only after the session has waited until the lock wait timeout, which was long enough.
    pub(crate) fn is_collision_in_autocommit(self) -> bool {
        self.is_collision() && self != Self::Busy
    }

    /// Whether the database could not store what it was given.
    pub(crate) fn is_about_room(self) -> bool {
        matches!(self, Self::DatabaseFull | Self::DatabaseStorage)
    }

    /// What a client is told instead of the engine's words, which may name users, hosts and files.
    /// None if the engine's words are the lesson.
    pub(super) fn words(self) -> Option<&'static str> {
        match self {
            Self::Unavailable => Some(
                "The database has ended the connection: it is starting, stopping, or outside its \
                 cluster.",
            ),
            Self::LimitReached => Some(
                "The database server has reached a limit: of its connections, of its memory, or \
                 of its user.",
            ),
            Self::Interrupted => Some(
                "The statement was cancelled on the database server, or ran for longer than it \
                 allows.",
            ),
            Self::ReadOnly => Some(
                "The database takes no writes at the moment: it is a standby, or was set \
                 read-only.",
            ),
            Self::NotAllowed => Some(
                "The lab's database user is not let in, or has no right to do this. An \
                 administrator has to grant it.",
            ),
            Self::DatabaseFull => {
                Some("The database has no room left. An administrator has to make some.")
            }
            Self::DatabaseStorage => {
                Some("The database cannot read or write its own files. Its own log says more.")
            }
            Self::SchemaMissing => Some(
                "The database is not there, or lacks a table or a column. racy migrate makes all \
                 of them in an empty database, and brings nothing back that was dropped.",
            ),
            Self::StatementLost => Some(
                "The database has forgotten a prepared statement, or its table has changed. The \
                 next try prepares it again.",
            ),
            Self::OutOfRange => Some("A number does not fit into its column."),
            Self::Other => Some(
                "This is a mistake in the lab, or a failure of the engine that the lab does not \
                 know. Nothing is wrong with the request. The log says more.",
            ),
            Self::Deadlock
            | Self::LockTimeout
            | Self::SnapshotConflict
            | Self::SerializationFailure
            | Self::TransactionAborted
            | Self::Busy
            | Self::UniqueViolation
            | Self::ForeignKeyViolation
            | Self::CheckViolation
            | Self::NotNullViolation
            | Self::ExclusionViolation
            | Self::DiskFull
            | Self::Storage => None,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().replace('_', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_serde_writes() {
        for kind in FaultKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
