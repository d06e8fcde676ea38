//! An engine's refusal, classified once. Nothing outside this module and [`codes`] looks at an
//! engine's codes or messages.

mod kind;

use std::fmt;
use std::io;

use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use super::codes;
pub use kind::FaultKind;

/// A refusal by the engine, or a failure to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it means.
    pub kind: FaultKind,
    /// The engine's own code: MySQL's error number, PostgreSQL's SQLSTATE, SQLite's extended result
    /// code. None if the refusal did not come from the engine.
    pub code: Option<String>,
    /// The SQLSTATE. None on SQLite, and if the refusal did not come from the engine.
    pub state: Option<String>,
    /// The engine's own words.
    pub message: String,
}

impl Fault {
    /// A fault that this program has found itself.
    fn without_code(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            state: None,
            message: message.into(),
        }
    }

    /// What MySQL or MariaDB has refused another program with.
    pub(crate) fn of_another_client(number: u16, state: Option<&str>, message: &str) -> Self {
        Self {
            kind: codes::of_mysql(number, message),
            code: Some(number.to_string()),
            state: state.map(str::to_owned),
            message: message.to_owned(),
        }
    }

    /// What PostgreSQL has refused another program with.
    pub(crate) fn of_another_client_of_postgres(state: &str, message: &str) -> Self {
        Self {
            kind: codes::of_postgres(state, message),
            code: Some(state.to_owned()),
            state: Some(state.to_owned()),
            message: message.to_owned(),
        }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::without_code(FaultKind::Unavailable, message)
    }

    pub(crate) fn lock_timeout(message: impl Into<String>) -> Self {
        Self::without_code(FaultKind::LockTimeout, message)
    }

    /// SQLite is busy, or a wait in its place did not end yet.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::without_code(FaultKind::Busy, message)
    }

    /// What the operating system says of a file, after `what` was tried.
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
            state: None,
            message: format!("{what}: {error}"),
        }
    }

    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::without_code(FaultKind::Other, message)
    }

    /// The fault as it is after a wait until the lock wait timeout: SQLite that is still busy then
    /// is a lock timeout.
    pub(super) fn after_the_lock_wait(self) -> Self {
        if self.kind == FaultKind::Busy {
            Self {
                kind: FaultKind::LockTimeout,
                ..self
            }
        } else {
            self
        }
    }

    /// Whether it says nothing about the statement that it answers: the database as a whole is out
    /// of reach, or has no room.
    pub(crate) fn concerns_the_whole_database(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::LimitReached
                | FaultKind::DatabaseFull
                | FaultKind::DatabaseStorage
                | FaultKind::DiskFull
                | FaultKind::Storage
        )
    }

    /// Whether it says nothing about a race: the database or the disk is out of reach, or the lab
    /// has made a mistake.
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
            | FaultKind::CheckViolation
            | FaultKind::NotNullViolation
            | FaultKind::ExclusionViolation
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

    /// Whether the engine does not understand the statement, or lacks what it calls: it is in the
    /// dialect of another engine.
    pub(crate) fn is_of_another_dialect(&self) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| codes::is_of_another_dialect(code, &self.message))
    }

    /// Whether its connection is of no further use. A new connection may reach another server, have
    /// other rights, or prepare again a statement that was lost.
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
            | FaultKind::CheckViolation
            | FaultKind::NotNullViolation
            | FaultKind::ExclusionViolation
            | FaultKind::LimitReached
            | FaultKind::OutOfRange
            | FaultKind::DiskFull
            | FaultKind::Storage
            | FaultKind::Other => false,
        }
    }

    /// Whether InnoDB has rolled the whole transaction back with it, with any settings of the
    /// server.
    pub(crate) fn rolls_innodb_back(&self) -> bool {
        let kind_does = matches!(
            self.kind,
            FaultKind::Deadlock | FaultKind::SnapshotConflict | FaultKind::SerializationFailure
        );
        let code = self.code.as_deref();
        // A deadlock of named locks (3058) does not concern InnoDB. If its lock table is full
        // (1206), it rolls back everything.
        (kind_does && code != Some("3058")) || code == Some("1206")
    }

    /// Whether a commit that is refused with it may have been kept nevertheless, because the engine
    /// broke off while it committed.
    pub(super) fn leaves_a_commit_in_doubt(&self) -> bool {
        let code = self.code.as_deref();
        !self.is_an_answer() || code.is_some_and(|code| codes::COMMIT_IN_DOUBT.contains(&code))
    }

    /// What a client may be told: the words name no users, hosts or files of the database.
    pub(crate) fn public_words(&self) -> &str {
        let words = self.kind.words().filter(|_| self.code.is_some());
        words.unwrap_or(&self.message)
    }

    /// As it is displayed, but in words for a client.
    pub(super) fn public(&self) -> String {
        let words = self.public_words();
        match &self.code {
            Some(code) => format!("{} ({code}): {words}", self.kind),
            None => format!("{}: {words}", self.kind),
        }
    }

    /// Whether a prepared statement was missing, or was there already (MySQL 1243, PostgreSQL 26000
    /// and 42P05). A pooler has then exchanged the connection.
    pub(super) fn is_of_a_lost_statement(&self) -> bool {
        matches!(self.code.as_deref(), Some("1243" | "26000" | "42P05"))
    }

    /// Whether the server, this database or this user may not have a further connection. MySQL:
    /// max_connections (1040), max_user_connections (1203), limits of a user (1226). PostgreSQL:
    /// 53300 for all of them.
    pub(super) fn is_too_many_connections(&self) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| ["1040", "1203", "1226", "53300"].contains(&code))
    }

    /// Whether a trigger is refused because of the binary log (1419), which says nothing about the
    /// right to triggers.
    pub(super) fn is_of_an_unsafe_trigger(&self) -> bool {
        self.code.as_deref() == Some("1419")
    }

    /// Whether MySQL could not read a name in its performance schema as text (3854). The schema is
    /// read without a lock, so it may show the name of a lock that is just being given up.
    pub(super) fn is_of_a_torn_name(&self) -> bool {
        self.code.as_deref() == Some("3854")
    }

    /// Whether PostgreSQL does not drop what other connections use.
    pub(super) fn is_object_in_use(&self) -> bool {
        self.code.as_deref() == Some("55006")
    }

    /// Whether MySQL found no database to drop. It checks the right to drop it first.
    pub(super) fn is_no_such_database(&self) -> bool {
        self.code.as_deref() == Some("1008")
    }

    /// Whether the engine itself refused, so that the state of its data is known. Otherwise the
    /// answer did not come, or did not come whole.
    ///
    /// What an engine says when it closes a connection is no answer to a statement: it may come
    /// instead of the answer to a commit, or after it.
    pub(super) fn is_an_answer(&self) -> bool {
        // A wait outside the engine has no code, and is an answer all the same.
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
            // The kind and not the text, because the text may be a library's advice to programmers.
            sqlx::Error::Io(error) => format!("the connection failed: {}", error.kind()),
            other => other.to_string(),
        };
        Self {
            kind,
            code,
            state: state_of(&error),
            message,
        }
    }
}

/// The SQLSTATE of a refusal by MySQL, MariaDB or PostgreSQL.
fn state_of(error: &sqlx::Error) -> Option<String> {
    let refusal = error.as_database_error()?;
    let is_of_sqlite = refusal.try_downcast_ref::<SqliteError>().is_some();
    let state = refusal.code().filter(|_| !is_of_sqlite);
    state.map(|it| it.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn being_cut_off_is_no_answer() {
        let with_code = |code: &str| Fault {
            kind: FaultKind::Unavailable,
            code: Some(code.to_owned()),
            state: None,
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
            state: None,
            message: "Access denied for user 'racy'@'10.0.0.7'".to_owned(),
        };
        assert!(!denied.public().contains("10.0.0.7"), "{}", denied.public());
        assert!(denied.to_string().contains("10.0.0.7"), "{denied}");
        let ours = Fault::unavailable("all 1 database connections are in use");
        assert_eq!(ours.public_words(), "all 1 database connections are in use");
    }
}
