//! The engines: the only rooms that know sqlx.
//!
//! - [`Database`]: one pool per engine behind one enum, with what is known about the engine.
//! - `pool`: the pool.
//! - [`Session`]: one client's connection, on which every statement is an observed step.
//! - `dialect`: what differs in spelling. A further engine is one more [`Flavour`] there, one more
//!   variant of the two enums that hold a pool and a connection, and its codes in `fault`.
//! - [`Fault`]: an engine's refusal, classified once.
//! - `migrate`: the schema, brought up to date.
//! - `blocked`: does this connection wait for a lock?
//! - [`local`]: a private server started by the lab itself.
//! - [`choice`]: which engine it is going to be.

mod blocked;
pub mod choice;
mod dialect;
mod fault;
mod lane;
pub mod local;
mod migrate;
mod pool;
mod session;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::migrate::MigrateError;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, MySql, MySqlConnection, Sqlite};
use tokio::time::{Instant, sleep, timeout};
use utoipa::ToSchema;

pub use blocked::Standstill;
pub use dialect::{Flavour, Isolation};
pub use fault::{Fault, FaultKind};
pub use lane::Lane;
pub use session::{ConnectionId, Kept, Session};

use crate::step::{Observer, Unobserved};
use blocked::Looks;
use pool::Pool;
use session::Connection;

/// How to treat the database once it is reached.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The isolation level of every session; the engine's own default where none is named.
    pub isolation: Option<Isolation>,
    /// How long a statement waits for a lock, in whole seconds; the engine's own default (InnoDB:
    /// 50 seconds) where none is named. SQLite has none and gets InnoDB's.
    pub lock_wait_timeout: Option<u32>,
    /// MariaDB's `innodb_snapshot_isolation` for every session; the server's own where it is none.
    /// Other engines do not have it.
    pub snapshot_isolation: Option<bool>,
    /// How SQLite keeps its journal. Other engines have no choice.
    pub journal: Journal,
    /// At most that many connections at a time. Requests beyond queue for one, and while they do,
    /// they cannot race.
    pub connections: u32,
    /// How long a request queues for a connection before it is told that there is none.
    pub acquire_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            isolation: None,
            lock_wait_timeout: None,
            snapshot_isolation: None,
            journal: Journal::Wal,
            connections: 100,
            acquire_timeout: Duration::from_secs(10),
        }
    }
}

/// How SQLite keeps its journal, and with that: who keeps whom from doing what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Journal {
    /// A write-ahead log: readers see a snapshot, and neither wait for the writer nor make it wait.
    #[default]
    Wal,
    /// The rollback journal, SQLite's own default: to commit, a writer needs all readers gone.
    Rollback,
}

impl Journal {
    fn mode(self) -> SqliteJournalMode {
        match self {
            Self::Wal => SqliteJournalMode::Wal,
            Self::Rollback => SqliteJournalMode::Delete,
        }
    }
}

/// Where a database is, for the one who connects to it.
#[derive(Debug, Clone)]
pub enum Address {
    /// MySQL or MariaDB, over TCP or a unix socket.
    MySql(Box<MySqlConnectOptions>),
    /// A SQLite file.
    Sqlite(Box<SqliteConnectOptions>),
}

/// What is known about the engine behind a [`Database`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Engine {
    /// Which engine.
    #[serde(rename = "engine")]
    pub flavour: Flavour,
    /// Its own version, as it says it.
    #[serde(rename = "engine_version")]
    pub version: String,
    /// The isolation level of the sessions.
    pub isolation: Isolation,
    /// MariaDB's `innodb_snapshot_isolation`: a transaction is refused (1020) when it changes a row
    /// that somebody else changed after its snapshot. On by default since 11.6.2.
    pub snapshot_isolation: bool,
    /// How SQLite keeps its journal; none for the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journal>,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.flavour, self.version, self.isolation)?;
        if self.snapshot_isolation {
            f.write_str(" with innodb_snapshot_isolation")?;
        }
        if self.journal == Some(Journal::Rollback) {
            f.write_str(" with a rollback journal")?;
        }
        Ok(())
    }
}

/// A database: one pool of connections and what is known about the engine.
#[derive(Debug, Clone)]
pub struct Database {
    pools: Pools,
    engine: Engine,
    connections: u32,
    most_connections: Option<i64>,
    /// How long a session waits for a lock where the engine leaves that to its clients.
    lock_wait: Duration,
    looks: Arc<Looks>,
}

#[derive(Debug, Clone)]
enum Pools {
    MySql(Pool<MySql>),
    Sqlite(Pool<Sqlite>),
}

