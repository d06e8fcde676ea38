//! Everything that a [`Database`] offers, in groups: opening, facts, schema, sessions, work, pool,
//! waits, lanes. What takes more than a few lines is done in the module of its concern.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sqlx::{MySql, Postgres, Sqlite};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::connection::{Connection, ConnectionId, Row, Value, answered};
use super::lane::{self, Place};
use super::pool::{Pool, PoolUse};
use super::waits::{self, LockWaiter, Standstill, WaitReports};
use super::work::{self, Work};
use super::{
    Address, Fault, Flavour, Isolation, Journal, LaneKind, Lanes, OpenError, SchemaGap, Scratch,
    Session, Settings, migrate, mysql, named_lock, pooler, postgres, reach, sqlite,
};
use crate::step::{Connected, Observer, Unobserved};

/// What is known about the engine behind a [`Database`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Engine {
    /// Which engine.
    #[serde(rename = "engine")]
    pub flavour: Flavour,
    /// Its version, in its own words.
    #[serde(rename = "engine_version")]
    pub version: String,
    /// The isolation level of the sessions.
    pub isolation: Isolation,
    /// MariaDB's `innodb_snapshot_isolation`: a transaction is refused (1020) when it changes a row
    /// that another client changed after its snapshot. On by default since 11.6.2.
    pub snapshot_isolation: bool,
    /// InnoDB's `innodb_rollback_on_timeout`: a lock wait that times out ends the transaction.
    #[serde(skip)]
    pub rolls_back_on_timeout: bool,
    /// Whether a session may switch `innodb_snapshot_isolation` on and off.
    #[serde(skip)]
    pub can_switch_snapshot_isolation: bool,
    /// How SQLite keeps its journal. None for the other engines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journal>,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A report that is written for every machine names no version.
        let version = match &*self.version {
            "" => String::new(),
            version => format!(" {version}"),
        };
        write!(f, "{}{version}, {}", self.flavour, self.isolation)?;
        if self.snapshot_isolation {
            f.write_str(" with innodb_snapshot_isolation")?;
        }
        if self.journal == Some(Journal::Rollback) {
            f.write_str(" with a rollback journal")?;
        }
        Ok(())
    }
}

/// A database: one pool of connections, and what is known about the engine.
#[derive(Debug, Clone)]
pub struct Database {
    pub(super) address: Address,
    pub(super) settings: Settings,
    pub(super) pools: Pools,
    pub(super) engine: Engine,
    pub(super) most_connections: Option<i64>,
    /// See [`looks_for_deadlocks_after`](Self::looks_for_deadlocks_after).
    pub(super) deadlock_timeout: Duration,
    /// What the user has chosen besides the isolation level, in the server's words.
    pub(super) choices: Vec<String>,
    /// The place in which every connection makes sure to be. None if the URL alone decides.
    pub(super) place: Option<Arc<Place>>,
    pub(super) is_pooled: bool,
    pub(super) wait_reports: Arc<WaitReports>,
}

#[derive(Debug, Clone)]
pub(super) enum Pools {
    MySql(Pool<MySql>),
    Postgres(Pool<Postgres>),
    Sqlite(Pool<Sqlite>),
}

/// The same work on the pool of any engine.
macro_rules! on_pool {
    ($database:expr, $pool:ident => $work:expr) => {
        match &$database.pools {
            Pools::MySql($pool) => $work,
            Pools::Postgres($pool) => $work,
            Pools::Sqlite($pool) => $work,
        }
    };
}

/// Opening and closing.
impl Database {
    /// Connects, and asks which engine answers. Changes nothing in the database.
    pub async fn connect(address: &Address, settings: &Settings) -> Result<Self, OpenError> {
        Self::connect_in(address, settings, None).await
    }

