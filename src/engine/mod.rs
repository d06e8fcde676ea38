//! The engines: the only rooms that know sqlx.
//!
//! - [`Database`]: one pool per engine behind one enum, with what is known about the engine.
//! - `mysql`, `postgres`, `sqlite`: what each engine is told and asked when a connection to it is opened.
//! - `presets`: the session variables that our statements rely on. `greeting`: how each connection
//!   is told them, and asked for them. `pooler`: what is done behind a pooler.
//! - `pool`: the pool. `connection`: one of its connections, whichever driver it is of.
//! - [`Session`]: one client's connection, on which every statement is an observed step.
//! - `named_lock`: locks that are on no row. `alone`: a transaction that has an account to itself.
//! - `dialect`: what differs in spelling. A further engine is one more [`Flavour`] there, one more
//!   variant of the two enums that hold a pool and a connection, and its codes in `codes`.
//! - [`Fault`]: an engine's refusal, classified once. `codes`: the engines' own codes, class by
//!   class.
//! - `ready`: could a deposit be made?
//! - `migrate`: the schema, brought up to date. `schema`: how far it is.
//! - [`Lane`]: a place for one of several runs that must not meet. `lane_mark`: what tells it from
//!   every other place. `room`: how many connections there are for lanes.
//! - `blocked`: does this connection wait for a lock? `waits`: would it be seen if it did?
//! - [`local`]: a private server started by the lab itself.
//! - `sqlite_file`: whose a SQLite file is, before anything in it is changed. `file_lock`: the lock
//!   file beside it. `work`: several statements that are kept together or not at all.
//! - `reach`: why a server cannot be reached, and whether the way to it is encrypted.
//! - `url`: what `--database-url` may say, and `parameters`, after its `?`. [`choice`]: which engine
//!   it is going to be.

mod alone;
mod blocked;
pub mod choice;
mod codes;
mod connection;
mod dialect;
mod fault;
mod file_lock;
mod greeting;
mod lane;
mod lane_mark;
pub mod local;
mod migrate;
mod mysql;
mod named_lock;
mod parameters;
mod pool;
mod pooler;
mod postgres;
mod presets;
mod reach;
mod ready;
mod room;
mod schema;
mod session;
mod sqlite;
mod sqlite_file;
mod url;
mod waits;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::migrate::MigrateError;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{MySql, Postgres, Sqlite};
use tokio::time::timeout;
use utoipa::ToSchema;

pub use blocked::Standstill;
pub use connection::{ConnectionId, Row, Value};
pub use dialect::{Flavour, Isolation};
pub use fault::{Fault, FaultKind};
pub use file_lock::FileLock;
pub use lane::{BESIDE_THE_CLIENTS, Lane, Lanes, Scratch};
pub use pool::PoolUse;
pub use schema::SchemaGap;
pub use session::{Kept, Session};
pub(crate) use work::pauses_between_tries;
pub use work::{MayBeFault, Work, again};

use crate::step::{Observer, Unobserved};
use blocked::Looks;
use connection::Connection;
use lane_mark::Place;
use pool::Pool;
use presets::Choice;

/// How to treat the database once it is reached.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The isolation level of every session; the engine's own default where none is named.
    pub isolation: Option<Isolation>,
    /// How long a statement waits for a lock, in whole seconds; the engine's own default (InnoDB:
    /// 50 seconds, PostgreSQL: for ever) where none is named. SQLite has none and gets InnoDB's.
    pub lock_wait_timeout: Option<u32>,
    /// MariaDB's `innodb_snapshot_isolation` for every session; the server's own where it is none.
    /// Other engines do not have it.
    pub snapshot_isolation: Option<bool>,
    /// How SQLite keeps its journal. Other engines have no choice.
    pub journal: Journal,
    /// How long a statement of PostgreSQL's waits for a lock before the engine looks for a deadlock
    /// (its own default: one second). Only who may change that does; for anybody else it stays as it
    /// is. The other engines look at once.
    pub deadlock_timeout: Option<Duration>,
    /// At most that many connections at a time. Requests beyond queue for one, and while they do,
    /// they cannot race.
    pub connections: u32,
    /// How long a request queues for a connection before it is told that there is none.
    pub acquire_timeout: Duration,
    /// How long the answer to one statement is waited for; None where it may take any time.
    pub answer_within: Option<Duration>,
}