/// Why a database could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// It did not answer, or refused the connection.
    Connect(Fault),
    /// The isolation level is none that this engine has.
    Isolation(Flavour, Isolation),
    /// There is no `innodb_snapshot_isolation` to switch on or off.
    SnapshotIsolation,
    /// A migration failed, or the schema is not one that this program made.
    Migrate(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(fault) => write!(f, "cannot open the database: {fault}"),
            Self::Isolation(flavour, isolation) => write!(
                f,
                "{flavour} has no isolation level {isolation}, only {}",
                Isolation::Serializable
            ),
            Self::SnapshotIsolation => f.write_str(
                "it has no innodb_snapshot_isolation to switch on or off; MariaDB has it since \
                 10.6.18 and 10.11.8",
            ),
            Self::Migrate(reason) => write!(f, "cannot migrate the database: {reason}"),
        }
    }
}

impl std::error::Error for OpenError {}

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
        Self::Migrate(error.to_string())
    }
}

impl Database {
    /// Connects, and learns which engine answers. Changes nothing in the database.
    ///
    /// # Errors
    /// [`OpenError::Connect`] where it cannot be reached, [`OpenError::Isolation`] for a level that
    /// the engine does not have.
    pub async fn connect(address: &Address, settings: &Settings) -> Result<Self, OpenError> {
        match address {
            Address::MySql(options) => connect_mysql(options, settings).await,
            Address::Sqlite(options) => connect_sqlite(options, settings).await,
        }
    }

    /// Brings the schema up to date. Safe to call from several instances at once.
    ///
    /// # Errors
    /// [`OpenError::Migrate`], also when the database holds migrations that this program does not
    /// know or knows differently.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        match &self.pools {
            Pools::MySql(pool) => migrate::mysql(pool).await,
            Pools::Sqlite(pool) => migrate::sqlite(pool).await,
        }
    }

    /// What is known about the engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Opens a session on a connection from the pool.
    ///
    /// # Errors
    /// [`FaultKind::Unavailable`] where no connection is to be had in time.
    pub async fn session<'s>(&self, observer: &'s dyn Observer) -> Result<Session<'s>, Fault> {
        let connection = match &self.pools {
            Pools::MySql(pool) => Connection::MySql(pool.acquire().await?),
            Pools::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
        };
        Ok(Session::new(
            connection,
            self.engine.flavour,
            self.lock_wait,
            observer,
        ))
    }

    /// Whether every connection is taken, so that the next session has to queue for one.
    pub fn is_exhausted(&self) -> bool {
        match &self.pools {
            Pools::MySql(pool) => pool.is_exhausted(),
            Pools::Sqlite(pool) => pool.is_exhausted(),
        }
    }

    /// At most that many connections at a time.
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// At most that many connections does the server allow to all its clients together; none where
    /// there is no server.
    pub fn most_connections(&self) -> Option<i64> {
        self.most_connections
    }

    /// Asks the database whether it is there, and waits two seconds at most for its answer.
    ///
    /// # Errors
    /// As it answers, or does not.
    pub async fn ping(&self) -> Result<(), Fault> {
        let asked = timeout(TRIAL, async {
            let mut session = self.session(&Unobserved).await?;
            let answer = session.read("ping", "SELECT 1", &[]).await;
            session.end().await;
            answer.map(|_| ())
        });
        match asked.await {
            Ok(answer) => answer,
            Err(_elapsed) if self.is_exhausted() => Err(Fault::unavailable(format!(
                "all {} database connections are in use",
                self.connections
            ))),
            Err(_elapsed) => Err(Fault::unavailable("the database does not answer")),
        }
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        match &self.pools {
            Pools::MySql(pool) => pool.close().await,
            Pools::Sqlite(pool) => pool.close().await,
        }
    }
}

/// How long an answer is waited for by somebody who only wants to know whether there is one.
const TRIAL: Duration = Duration::from_secs(2);

async fn connect_mysql(
    options: &MySqlConnectOptions,
    settings: &Settings,
) -> Result<Database, OpenError> {
    // A statement that waits for a lock is the lesson, and the timeline shows it: no warning in the log.
    let options = options.clone().disable_statement_logging();
    if settings.snapshot_isolation.is_some() {
        // Before a connection is told to switch what it may not have.
        let mut connection = options.connect().await?;
        let known = snapshot_isolation(&mut connection).await?;
        connection.close().await?;
        known.ok_or(OpenError::SnapshotIsolation)?;
    }
    let pool = Pool::new(
        options,
        mysql_greeting(settings),
        settings.connections,
        settings.acquire_timeout,
    );
    let mut connection = pool.acquire().await?;
    let engine = ask_mysql(connection.get()?).await?;
    let most_connections = sqlx::query_scalar("SELECT CAST(@@max_connections AS SIGNED)")
        .fetch_one(connection.get()?)
        .await?;
    connection.give_back();
    Ok(Database {
        engine,
        pools: Pools::MySql(pool),
        connections: settings.connections,
        most_connections: Some(most_connections),
        lock_wait: Duration::ZERO,
        looks: Arc::default(),
    })
}