    /// As [`connect`](Self::connect), but every connection makes sure that it is in this place.
    pub(super) async fn connect_in(
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
        match timeout(settings.opening_within(), connecting).await {
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

    /// Opens the same database with other settings and with connections of its own.
    pub async fn with(&self, settings: &Settings) -> Result<Self, OpenError> {
        Self::connect_in(&self.address, settings, self.place.as_ref()).await
    }

    /// The same database and settings, with a second pool of at most this number of connections. A
    /// client that takes all connections of one pool leaves those of the other alone.
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

    /// Closes all connections. Waits for those in use.
    pub async fn close(&self) {
        on_pool!(self, pool => pool.close().await);
    }
}

/// Facts. What is said of encryption is in `encryption`.
impl Database {
    /// What tells its place from all others. Not for people.
    pub(crate) fn place_key(&self) -> String {
        format!("{:?}", self.address)
    }

    /// What is known about the engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The settings of its sessions.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What a user should know about its sessions, in the server's words.
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

    /// Refuses a database behind a pooler, where what is set for a session does not stay with it.
    pub(crate) fn must_be_direct(&self) -> Result<(), OpenError> {
        if !self.is_pooled {
            return Ok(());
        }
        Err(OpenError::Pooler(pooler::refused(
            "what is set for a lane would hold for other clients, in their own tables",
        )))
    }

    /// How long a client waits for a lock before the engine looks for a deadlock. If clients wait
    /// in a circle, the one that closes the circle after that time is the one that is refused. Zero
    /// on an engine that looks at once.
    pub(crate) fn looks_for_deadlocks_after(&self) -> Duration {
        self.deadlock_timeout
    }
}

/// The schema.
impl Database {
    /// Brings the schema up to date. Several instances may call it at once. If the schema is up to
    /// date, nothing is written, so that a user who may not change it suffices.
    ///
    /// # Errors
    /// [`OpenError::Schema`] if the database holds migrations that this program does not know, or
    /// knows in another wording.
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

    /// Refuses a schema that is not up to date. Writes nothing.
    pub async fn require_schema(&self) -> Result<(), OpenError> {
        match self.schema_gap().await? {
            None => Ok(()),
            Some(gap) => Err(OpenError::Schema(gap)),
        }
    }

    async fn schema_gap(&self) -> Result<Option<SchemaGap>, OpenError> {
        let gap = async {
            match &self.pools {
                Pools::MySql(pool) => migrate::mysql_gap(pool).await,
                Pools::Postgres(pool) => migrate::postgres_gap(pool).await,
                Pools::Sqlite(pool) => migrate::sqlite_gap(pool).await,
            }
        };
        answered(Some(self.settings.question_within()), gap).await
    }
}

/// Sessions: clients whose statements are observed.
impl Database {
    /// Opens a session on a connection from the pool.
    ///
    /// # Errors
    /// [`FaultKind::Unavailable`](super::FaultKind::Unavailable) if the pool has no connection
    /// before the time is up.
    pub async fn session<'s>(&self, observer: &'s dyn Observer) -> Result<Session<'s>, Fault> {
        let asked = Instant::now();
        let connection = self.connection().await?;
        observer.connected(Connected {
            asked,
            got: Instant::now(),
            number: connection.number(),
        });
        let session = Session::new(
            connection,
            &self.engine,
            self.settings.lock_wait(),
            observer,
        );
        Ok(match &self.address {
            Address::Sqlite(options) => {
                session.with_lock_file(named_lock::file_beside(options.get_filename()))
            }
            Address::MySql(_) | Address::Postgres(_) => session,
        })
    }

    pub(super) async fn connection(&self) -> Result<Connection, Fault> {
        Ok(match &self.pools {
            Pools::MySql(pool) => Connection::MySql(pool.acquire().await?),
            Pools::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
            Pools::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
        })
    }
}

/// Work: statements that no client races for and no observer watches. A statement that collides
/// with another client is tried again, at most ten times.
impl Database {
    /// Begins a transaction, which [`end`](Work::end) ends. On SQLite it waits for another writer,
    /// as a session does.
    pub async fn begin_work(&self) -> Result<Work, Fault> {
        Work::begin(self).await
    }

    /// Runs one statement in a transaction of its own. Returns how many rows it matched.
    pub async fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
        work::execute(self, sql, values).await
    }

    /// Inserts one row in a transaction of its own. Returns the number that the engine gave it.
    pub async fn insert(&self, sql: &str, values: &[Value<'_>]) -> Result<i64, Fault> {
        work::insert(self, sql, values).await
    }

    /// Reads rows by one statement, outside any transaction.
    pub async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Fault> {
        work::rows(self, sql, values).await
    }
}

/// The pool. How many connections the server has room for is in `room`, and whether the database
/// takes writes is in `ready`.
impl Database {
    /// The largest number of connections at a time.
    pub fn connections(&self) -> u32 {
        self.settings.connections
    }

