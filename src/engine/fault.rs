//! An engine's refusal, classified once. Nothing outside this file and [`codes`] looks at
//! an engine's codes or messages.

use std::fmt;
use std::io;

use super::codes;
use serde::Serialize;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;
use utoipa::ToSchema;

/// The kinds of refusal that the lab tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Two transactions waited for each other; the engine gave one up, and rolled it back.
    Deadlock,
    /// A lock was not to be had in time. InnoDB gives up the statement, not the transaction.
    LockTimeout,
    /// MariaDB and SQLite: the row, respectively the database, was changed by somebody else after
    /// this transaction's snapshot was taken.
    SnapshotConflict,
    /// PostgreSQL: what this transaction has read and what others have written do not fit into any
    /// order of one after the other. It may turn out as late as at the commit.
    SerializationFailure,
    /// PostgreSQL: something in this transaction was refused before, so that nothing more is done in it.
    /// The refusal that says why is the earlier one.
    TransactionAborted,
    /// SQLite: somebody else is writing, and waiting would not have helped or took too long.
    Busy,
    /// A row with this key exists already.
    UniqueViolation,
    /// There is no row that this one could belong to.
    ForeignKeyViolation,
    /// The database or the pool of connections to it is out of reach.
    Unavailable,
    /// A limit of the database server is reached: its connections, its memory, or what its user may
    /// have.
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
    /// The database, a table or a column is not there: the schema is not the one this program
    /// makes.
    SchemaMissing,
    /// The server has forgotten a prepared statement, or the table has changed under it.
    StatementLost,
    /// A number does not fit its column.
    OutOfRange,
    /// There is no room left for a file.
    DiskFull,
    /// A file or its folder cannot be used: it is not there, or not allowed, or the disk fails.
    Storage,
    /// None of the above: most likely a mistake in the lab itself.
    Other,
}

impl FaultKind {
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

