//! An engine's refusal, classified once. Nothing outside this file looks at an engine's codes or
//! messages.

use std::fmt;
use std::io;

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
            | Self::Unavailable => true,
            Self::UniqueViolation
            | Self::ForeignKeyViolation
            | Self::DiskFull
            | Self::Storage
            | Self::Other => false,
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

    /// Whether it says nothing about a race: the database or the disk is out of reach, or the lab has made a
    /// mistake.
    pub(crate) fn is_no_outcome(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::Unavailable | FaultKind::DiskFull | FaultKind::Storage | FaultKind::Other
        )
    }

    /// Whether a prepared statement was not there, or there already: the connection is another one than
    /// it was. (MySQL 1243, PostgreSQL 26000 and 42P05.)
    pub(super) fn is_of_a_lost_statement(&self) -> bool {
        matches!(self.code.as_deref(), Some("1243" | "26000" | "42P05"))
    }

    /// Whether the engine itself said no, so that what it says of its data can be relied on.
    /// Otherwise the answer did not come, or did not come whole.
    ///
    /// What PostgreSQL says when it cuts a connection off is no answer to what was asked: it may come
    /// instead of the answer to a commit, or on top of it.
    pub(super) fn is_an_answer(&self) -> bool {
        // A wait that was in vain has no code where it was not a statement's.
        if matches!(self.kind, FaultKind::LockTimeout | FaultKind::Busy) {
            return true;
        }
        let code = self.code.as_deref();
        code.is_some_and(|code| !POSTGRES_CUT_OFF.iter().any(|class| code.starts_with(class)))
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
                    (of_mysql_number(number), Some(number.to_string()))
                } else if let Some(refusal) = refusal.try_downcast_ref::<PgDatabaseError>() {
                    let state = refusal.code();
                    (of_sqlstate(state), Some(state.to_owned()))
                } else if let Some(refusal) = refusal.try_downcast_ref::<SqliteError>() {
                    let code = sqlx::error::DatabaseError::code(refusal);
                    let code = code.map(|code| code.into_owned());
                    (of_sqlite_code(code.as_deref()), code)
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

/// MySQL's and MariaDB's error numbers. The number and not the SQLSTATE decides: 1020 comes with
/// the state HY000, which says nothing.
/// See <https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html> and
/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
fn of_mysql_number(number: u16) -> FaultKind {
    match number {
        1213 => FaultKind::Deadlock,
        1205 => FaultKind::LockTimeout,
        1020 => FaultKind::SnapshotConflict,
        1062 => FaultKind::UniqueViolation,
        1452 => FaultKind::ForeignKeyViolation,
        // too many connections (1040, 1203), not let in (1044, 1045, 1129, 1130) or no such database
        // (1049), shutting down (1053, 1077, 1079), network trouble as the server saw it (1152 to
        // 1161), read-only after a fail-over (1290, 1836), connection killed (1317, 1927) or idle for
        // too long (4031), not part of a Galera cluster at the moment (1047)
        1040
        | 1044
        | 1045
        | 1047
        | 1049
        | 1053
        | 1077
        | 1079
        | 1129
        | 1130
        | 1152..=1161
        | 1203
        | 1290
        | 1317
        | 1836
        | 1927
        | 4031 => FaultKind::Unavailable,
        _ => FaultKind::Other,
    }
}

/// The beginnings of the SQLSTATEs with which PostgreSQL ends a connection from its side:
/// connection exceptions, and the end of the connection, the server or the database. No code of the
/// other engines begins like them.
const POSTGRES_CUT_OFF: [&str; 2] = ["08", "57P"];

/// PostgreSQL's SQLSTATEs; the first two characters are the class.
/// See <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_sqlstate(state: &str) -> FaultKind {
    match state {
        "40001" => FaultKind::SerializationFailure,
        "40P01" => FaultKind::Deadlock,
        "25P02" => FaultKind::TransactionAborted,
        "55P03" => FaultKind::LockTimeout,
        "23505" => FaultKind::UniqueViolation,
        "23503" => FaultKind::ForeignKeyViolation,
        // read-only, as a standby is (25006), idle in a transaction for too long (25P03), no such
        // database (3D000), too many connections (53300), interrupted by an administrator (57014)
        "25006" | "25P03" | "3D000" | "53300" | "57014" => FaultKind::Unavailable,
        // not let in (class 28)
        _ if state.starts_with("28") => FaultKind::Unavailable,
        _ if POSTGRES_CUT_OFF
            .iter()
            .any(|class| state.starts_with(class)) =>
        {
            FaultKind::Unavailable
        }
        _ => FaultKind::Other,
    }
}

