//! Lanes: places in which several runs can go on at once without meeting.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tempfile::TempDir;

use super::pool::hang_up;
use super::{Address, Database, Fault, OpenError, Settings};

/// Connections that serve no client: one looks who waits, one sets up and judges.
pub const BESIDE_THE_CLIENTS: usize = 2;

/// Of a server's connections, so many are not taken.
const LEFT_TO_OTHERS: usize = 3;

/// A database of the explorer's own on a server that is somebody else's.
#[derive(Debug)]
pub struct Scratch {
    /// Where to explore.
    pub database: Database,
    made: Option<(Box<MySqlConnectOptions>, String)>,
}

impl Scratch {
    /// Whether it had to be somebody else's database after all, because no other may be made.
    pub fn is_borrowed(&self) -> bool {
        self.made.is_none()
    }

    /// Removes it.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn close(self) -> Result<(), OpenError> {
        if self.made.is_some() {
            self.database.close().await;
        }
        self.drop_it().await
    }

    async fn drop_it(self) -> Result<(), OpenError> {
        if let Some((options, name)) = self.made {
            let dropped = async {
                let mut connection = options.connect().await?;
                let drop = AssertSqlSafe(format!("DROP DATABASE {name}"));
                connection.execute(drop).await?;
                hang_up(connection).await;
                Ok(())
            };
            let dropped: sqlx::Result<()> = dropped.await;
            dropped.map_err(|error| OpenError::NotDropped(name, error.into()))?;
        }
        Ok(())
    }
}

/// A place for one run at a time.
#[derive(Debug)]
pub struct Lane {
    /// Where the run happens.
    pub database: Database,
    own: Own,
}

/// What was made for a lane, and goes with it.
#[derive(Debug)]
enum Own {
    Nothing,
    Folder(TempDir),
    Schema(Box<PgConnectOptions>, String),
}

impl Lane {
    /// Whether everything in it goes with it, so that nobody need tidy up.
    pub fn is_private(&self) -> bool {
        !matches!(self.own, Own::Nothing)
    }

    /// Removes what was made for it.
    ///
    /// # Errors
    /// As the engine refuses, or the file system.
    pub async fn close(self) -> Result<(), OpenError> {
        if self.is_private() {
            self.database.close().await;
        }
        self.own.remove().await
    }
}

impl Own {
    async fn remove(self) -> Result<(), OpenError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Folder(folder) => {
                let removed = folder.close();
                Ok(removed.map_err(|error| Fault::unavailable(error.to_string()))?)
            }
            Self::Schema(options, name) => {
                let drop = format!("DROP SCHEMA {name} CASCADE");
                let dropped = execute(&options, drop).await;
                dropped.map_err(|fault| OpenError::NotDropped(name, fault))
            }
        }
    }
}

impl Database {
    /// A database beside this one, on MySQL and MariaDB: in this one, whoever else works in it would
    /// take part in the race, be it another explorer that tidies up. The other engines' lanes are apart
    /// anyway.
    ///
    /// # Errors
    /// As the engine refuses; but a user who may not make a database gets this one.
    pub async fn scratch(&self) -> Result<Scratch, OpenError> {
        let borrowed = Scratch {
            database: self.clone(),
            made: None,
        };
        let Address::MySql(options) = &self.address else {
            return Ok(borrowed);
        };
        let name = format!("racy_explore_{:016x}", fastrand::u64(..));
        let mut connection = options.connect().await?;
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        let created = connection.execute(create).await;
        hang_up(connection).await;
        match created.map_err(Fault::from) {
            Ok(_) => {}
            Err(fault) if fault.is_an_answer() => return Ok(borrowed),
            Err(fault) => return Err(fault.into()),
        }
        let within = Address::MySql(Box::new(options.as_ref().clone().database(&name)));
        let made = Some((options.clone(), name));
        match Self::connect_and_migrate(&within, &self.settings).await {
            Ok(database) => Ok(Scratch { database, made }),
            // Whoever may make a database but no tables in it: back to the one that was named.
            Err(_refused) => {
                let unusable = Scratch {
                    database: self.clone(),
                    made,
                };
                unusable.drop_it().await?;
                Ok(borrowed)
            }
        }
    }

