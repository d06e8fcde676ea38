//! Named locks, which are on no row: an account's lock is one by agreement.
//!
//! InnoDB's belongs to the connection, PostgreSQL's to the transaction. SQLite has none; a lock on a file
//! beside the database does the same on one host.

use std::path::{Path, PathBuf};

use super::connection::Connection;
use super::file_lock::FileLock;
use super::{Fault, FaultKind, Flavour};

/// A lock that has to be given up by whoever holds it.
#[derive(Debug)]
pub(super) enum NamedLock {
    /// InnoDB's, for this account. It is gone with its connection.
    OfConnection(i64),
    /// SQLite's. It is gone with its value.
    OfFile {
        /// Held until it is dropped.
        _lock: FileLock,
    },
}

// A lock's name is the server's, not the database's, and at most 64 characters long.
const GET_LOCK: &str =
    "SELECT CAST(GET_LOCK(CONCAT('racy ', SHA2(CONCAT(DATABASE(), ' ', ?), 224)), ?) AS SIGNED)";
const RELEASE_LOCK: &str =
    "SELECT CAST(RELEASE_LOCK(CONCAT('racy ', SHA2(CONCAT(DATABASE(), ' ', ?), 224))) AS SIGNED)";

// A lock's number is the database's, not the schema's: this one is made of the schema's name as well.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(CAST(CAST('x' || SUBSTR(MD5(\
    CURRENT_SCHEMA() || ' ' || CAST(? AS TEXT)), 1, 16) AS BIT(64)) AS BIGINT))";

impl Flavour {
    /// Takes an account's lock, for values as [`lock_values`](Self::lock_values) gives them; none where it is
    /// no statement.
    pub(super) fn lock_by_name(self) -> Option<&'static str> {
        match self {
            Self::MySql | Self::MariaDb => Some(GET_LOCK),
            Self::Postgres => Some(ADVISORY_LOCK),
            Self::Sqlite => None,
        }
    }

    /// The account; and where the engine wants to be told, for how many seconds to wait.
    pub(super) fn lock_values(self, account: i64, seconds: u64) -> Vec<i64> {
        match self {
            Self::MySql | Self::MariaDb => {
                vec![account, i64::try_from(seconds).unwrap_or(i64::MAX)]
            }
            Self::Postgres => vec![account],
            Self::Sqlite => Vec::new(),
        }
    }
}

/// Waits for an account's lock in the database; says which lock is to be given up, where one is.
pub(super) async fn take(
    connection: &mut Connection,
    flavour: Flavour,
    sql: &str,
    values: &[i64],
) -> Result<Option<NamedLock>, Fault> {
    if flavour == Flavour::Postgres {
        connection.execute(sql, values).await?;
        return Ok(None);
    }
    let answer = connection.integers::<1>(sql, values).await?;
    match (answer.first(), values.first()) {
        (Some([Some(1)]), Some(account)) => Ok(Some(NamedLock::OfConnection(*account))),
        (Some([Some(0)]), _) => Err(Fault {
            kind: FaultKind::LockTimeout,
            code: None,
            message: "the named lock was not to be had in time".to_owned(),
        }),
        _ => Err(Fault::other(
            "the engine did not say whether it gave the lock",
        )),
    }
}

/// Takes the lock on SQLite's file, if nobody has it. Not its account's alone: SQLite lets but one write.
pub(super) async fn take_file(path: Option<&Path>) -> Result<Option<NamedLock>, Fault> {
    let path = path.ok_or_else(|| Fault::other("there is no file to lock"))?;
    // The database is called as its lock file, without the last part.
    match FileLock::try_take_of(path, &path.with_extension("")) {
        Ok(Some(lock)) => Ok(Some(NamedLock::OfFile { _lock: lock })),
        Ok(None) => Err(Fault {
            kind: FaultKind::Busy,
            code: None,
            message: "somebody else has the lock file".to_owned(),
        }),
        Err(error) => Err(Fault::unavailable(format!(
            "the lock file {}: {error}",
            path.display()
        ))),
    }
}

/// The lock file that goes with a database file.
pub(super) fn file_beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

impl NamedLock {
    /// What gives it up, with its value; none where it is no statement.
    pub(super) fn release(&self) -> Option<(&'static str, i64)> {
        match self {
            Self::OfConnection(account) => Some((RELEASE_LOCK, *account)),
            Self::OfFile { .. } => None,
        }
    }
}
