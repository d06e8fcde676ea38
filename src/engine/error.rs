//! Why a database could not be opened.

use std::fmt;

use sqlx::migrate::MigrateError;

use super::{Fault, Flavour, Isolation, SchemaGap};

/// Why a database could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// It did not answer, or refused the connection.
    Connect(Fault),
    /// The engine does not have this isolation level.
    Isolation(Flavour, Isolation),
    /// There is no `innodb_snapshot_isolation` to switch on or off.
    SnapshotIsolation,
    /// A pooler is in between, and what is wanted cannot be had behind one.
    Pooler(String),
    /// The engine does not show the explorer which connections wait for a lock.
    Blind(String),
    /// Another exploration is at work in the very database that was named.
    InUse(String),
    /// A database or schema that was made for the explorer could not be dropped.
    NotDropped(String, Fault),
    /// MySQL and MariaDB: no database could be made for the explorer, or nothing in it.
    NoScratch(Fault),
    /// PostgreSQL: no schema could be made for one of the explorer's lanes.
    NoLane(Fault),
    /// SQLite: the file is another program's, or cannot be used.
    File(String),
    /// A migration failed, or the schema was not made by this program.
    Migrate(String),
    /// The schema is not the one that this program works on, and is not to be migrated now.
    Schema(SchemaGap),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(fault) => write!(f, "cannot open the database: {fault}"),
            Self::Isolation(flavour, isolation) => {
                let levels = flavour.isolation_levels().iter();
                let levels: Vec<_> = levels.map(|level| level.sql()).collect();
                let levels = levels.join(", ");
                write!(
                    f,
                    "{flavour} has no isolation level {isolation}, only {levels}"
                )
            }
            Self::SnapshotIsolation => f.write_str(
                "it has no innodb_snapshot_isolation to switch on or off; MariaDB has it since \
                 10.6.18 and 10.11.8",
            ),
            Self::Pooler(reason) | Self::InUse(reason) => f.write_str(reason),
            Self::Blind(reason) => write!(
                f,
                "the engine does not show which connections wait for a lock: {reason}"
            ),
            Self::NotDropped(name, fault) => {
                write!(f, "{name} could not be dropped, drop it yourself: {fault}")
            }
            Self::NoScratch(fault) => write!(
                f,
                "the explorer works in a database of its own, and none could be made: {fault} \
                 (the user needs all rights there: GRANT ALL ON `racy\\_explore\\_%`.* TO … on MySQL and \
                 MariaDB, ALTER ROLE … CREATEDB on PostgreSQL)"
            ),
            Self::NoLane(fault) => write!(
                f,
                "the explorer needs one schema for each run that goes on at the same time, and \
                 none could be made: {fault} (the user needs CREATE on the database)"
            ),
            Self::File(reason) => f.write_str(reason),
            Self::Migrate(reason) => write!(f, "cannot migrate the database: {reason}"),
            Self::Schema(gap) => gap.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// The server's words if it refused a connection because it has too many. None otherwise.
    pub(super) fn too_many_connections(&self) -> Option<String> {
        match self {
            Self::Connect(fault) if fault.is_too_many_connections() => Some(fault.to_string()),
            _ => None,
        }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        Self::Connect(fault)
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Connect(error.into())
    }
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        Self::Migrate(match error {
            // In the engine's words: sqlx would add a line number of PostgreSQL's own source code.
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Fault::from(error).to_string()
            }
            other => other.to_string(),
        })
    }
}