    /// Whether the same work, done again from its beginning, may well succeed.
    pub fn retryable(self) -> bool {
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

    /// Whether the same work may succeed at once if it is done again: it was refused only because
    /// of what another client was doing. A lock wait that took too long is no collision: it was
    /// long enough. Nor is an answer that was lost: another attempt could be the second deposit.
    pub(crate) fn is_collision(self) -> bool {
        match self {
            Self::Deadlock | Self::SnapshotConflict | Self::SerializationFailure | Self::Busy => {
                true
            }
            Self::LockTimeout
            | Self::TransactionAborted
            | Self::UniqueViolation
            | Self::ForeignKeyViolation
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

    /// Whether the database had no place to write to.
    pub fn is_about_room(self) -> bool {
        matches!(self, Self::DatabaseFull | Self::DatabaseStorage)
    }

    /// What a client is told instead of the engine's words, which may name users, hosts and files.
    /// None where the engine's words are the lesson.
    fn words(self) -> Option<&'static str> {
        match self {
            Self::Unavailable => Some(
                "The database has ended the connection: it is starting, stopping, or outside its cluster.",
            ),
            Self::LimitReached => Some(
                "The database server has reached a limit: of its connections, its memory, or of what \
                 its user may have.",
            ),
            Self::Interrupted => Some(
                "The statement was cancelled on the database server, or ran for longer than it allows.",
            ),
            Self::ReadOnly => Some(
                "The database takes no writes at the moment: it is a standby, or was set read-only.",
            ),
            Self::NotAllowed => Some(
                "The lab's database user is not let in, or has no right to do this. An administrator \
                 has to grant it.",
            ),
            Self::DatabaseFull => {
                Some("The database has no room left. An administrator has to make some.")
            }
            Self::DatabaseStorage => {
                Some("The database cannot read or write its own files. Its own log says more.")
            }
            Self::SchemaMissing => Some(
                "The database is not there, or lacks a table or a column. racy migrate makes all of them \
                 in an empty database, and brings nothing back that was dropped.",
            ),
            Self::StatementLost => Some(
                "The database has forgotten a prepared statement, or its table has changed. The next \
                 try prepares it again.",
            ),
            Self::OutOfRange => Some("A number does not fit into its column."),
            Self::Other => Some(
                "This is a mistake in the lab or a failure of the engine that the lab does not know, \
                 none in the request; the log says more.",
            ),
            Self::Deadlock
            | Self::LockTimeout
            | Self::SnapshotConflict
            | Self::SerializationFailure
            | Self::TransactionAborted
            | Self::Busy
            | Self::UniqueViolation
            | Self::ForeignKeyViolation
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

/// A refusal by the engine, or the lack of an engine to refuse anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it means.
    pub kind: FaultKind,
    /// The engine's own code: MySQL's error number, PostgreSQL's SQLSTATE, SQLite's extended result
    /// code.
    pub code: Option<String>,
    /// The engine's own words.
    pub message: String,
}

impl Fault {
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::Unavailable,
            code: None,
            message: message.into(),
        }
    }

    pub(crate) fn lock_timeout(message: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::LockTimeout,
            code: None,
            message: message.into(),
        }
    }

    /// What the operating system says of a file; `what` could not be done.
    pub(crate) fn of_file(what: &str, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => FaultKind::DiskFull,
            _ => FaultKind::Storage,
        };
        Self {
            kind,
            code: error.raw_os_error().map(|code| code.to_string()),
            message: format!("{what}: {error}"),
        }
    }

    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::Other,
            code: None,
            message: message.into(),
        }
    }

    /// A wait for a lock that took too long, if the fault is that SQLite is still busy after it.
    pub(super) fn as_lock_timeout_if_busy(self) -> Self {
        match self.kind {
            FaultKind::Busy => Self {
                kind: FaultKind::LockTimeout,
                ..self
            },
            _ => self,
        }
    }

    /// Whether it says nothing about a race: the database or the disk is out of reach, or the lab has made a
    /// mistake.
    pub(crate) fn is_no_outcome(&self) -> bool {
        match self.kind {
            FaultKind::Unavailable
            | FaultKind::LimitReached
            | FaultKind::Interrupted
            | FaultKind::ReadOnly
            | FaultKind::NotAllowed
            | FaultKind::DatabaseFull
            | FaultKind::DatabaseStorage
            | FaultKind::SchemaMissing
            | FaultKind::StatementLost
            | FaultKind::OutOfRange
            | FaultKind::DiskFull
            | FaultKind::Storage
            | FaultKind::Other => true,
            FaultKind::Deadlock
            | FaultKind::LockTimeout
            | FaultKind::SnapshotConflict
            | FaultKind::SerializationFailure
            | FaultKind::TransactionAborted
            | FaultKind::Busy
            | FaultKind::UniqueViolation
            | FaultKind::ForeignKeyViolation => false,
        }
    }

    /// Whether its connection is of no further use. A new one may reach another server, be let in
    /// with other rights, or know nothing of a statement that is lost.
    pub(super) fn spoils_the_connection(&self) -> bool {
        match self.kind {
            FaultKind::Unavailable
            | FaultKind::Interrupted
            | FaultKind::ReadOnly
            | FaultKind::NotAllowed
            | FaultKind::DatabaseFull
            | FaultKind::DatabaseStorage
            | FaultKind::SchemaMissing
            | FaultKind::StatementLost => true,
            FaultKind::Deadlock
            | FaultKind::LockTimeout
            | FaultKind::SnapshotConflict
            | FaultKind::SerializationFailure
            | FaultKind::TransactionAborted
            | FaultKind::Busy
            | FaultKind::UniqueViolation
            | FaultKind::ForeignKeyViolation
            | FaultKind::LimitReached
            | FaultKind::OutOfRange
            | FaultKind::DiskFull
            | FaultKind::Storage
            | FaultKind::Other => false,
        }
    }

    /// Whether InnoDB has rolled the whole transaction back with it, whatever the server's settings
    /// are.
    pub(super) fn rolls_innodb_back(&self) -> bool {
        let kind_does = matches!(
            self.kind,
            FaultKind::Deadlock | FaultKind::SnapshotConflict | FaultKind::SerializationFailure
        );
        let code = self.code.as_deref();
        // A deadlock of named locks is none of InnoDB's. Where InnoDB's lock table is full, it
        // gives up all.
        (kind_does && code != Some("3058")) || code == Some("1206")
    }

    /// Whether a commit that is refused with it may have been kept all the same: the engine broke
    /// off while it committed.
    pub(super) fn leaves_a_commit_in_doubt(&self) -> bool {
        let code = self.code.as_deref();
        !self.is_an_answer() || code.is_some_and(|code| codes::COMMIT_IN_DOUBT.contains(&code))
    }

    /// What a client may be told of it: without users, hosts and files of the database.
    pub fn public_words(&self) -> &str {
        let words = self.kind.words().filter(|_| self.code.is_some());
        words.unwrap_or(&self.message)
    }

    /// As it is displayed, in words for a client.
    pub(super) fn public(&self) -> String {
        let words = self.public_words();
        match &self.code {
            Some(code) => format!("{} ({code}): {words}", self.kind),
            None => format!("{}: {words}", self.kind),
        }
    }

    /// Whether a prepared statement was not there, or there already: the connection is another one
    /// than it was. (MySQL 1243, PostgreSQL 26000 and 42P05.)
    pub(super) fn is_of_a_lost_statement(&self) -> bool {
        matches!(self.code.as_deref(), Some("1243" | "26000" | "42P05"))
    }

    /// Whether the server, this database or this user has as many connections as it may have:
    /// MySQL's max_connections (1040), max_user_connections (1203) and limits of a user (1226), and
    /// all of PostgreSQL's (53300).
    pub(super) fn is_too_many_connections(&self) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| ["1040", "1203", "1226", "53300"].contains(&code))
    }

    /// Whether MySQL would have dropped a database if there had been one.
    pub(super) fn is_no_such_database(&self) -> bool {
        self.code.as_deref() == Some("1008")
    }

    /// Whether the engine itself said no, so that what it says of its data can be relied on.
    /// Otherwise the answer did not come, or did not come whole.
    ///
    /// What an engine says when it cuts a connection off is no answer to what was asked: it may
    /// come instead of the answer to a commit, or on top of it.
    pub(super) fn is_an_answer(&self) -> bool {
        // A wait that was in vain has no code where it was not a statement's.
        if matches!(self.kind, FaultKind::LockTimeout | FaultKind::Busy) {
            return true;
        }
        let code = self.code.as_deref();
        code.is_some_and(|code| !codes::is_cut_off(code))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} ({code}): {}", self.kind, self.message),
            None => write!(f, "{}: {}", self.kind, self.message),
        }
    }
}