/// SQLite's result codes: the low byte is the primary code, the rest narrows it down.
/// See <https://www.sqlite.org/rescode.html>.
fn of_sqlite_code(code: Option<&str>) -> FaultKind {
    const BUSY: u32 = 5;
    const BUSY_SNAPSHOT: u32 = 517;
    const LOCKED: u32 = 6;
    const CANNOT_OPEN: u32 = 14;
    const PRIMARY_KEY_TAKEN: u32 = 1555;
    const UNIQUE_TAKEN: u32 = 2067;
    const NO_SUCH_PARENT: u32 = 787;

    let Some(code) = code.and_then(|code| code.parse::<u32>().ok()) else {
        return FaultKind::Other;
    };
    match (code, code & 0xff) {
        (BUSY_SNAPSHOT, _) => FaultKind::SnapshotConflict,
        (PRIMARY_KEY_TAKEN | UNIQUE_TAKEN, _) => FaultKind::UniqueViolation,
        (NO_SUCH_PARENT, _) => FaultKind::ForeignKeyViolation,
        (_, BUSY | LOCKED) => FaultKind::Busy,
        (_, CANNOT_OPEN) => FaultKind::Unavailable,
        _ => FaultKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mysql_goes_by_the_number() {
        assert_eq!(of_mysql_number(1213), FaultKind::Deadlock);
        assert_eq!(of_mysql_number(1205), FaultKind::LockTimeout);
        assert_eq!(of_mysql_number(1020), FaultKind::SnapshotConflict);
        assert_eq!(of_mysql_number(1062), FaultKind::UniqueViolation);
        assert_eq!(of_mysql_number(1452), FaultKind::ForeignKeyViolation);
        assert_eq!(of_mysql_number(1053), FaultKind::Unavailable);
        assert_eq!(of_mysql_number(4031), FaultKind::Unavailable);
        assert_eq!(of_mysql_number(1064), FaultKind::Other);
    }

    #[test]
    fn postgres_goes_by_the_sqlstate() {
        for (state, kind) in [
            ("40001", FaultKind::SerializationFailure),
            ("40P01", FaultKind::Deadlock),
            ("55P03", FaultKind::LockTimeout),
            ("23505", FaultKind::UniqueViolation),
            ("23503", FaultKind::ForeignKeyViolation),
            ("08006", FaultKind::Unavailable),
            ("28P01", FaultKind::Unavailable),
            ("3D000", FaultKind::Unavailable),
            ("53300", FaultKind::Unavailable),
            ("57P01", FaultKind::Unavailable),
            ("57P03", FaultKind::Unavailable),
            ("42601", FaultKind::Other),
            ("25P02", FaultKind::TransactionAborted),
        ] {
            assert_eq!(of_sqlstate(state), kind, "{state}");
        }
    }

    #[test]
    fn being_cut_off_is_no_answer() {
        let with_code = |code: &str| Fault {
            kind: FaultKind::Unavailable,
            code: Some(code.to_owned()),
            message: String::new(),
        };
        for code in ["57P01", "57P02", "08006"] {
            assert!(!with_code(code).is_an_answer(), "{code}");
        }
        for code in ["40001", "57014", "25006", "1290", "5"] {
            assert!(with_code(code).is_an_answer(), "{code}");
        }
    }

    #[test]
    fn sqlite_tells_a_stale_snapshot_from_a_busy_database() {
        assert_eq!(of_sqlite_code(Some("5")), FaultKind::Busy);
        assert_eq!(of_sqlite_code(Some("261")), FaultKind::Busy);
        assert_eq!(of_sqlite_code(Some("517")), FaultKind::SnapshotConflict);
        assert_eq!(of_sqlite_code(Some("2067")), FaultKind::UniqueViolation);
        assert_eq!(of_sqlite_code(Some("787")), FaultKind::ForeignKeyViolation);
        assert_eq!(of_sqlite_code(Some("1")), FaultKind::Other);
        assert_eq!(of_sqlite_code(None), FaultKind::Other);
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
            FaultKind::Other,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