/// What InnoDB does by default, so that the engines wait alike.
const SQLITE_LOCK_WAIT_SECONDS: u32 = 50;

impl Settings {
    /// How long a session waits for a lock where the engine leaves the waiting to it.
    fn lock_wait(&self) -> Duration {
        let seconds = self.lock_wait_timeout.unwrap_or(SQLITE_LOCK_WAIT_SECONDS);
        Duration::from_secs(seconds.into())
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

/// Where a database is, with all that connecting to it takes, the password included.
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
    /// InnoDB's `innodb_rollback_on_timeout`: a lock wait that times out ends the whole transaction.
    #[serde(skip)]
    pub rolls_back_on_timeout: bool,
    /// Whether a session may switch `innodb_snapshot_isolation` on and off.
    #[serde(skip)]
    pub can_switch_snapshot_isolation: bool,
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
    address: Address,
    settings: Settings,
    pools: Pools,
    engine: Engine,
    most_connections: Option<i64>,
    /// What the user has chosen beside the level, as the server says it.
    choices: Vec<String>,
    /// The place that every connection makes sure to be in; None where it is as the URL says.
    place: Option<Arc<Place>>,
    is_pooled: bool,
    looks: Arc<Looks>,
}

#[derive(Debug, Clone)]
enum Pools {
    MySql(Pool<MySql>),
    Postgres(Pool<Postgres>),
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
    /// A pooler is in between, and what is wanted cannot be had behind one.
    Pooler(String),
    /// What the engine has to show the explorer, it does not show: who waits for a lock.
    Blind(String),
    /// A database or schema of the explorer's own could not be dropped.
    NotDropped(String, Fault),
    /// MySQL and MariaDB: no database could be made for the explorer, or nothing in it.
    NoScratch(Fault),
    /// PostgreSQL: no schema could be made for a lane of the explorer's.
    NoLane(Fault),
    /// SQLite: the file is another program's, or cannot be used.
    File(String),
    /// A migration failed, or the schema is not one that this program made.
    Migrate(String),
    /// The schema is not the one that this program works on, and it may not or cannot migrate it.
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
            Self::Pooler(reason) => f.write_str(reason),
            Self::Blind(reason) => write!(f, "it does not show who waits for a lock: {reason}"),
            Self::NotDropped(name, fault) => {
                write!(f, "{name} could not be dropped, drop it yourself: {fault}")
            }
            Self::NoScratch(fault) => write!(
                f,
                "the explorer works in a database of its own, and none could be made: {fault} (the user \
                 needs all rights there: GRANT ALL ON `racy\\_explore\\_%`.* TO …)"
            ),
            Self::NoLane(fault) => write!(
                f,
                "no schema could be made, of which the explorer needs one for each run that goes on at \
                 once: {fault} (the user needs CREATE on the database)"
            ),
            Self::File(reason) => f.write_str(reason),
            Self::Migrate(reason) => write!(f, "cannot migrate the database: {reason}"),
            Self::Schema(gap) => gap.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// The refusal of one connection more, in the server's words.
    fn too_many_connections(&self) -> Option<String> {
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
            // In the engine's words: sqlx adds a line number, of PostgreSQL's own source code.
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Fault::from(error).to_string()
            }
            other => other.to_string(),
        })
    }
}

impl Database {
    /// Connects, and learns which engine answers. Changes nothing in the database.
    ///
    /// # Errors
    /// [`OpenError::Connect`] where it cannot be reached, [`OpenError::Isolation`] for a level that
    /// the engine does not have.
    pub async fn connect(address: &Address, settings: &Settings) -> Result<Self, OpenError> {
        Self::connect_in(address, settings, None).await
    }

