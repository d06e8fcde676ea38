//! Where a database is, and how it is treated once it is reached.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use utoipa::ToSchema;

use super::{Flavour, Isolation, OpenError, url};

/// How to treat the database once it is reached.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The isolation level of every session. If None, the engine's own default.
    pub isolation: Option<Isolation>,
    /// How many seconds a statement waits for a lock. If None, the engine's own default: 50 seconds
    /// on InnoDB, without limit on PostgreSQL. SQLite has no default and gets InnoDB's.
    pub lock_wait_timeout: Option<u32>,
    /// MariaDB's `innodb_snapshot_isolation` for every session. If None, the server's own value.
    /// Other engines do not have it.
    pub snapshot_isolation: Option<bool>,
    /// How SQLite keeps its journal. Other engines have no choice.
    pub journal: Journal,
    /// How long a statement of PostgreSQL waits for a lock before the engine looks for a deadlock.
    /// Its own default is one second. Only some users may change it; for others it stays as it is.
    /// The other engines look at once.
    pub deadlock_timeout: Option<Duration>,
    /// The largest number of connections at a time. Requests beyond it queue for a connection, and
    /// while they queue, they cannot race.
    pub connections: u32,
    /// How long a request queues for a connection before it is refused.
    pub acquire_timeout: Duration,
    /// How long the answer to one statement may take. If None, there is no limit.
    pub answer_within: Option<Duration>,
    /// Whose statements the sessions run.
    pub sessions: SessionsOf,
}

/// Whose statements the sessions of a database run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SessionsOf {
    /// Ours. All that they rely on is set.
    #[default]
    TheLab,
    /// A user's. They mean what they mean in a session of the engine's own client: what a driver or
    /// the lab would set is left as the server has it.
    AUser,
}

/// InnoDB's default, so that the engines wait alike.
const SQLITE_LOCK_WAIT_SECONDS: u32 = 50;

impl Settings {
    /// How long a session waits for a lock on an engine that leaves the waiting to it.
    pub(super) fn lock_wait(&self) -> Duration {
        let seconds = self.lock_wait_timeout.unwrap_or(SQLITE_LOCK_WAIT_SECONDS);
        Duration::from_secs(seconds.into())
    }

    /// How long the answer to a question about the database may take.
    pub(super) fn question_within(&self) -> Duration {
        self.answer_within.unwrap_or_else(|| self.opening_within())
    }

    /// How long opening a database may take.
    pub(super) fn opening_within(&self) -> Duration {
        /// A slow server may take this long, even if clients queue for less.
        const AT_LEAST: Duration = Duration::from_secs(10);

        AT_LEAST.max(self.acquire_timeout)
    }

    /// Refuses what an engine other than InnoDB does not have, before anything is sent to it.
    pub(super) fn check(&self, flavour: Flavour) -> Result<(), OpenError> {
        if self.snapshot_isolation.is_some() {
            return Err(OpenError::SnapshotIsolation);
        }
        match self.isolation {
            Some(level) if !flavour.isolation_levels().contains(&level) => {
                Err(OpenError::Isolation(flavour, level))
            }
            _ => Ok(()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            isolation: None,
            lock_wait_timeout: None,
            snapshot_isolation: None,
            journal: Journal::Wal,
            deadlock_timeout: None,
            connections: 100,
            acquire_timeout: Duration::from_secs(10),
            answer_within: None,
            sessions: SessionsOf::default(),
        }
    }
}

/// How SQLite keeps its journal. It decides which clients block each other.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Journal {
    /// A write-ahead log: readers see a snapshot. They neither wait for the writer nor block it.
    #[default]
    Wal,
    /// The rollback journal, SQLite's own default: a commit waits until there are no readers.
    Rollback,
}

impl Journal {
    pub(super) fn mode(self) -> SqliteJournalMode {
        match self {
            Self::Wal => SqliteJournalMode::Wal,
            Self::Rollback => SqliteJournalMode::Delete,
        }
    }
}

/// Where a database is, with everything that a connection to it needs, the password included.
#[derive(Clone)]
pub enum Address {
    /// MySQL or MariaDB, over TCP or a unix socket.
    MySql(Box<MySqlConnectOptions>),
    /// PostgreSQL, over TCP or a unix socket.
    Postgres(Box<PgConnectOptions>),
    /// A SQLite file.
    Sqlite(Box<SqliteConnectOptions>),
}

/// Leaves the password out.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match self {
            Self::MySql(options) => url::DatabaseUrl::MySql(options.clone()),
            Self::Postgres(options) => url::DatabaseUrl::Postgres(options.clone()),
            Self::Sqlite(options) => url::DatabaseUrl::SqliteFile(options.get_filename().into()),
        };
        fmt::Display::fmt(&url, f)
    }
}