    /// How many connections the server allows to all its clients together. None if there is no
    /// server.
    pub fn most_connections(&self) -> Option<i64> {
        self.most_connections
    }

    /// Whether every connection is taken, so that the next session has to queue for one.
    pub fn is_exhausted(&self) -> bool {
        on_pool!(self, pool => pool.is_exhausted())
    }

    /// How the connections are used right now.
    pub fn pool_use(&self) -> PoolUse {
        on_pool!(self, pool => pool.usage())
    }

    /// Asks the database whether it is there. Waits at most two seconds for the answer.
    pub(crate) async fn ping(&self) -> Result<(), Fault> {
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
}

/// Waits: which connections wait for a lock. The engine is asked, on a connection of the pool. The
/// user needs a right to ask: on MySQL `SELECT` on `performance_schema`, on MariaDB `PROCESS`.
///
/// A connection is known by its number alone, so it may belong to a client outside this program.
///
/// SQLite has no queue to look into, and its connections have no number. There the answer is
/// always no, and the session does the waiting.
impl Database {
    /// Whether this connection waits for a lock that another one holds.
    pub async fn waits_for_lock(&self, connection: ConnectionId) -> Result<bool, Fault> {
        Ok(self.standstill(&[connection]).await? != Standstill::No)
    }

    /// Whether all of these connections wait for locks, so that none of them goes on by itself.
    pub(crate) async fn standstill(
        &self,
        connections: &[ConnectionId],
    ) -> Result<Standstill, Fault> {
        waits::standstill(self, connections, None).await
    }

    /// The same, and whether they wait for these others, which are at rest.
    pub(crate) async fn standstill_behind(
        &self,
        at_rest: &[ConnectionId],
        connections: &[ConnectionId],
    ) -> Result<Standstill, Fault> {
        waits::standstill(self, connections, Some(at_rest)).await
    }

    /// All clients that wait for a lock at this moment. None on SQLite, which does not tell.
    pub(crate) async fn lock_waiters(&self) -> Result<Option<Vec<LockWaiter>>, Fault> {
        waits::lock_waiters(self).await
    }

    /// Makes sure that the engine shows waits: one connection holds a lock, and all the others wait
    /// for it at once. A user who may lock no table need not see a wait for one either.
    ///
    /// # Errors
    /// [`OpenError::Blind`] with the wait that is not seen, and what has to be switched on.
    pub(crate) async fn must_show_waits(&self, connections: usize) -> Result<(), OpenError> {
        waits::trial::must_show_waits(self, connections).await
    }
}

/// Lanes: places for runs that must not meet.
impl Database {
    /// Makes a database beside this one, on MySQL and MariaDB. In this one, other clients would
    /// take part in the race, another explorer among them, and the explorer would write into tables
    /// that are not its own. The other engines' lanes are apart anyway.
    ///
    /// # Errors
    /// [`OpenError::NoScratch`] if the user may not make such a database, or lacks rights in it.
    pub(crate) async fn scratch(&self) -> Result<Scratch, OpenError> {
        lane::scratch(self).await
    }

    /// Opens lanes for runs of this number of clients, with the same settings: as many as wanted,
    /// or as many as there is room for.
    ///
    /// - MySQL: all are this very database, since runs that race for different rows do not meet.
    /// - MariaDB: each but the first is a database of its own. A client that releases a lock there
    ///   looks at all waits on the same page. It may find another run's deadlock before the client
    ///   that closes it does, and then the other one of the two is refused.
    /// - PostgreSQL: each is a schema of its own. At SERIALIZABLE it remembers what a transaction
    ///   has read by the page or, of a small table, as a whole, and would take runs on different
    ///   rows for conflicting ones.
    /// - SQLite: each is a file of its own, because a lock is one on the whole file.
    ///
    /// That is for runs on rows. For runs on whole databases each lane is an empty database, schema
    /// or file of its own, on every engine.
    ///
    /// # Errors
    /// [`OpenError::NoLane`] if PostgreSQL's user may not create schemas.
    pub async fn lanes(
        &self,
        clients: usize,
        wanted: usize,
        kind: LaneKind,
    ) -> Result<Lanes, OpenError> {
        lane::lanes(self, clients, wanted, kind).await
    }
}

/// How long an answer may take if the question is only whether there is one.
pub(super) const TRIAL: Duration = Duration::from_secs(2);