/// What every new connection is told, in one round trip. Set for the session and not for each
/// transaction, so that it holds for strategies in autocommit as well.
fn mysql_greeting(settings: &Settings) -> String {
    let mut statements = Vec::new();
    if let Some(level) = settings.isolation {
        let level = level.sql();
        statements.push(format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"));
    }
    if let Some(seconds) = settings.lock_wait_timeout {
        statements.push(format!("SET SESSION innodb_lock_wait_timeout = {seconds}"));
    }
    if let Some(on) = settings.snapshot_isolation {
        statements.push(format!("SET SESSION innodb_snapshot_isolation = {on}"));
    }
    statements.join("; ")
}

async fn ask_mysql(connection: &mut MySqlConnection) -> Result<Engine, OpenError> {
    let version: String = sqlx::query_scalar("SELECT VERSION()")
        .fetch_one(&mut *connection)
        .await?;
    let flavour = if version.contains("MariaDB") {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    };
    // MariaDB before 11.1 knows only the older name of the variable.
    let isolation: String = sqlx::query_scalar(match flavour {
        Flavour::MariaDb => "SELECT @@tx_isolation",
        Flavour::MySql | Flavour::Sqlite => "SELECT @@transaction_isolation",
    })
    .fetch_one(&mut *connection)
    .await?;
    let snapshot_isolation = snapshot_isolation(connection).await?;
    Ok(Engine {
        flavour,
        version,
        isolation: isolation.parse().map_err(|message| Fault {
            kind: FaultKind::Other,
            code: None,
            message,
        })?,
        snapshot_isolation: snapshot_isolation == Some(true),
        journal: None,
    })
}

/// MariaDB's `innodb_snapshot_isolation`; none where the server does not know it.
async fn snapshot_isolation(connection: &mut MySqlConnection) -> sqlx::Result<Option<bool>> {
    let found: Option<(String, String)> =
        sqlx::query_as("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'")
            .fetch_optional(connection)
            .await?;
    Ok(found.map(|(_, value)| value == "ON"))
}

/// What InnoDB does by default, so that the engines wait alike.
const SQLITE_LOCK_WAIT_SECONDS: u32 = 50;

async fn connect_sqlite(
    options: &SqliteConnectOptions,
    settings: &Settings,
) -> Result<Database, OpenError> {
    if let Some(level) = settings.isolation
        && level != Isolation::Serializable
    {
        return Err(OpenError::Isolation(Flavour::Sqlite, level));
    }
    if settings.snapshot_isolation.is_some() {
        return Err(OpenError::SnapshotIsolation);
    }
    let lock_wait = settings
        .lock_wait_timeout
        .unwrap_or(SQLITE_LOCK_WAIT_SECONDS);
    let options = options
        .clone()
        .create_if_missing(true)
        .foreign_keys(true)
        // The session waits, see there.
        .busy_timeout(Duration::ZERO)
        .disable_statement_logging();
    choose_journal(&options, settings.journal).await?;
    let pool = Pool::new(
        options,
        String::new(),
        settings.connections,
        settings.acquire_timeout,
    );
    let mut connection = pool.acquire().await?;
    let version = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection.get()?)
        .await?;
    connection.give_back();
    let engine = Engine {
        flavour: Flavour::Sqlite,
        version,
        isolation: Isolation::Serializable,
        snapshot_isolation: false,
        journal: Some(settings.journal),
    };
    Ok(Database {
        engine,
        pools: Pools::Sqlite(pool),
        connections: settings.connections,
        most_connections: None,
        lock_wait: Duration::from_secs(lock_wait.into()),
        looks: Arc::default(),
    })
}

/// Switches the file to a journal mode, in which it then stays. The one thing in SQLite that no busy
/// timeout covers: where several instances open a new file at once, all but one are refused.
async fn choose_journal(options: &SqliteConnectOptions, journal: Journal) -> Result<(), Fault> {
    const PATIENCE: Duration = Duration::from_secs(10);
    const PAUSE: Duration = Duration::from_millis(20);

    let options = options.clone().journal_mode(journal.mode());
    let deadline = Instant::now() + PATIENCE;
    loop {
        match options.connect().await.map_err(Fault::from) {
            Ok(connection) => return Ok(connection.close().await?),
            Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                sleep(PAUSE).await;
            }
            Err(fault) => return Err(fault),
        }
    }
}
