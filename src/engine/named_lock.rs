//! Named locks, which are on no row. Each has a key, and the clients agree on what it stands for.
//!
//! InnoDB's belongs to the connection, PostgreSQL's to the transaction. SQLite has none. There a
//! lock on a file beside the database does the same on one host.

use std::path::{Path, PathBuf};

use super::connection::Connection;
use super::file_lock::FileLock;
use super::{Fault, Flavour};

/// A lock that does not end with its transaction.
#[derive(Debug)]
pub(super) enum NamedLock {
    /// InnoDB's, with this key. It ends with its connection.
    OfConnection(i64),
    /// SQLite's. It ends when this value is dropped.
    OfFile {
        /// Held until it is dropped.
        _lock: FileLock,
    },
}

// A lock's name is the server's, not the database's, and at most 64 characters long. So the name of
// the database goes into it, as a hash.
const GET_LOCK: &str =
    "SELECT CAST(GET_LOCK(CONCAT('racy ', SHA2(CONCAT(DATABASE(), ' ', ?), 224)), ?) AS SIGNED)";
const RELEASE_LOCK: &str =
    "SELECT CAST(RELEASE_LOCK(CONCAT('racy ', SHA2(CONCAT(DATABASE(), ' ', ?), 224))) AS SIGNED)";

// A lock's number is the database's, not the schema's. So the name of the schema goes into it.
const TRANSACTION_LOCK: &str = "SELECT pg_advisory_xact_lock(CAST(CAST('x' || SUBSTR(MD5(\
    CURRENT_SCHEMA() || ' ' || CAST(? AS TEXT)), 1, 16) AS BIT(64)) AS BIGINT))";

impl Flavour {
    /// The statement that takes a lock, for [these values](Self::lock_values). None on SQLite,
    /// where it is no statement.
    pub(super) fn lock_by_name(self) -> Option<&'static str> {
        match self {
            Self::MySql | Self::MariaDb => Some(GET_LOCK),
            Self::Postgres => Some(TRANSACTION_LOCK),
            Self::Sqlite => None,
        }
    }

    /// The key, and for InnoDB also the number of seconds to wait.
    pub(super) fn lock_values(self, key: i64, seconds: u64) -> Vec<i64> {
        match self {
            Self::MySql | Self::MariaDb => {
                vec![key, i64::try_from(seconds).unwrap_or(i64::MAX)]
            }
            Self::Postgres => vec![key],
            Self::Sqlite => Vec::new(),
        }
    }
}

/// Waits for a lock in the database. Returns it if it has to be released.
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
        (Some([Some(1)]), Some(key)) => Ok(Some(NamedLock::OfConnection(*key))),
        (Some([Some(0)]), _) => Err(Fault::lock_timeout("the named lock was not free in time")),
        _ => Err(Fault::other(
            "the engine did not say whether it gave the lock",
        )),
    }
}

/// Takes the lock on SQLite's file. It stands for all keys, because SQLite lets only one client
/// write.
pub(super) async fn take_file(path: Option<&Path>) -> Result<Option<NamedLock>, Fault> {
    let path = path.ok_or_else(|| Fault::other("there is no file to lock"))?;
    // The name of the database is that of its lock file, without the extension.
    match FileLock::try_take_of(path, &path.with_extension("")) {
        Ok(Some(lock)) => Ok(Some(NamedLock::OfFile { _lock: lock })),
        Ok(None) => Err(Fault::busy("another client has the lock file")),
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
    /// The statement that releases it, with its key. None if no statement does.
    pub(super) fn release(&self) -> Option<(&'static str, i64)> {
        match self {
            Self::OfConnection(key) => Some((RELEASE_LOCK, *key)),
            Self::OfFile { .. } => None,
        }
    }
}