    /// As [`connect`](Self::connect), where every connection makes sure that it is in this place.
    async fn connect_in(
        address: &Address,
        settings: &Settings,
        place: Option<&Arc<Place>>,
    ) -> Result<Self, OpenError> {
        let connecting = async {
            match address {
                Address::MySql(options) => mysql::connect(options, settings, place).await,
                Address::Postgres(options) => postgres::connect(options, settings, place).await,
                Address::Sqlite(options) => sqlite::connect(options, settings).await,
            }
        };
        let connected = timeout(CONNECT_WITHIN.max(settings.acquire_timeout), connecting).await;
        match connected {
            Ok(Err(OpenError::Connect(fault))) => {
                Err(OpenError::Connect(reach::explained(address, fault).await))
            }
            Ok(connected) => connected,
            Err(_elapsed) => {
                let silence = Fault::unavailable("the database does not answer");
                Err(reach::explained(address, silence).await.into())
            }
        }
    }

    /// The same database, with other settings and connections of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn with(&self, settings: &Settings) -> Result<Self, OpenError> {
        Self::connect_in(&self.address, settings, self.place.as_ref()).await
    }

    /// What is to be said of its sessions, as the server says it.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if !self.choices.is_empty() {
            remarks.push(format!("as the server says: {}", self.choices.join(", ")));
        }
        if let (true, Pools::Postgres(pool)) = (self.is_pooled, &self.pools) {
            let beginning = pool.greeting().behind_a_pooler.as_deref();
            remarks.push(pooler::noticed(beginning));
        }
        remarks
    }

    /// Makes sure that what is set for a session stays with it.
    ///
    /// # Errors
    /// [`OpenError::Pooler`] where a pooler is in between.
    pub fn must_be_direct(&self) -> Result<(), OpenError> {
        match self.is_pooled {
            true => Err(OpenError::Pooler(pooler::refused(
                "what is set for a lane would hold for other clients, in their own tables",
            ))),
            false => Ok(()),
        }
    }

    /// The same database through a pool of its own with at most this number of connections, and
    /// with the same settings. A client that takes all connections of the one pool leaves the
    /// other's alone.
    #[must_use]
    pub fn beside(&self, connections: u32) -> Self {
        Self {
            settings: Settings {
                connections,
                ..self.settings
            },
            pools: match &self.pools {
                Pools::MySql(pool) => Pools::MySql(pool.beside(connections)),
                Pools::Postgres(pool) => Pools::Postgres(pool.beside(connections)),
                Pools::Sqlite(pool) => Pools::Sqlite(pool.beside(connections)),
            },
            ..self.clone()
        }
    }

    /// How long a client waits for a lock before the engine looks whether it waits in a circle. Whoever
    /// closes a circle later than that is the one who is refused.
    pub fn looks_for_deadlocks_after(&self) -> Duration {
        /// For PostgreSQL's clocks to be past the time as well.
        const MARGIN: Duration = Duration::from_millis(5);
        match (self.engine.flavour, self.settings.deadlock_timeout) {
            (Flavour::Postgres, Some(timeout)) => timeout + MARGIN,
            _ => Duration::ZERO,
        }
    }

    /// The settings of its sessions.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Brings the schema up to date. Safe to call from several instances at once. Where it is up to
    /// date nothing is written, so that a user suffices who may not change it.
    ///
    /// # Errors
    /// [`OpenError::Migrate`]; [`OpenError::Schema`] when the database holds migrations that this
    /// program does not know or knows differently.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        match self.schema_gap().await? {
            None => Ok(()),
            Some(SchemaGap::Missing(_)) => match &self.pools {
                Pools::MySql(pool) => migrate::mysql(pool).await,
                Pools::Postgres(pool) => migrate::postgres(pool).await,
                Pools::Sqlite(pool) => migrate::sqlite(pool).await,
            },
            Some(gap) => Err(OpenError::Schema(gap)),
        }
    }

    /// Refuses a schema that is not up to date, and writes nothing.
    ///
    /// # Errors
    /// [`OpenError::Schema`].
    pub async fn require_schema(&self) -> Result<(), OpenError> {
        match self.schema_gap().await? {
            None => Ok(()),
            Some(gap) => Err(OpenError::Schema(gap)),
        }
    }

    async fn schema_gap(&self) -> Result<Option<SchemaGap>, OpenError> {
        match &self.pools {
            Pools::MySql(pool) => migrate::mysql_gap(pool).await,
            Pools::Postgres(pool) => migrate::postgres_gap(pool).await,
            Pools::Sqlite(pool) => migrate::sqlite_gap(pool).await,
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
        let session = Session::new(
            self.connection().await?,
            &self.engine,
            self.settings.lock_wait(),
            observer,
        );
        Ok(match &self.address {
            Address::Sqlite(options) => {
                session.locking(named_lock::file_beside(options.get_filename()))
            }
            Address::MySql(_) | Address::Postgres(_) => session,
        })
    }

    async fn connection(&self) -> Result<Connection, Fault> {
        Ok(match &self.pools {
            Pools::MySql(pool) => Connection::MySql(pool.acquire().await?),
            Pools::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
            Pools::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
        })
    }

    /// Whether every connection is taken, so that the next session has to queue for one.
    pub fn is_exhausted(&self) -> bool {
        match &self.pools {
            Pools::MySql(pool) => pool.is_exhausted(),
            Pools::Postgres(pool) => pool.is_exhausted(),
            Pools::Sqlite(pool) => pool.is_exhausted(),
        }
    }

    /// What becomes of its connections right now.
    pub fn pool_use(&self) -> PoolUse {
        match &self.pools {
            Pools::MySql(pool) => pool.usage(),
            Pools::Postgres(pool) => pool.usage(),
            Pools::Sqlite(pool) => pool.usage(),
        }
    }

    /// At most that many connections at a time.
    pub fn connections(&self) -> u32 {
        self.settings.connections
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
            let answer = session.read("ping", "SELECT CAST(1 AS SIGNED)", &[]).await;
            session.end().await;
            answer.map(|_| ())
        });
        match asked.await {
            Ok(answer) => answer,
            Err(_elapsed) if self.is_exhausted() => Err(Fault::unavailable(format!(
                "all {} database connections are in use",
                self.settings.connections
            ))),
            Err(_elapsed) => Err(Fault::unavailable("the database does not answer")),
        }
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        match &self.pools {
            Pools::MySql(pool) => pool.close().await,
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite(pool) => pool.close().await,
        }
    }
}

/// Refuses what an engine other than InnoDB does not have, before anything is sent to it.
fn check(flavour: Flavour, settings: &Settings) -> Result<(), OpenError> {
    if settings.snapshot_isolation.is_some() {
        return Err(OpenError::SnapshotIsolation);
    }
    match settings.isolation {
        Some(level) if !flavour.isolation_levels().contains(&level) => {
            Err(OpenError::Isolation(flavour, level))
        }
        _ => Ok(()),
    }
}

/// What the user has chosen, where it is worth a word.
fn chosen<'v>(choices: &[Choice], value: impl Fn(&str) -> Option<&'v str>) -> Vec<String> {
    let chosen = choices.iter().filter_map(|choice| {
        let is = value(choice.name)?;
        let is_usual = choice
            .usual
            .is_some_and(|usual| presets::are_the_same(usual, is));
        (!is_usual).then(|| format!("{} = {is}", choice.name))
    });
    chosen.collect()
}

/// How long it may take at least until a database has said all about itself.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer is waited for where the question is only whether there is one.
const TRIAL: Duration = Duration::from_secs(2);