    async fn connect_and_migrate(
        address: &Address,
        settings: &Settings,
    ) -> Result<Self, OpenError> {
        let database = Self::connect(address, settings).await?;
        database.migrate().await?;
        Ok(database)
    }

    /// So many lanes on this engine, with the same settings.
    ///
    /// - InnoDB: all are this very database, since runs that race for different rows do not meet.
    /// - PostgreSQL: each is a schema of its own. At SERIALIZABLE it remembers what a transaction has
    ///   read by the page or, of a small table, as a whole, and would take runs on different rows
    ///   for conflicting ones.
    /// - SQLite: each is a file of its own, because a lock is one on the whole file.
    ///
    /// # Errors
    /// As the engine refuses. PostgreSQL's user needs the right to create schemas.
    pub async fn lanes(&self, count: usize) -> Result<Vec<Lane>, OpenError> {
        let mut lanes = Vec::new();
        for _ in 0..count {
            match self.lane().await {
                Ok(lane) => lanes.push(lane),
                Err(error) => {
                    for lane in lanes {
                        // What went wrong first is what is worth telling.
                        let _ = lane.close().await;
                    }
                    return Err(error);
                }
            }
        }
        Ok(lanes)
    }

    /// How many lanes with that many clients each the connections are enough for, up to `wanted`.
    pub fn lanes_for(&self, clients: usize, wanted: usize) -> usize {
        let own = self.settings.connections as usize;
        let servers = self
            .most_connections
            .and_then(|most| usize::try_from(most).ok());
        let servers = servers.unwrap_or(usize::MAX).saturating_sub(LEFT_TO_OTHERS);
        let lanes = match &self.address {
            // They share one pool, and those who watch.
            Address::MySql(_) => own.min(servers).saturating_sub(BESIDE_THE_CLIENTS) / clients,
            // Each has a pool of its own, and somebody who watches.
            Address::Postgres(_) | Address::Sqlite(_) => match clients + BESIDE_THE_CLIENTS {
                needed if needed > own => 0,
                needed => servers / needed,
            },
        };
        lanes.min(wanted)
    }

    async fn lane(&self) -> Result<Lane, OpenError> {
        match &self.address {
            Address::MySql(_) => Ok(Lane {
                database: self.clone(),
                own: Own::Nothing,
            }),
            Address::Postgres(options) => self.schema(options).await,
            Address::Sqlite(_) => self.file().await,
        }
    }

    async fn schema(&self, options: &PgConnectOptions) -> Result<Lane, OpenError> {
        let name = format!("racy_lane_{:016x}", fastrand::u64(..));
        execute(options, format!("CREATE SCHEMA {name}"))
            .await
            .map_err(OpenError::NoLane)?;
        let within = options.clone().options([("search_path", name.as_str())]);
        let address = Address::Postgres(Box::new(within));
        let own = Own::Schema(Box::new(options.clone()), name);
        self.lane_at(&address, own).await
    }

    async fn file(&self) -> Result<Lane, OpenError> {
        let folder = tempfile::Builder::new()
            .prefix("racy-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| Fault::unavailable(format!("no temporary folder: {error}")))?;
        let options = SqliteConnectOptions::new().filename(folder.path().join("lane.sqlite"));
        self.lane_at(&Address::Sqlite(Box::new(options)), Own::Folder(folder))
            .await
    }

    async fn lane_at(&self, address: &Address, own: Own) -> Result<Lane, OpenError> {
        match Self::connect_and_migrate(address, &self.settings).await {
            Ok(database) => Ok(Lane { database, own }),
            Err(error) => {
                // What went wrong first is what is worth telling.
                let _ = own.remove().await;
                Err(error)
            }
        }
    }
}

async fn execute(options: &PgConnectOptions, sql: String) -> Result<(), Fault> {
    let mut connection = options
        .clone()
        .disable_statement_logging()
        .connect()
        .await?;
    connection.execute(AssertSqlSafe(sql)).await?;
    hang_up(connection).await;
    Ok(())
}