impl std::error::Error for Fault {}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let (kind, code) = match &error {
            sqlx::Error::Database(refusal) => {
                if let Some(refusal) = refusal.try_downcast_ref::<MySqlDatabaseError>() {
                    let number = refusal.number();
                    let kind = codes::of_mysql(number, refusal.message());
                    (kind, Some(number.to_string()))
                } else if let Some(refusal) = refusal.try_downcast_ref::<PgDatabaseError>() {
                    let state = refusal.code();
                    let kind = codes::of_postgres(state, refusal.message());
                    (kind, Some(state.to_owned()))
                } else if let Some(refusal) = refusal.try_downcast_ref::<SqliteError>() {
                    let code = sqlx::error::DatabaseError::code(refusal);
                    let code = code.map(|code| code.into_owned());
                    let message = sqlx::error::DatabaseError::message(refusal);
                    (codes::of_sqlite(code.as_deref(), message), code)
                } else {
                    (FaultKind::Other, None)
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => (FaultKind::Unavailable, None),
            _ => (FaultKind::Other, None),
        };
        let message = match &error {
            sqlx::Error::Database(refusal) => refusal.message().to_owned(),
            // The kind and not the text, which may be a library's advice to programmers.
            sqlx::Error::Io(error) => format!("the connection failed: {}", error.kind()),
            other => other.to_string(),
        };
        Self {
            kind,
            code,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn being_cut_off_is_no_answer() {
        let with_code = |code: &str| Fault {
            kind: FaultKind::Unavailable,
            code: Some(code.to_owned()),
            message: String::new(),
        };
        for code in [
            "57P01", "57P02", "57P05", "08006", "25P04", "1053", "1927", "4031",
        ] {
            assert!(!with_code(code).is_an_answer(), "{code}");
        }
        for code in [
            "40001", "57014", "25006", "1290", "1317", "5", "517", "1032",
        ] {
            assert!(with_code(code).is_an_answer(), "{code}");
        }
        for code in ["1317", "1180", "1969", "1927", "57P01"] {
            assert!(with_code(code).leaves_a_commit_in_doubt(), "{code}");
        }
        for code in ["57014", "1290", "1213", "13"] {
            assert!(!with_code(code).leaves_a_commit_in_doubt(), "{code}");
        }
    }

    #[test]
    fn a_client_is_told_no_names_and_the_log_is_told_all() {
        let denied = Fault {
            kind: FaultKind::NotAllowed,
            code: Some("1045".to_owned()),
            message: "Access denied for user 'racy'@'10.0.0.7'".to_owned(),
        };
        assert!(!denied.public().contains("10.0.0.7"), "{}", denied.public());
        assert!(denied.to_string().contains("10.0.0.7"), "{denied}");
        let ours = Fault::unavailable("all 1 database connections are in use");
        assert_eq!(ours.public_words(), "all 1 database connections are in use");
    }

    #[test]
    fn names_are_what_serde_writes() {
        for kind in [
            FaultKind::Deadlock,
            FaultKind::LockTimeout,
            FaultKind::SnapshotConflict,
            FaultKind::SerializationFailure,
            FaultKind::TransactionAborted,
            FaultKind::Busy,
            FaultKind::UniqueViolation,
            FaultKind::ForeignKeyViolation,
            FaultKind::Unavailable,
            FaultKind::LimitReached,
            FaultKind::Interrupted,
            FaultKind::ReadOnly,
            FaultKind::NotAllowed,
            FaultKind::DatabaseFull,
            FaultKind::DatabaseStorage,
            FaultKind::SchemaMissing,
            FaultKind::StatementLost,
            FaultKind::OutOfRange,
            FaultKind::DiskFull,
            FaultKind::Storage,
            FaultKind::Other,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
