//! Lanes: places in which several runs can go on at once without meeting.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tokio::time::timeout;

use super::lane_mark::Place;
use super::{Address, Database, Fault, OpenError};

/// Connections that serve no client: one looks who waits, one sets up and judges.
pub const BESIDE_THE_CLIENTS: usize = 2;

/// Of a server's connections, so many are not taken.
const LEFT_TO_OTHERS: usize = 3;

/// A database of the explorer's own on a server that is somebody else's.
#[derive(Debug)]
pub struct Scratch {
    /// Where to explore.
    pub database: Database,
    home: Database,
    name: String,
}

impl Scratch {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Removes it.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn close(self) -> Result<(), OpenError> {
        self.database.close().await;
        drop_database(&self.home, self.name).await
    }
}

async fn drop_database(home: &Database, name: String) -> Result<(), OpenError> {
    let dropped = home.administer(&format!("DROP DATABASE {name}")).await;
    dropped.map_err(|fault| OpenError::NotDropped(name, fault))
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
    Schema(Box<Database>, String),
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
            Self::Schema(home, name) => {
                let drop = format!("DROP SCHEMA {name} CASCADE");
                let dropped = home.administer(&drop).await;
                dropped.map_err(|fault| OpenError::NotDropped(name, fault))
            }
        }
    }
}

impl Database {
    /// A database beside this one, on MySQL and MariaDB: in this one, whoever else works in it would
    /// take part in the race, be it another explorer that tidies up, and the explorer would write into
    /// tables that are somebody else's. The other engines' lanes are apart anyway.
    ///
    /// # Errors
    /// As the engine refuses: the user needs the right to make such a database and all rights in it.
    pub async fn scratch(&self) -> Result<Scratch, OpenError> {
        let Address::MySql(options) = &self.address else {
            let no_such = "only MySQL and MariaDB need a database beside this one";
            return Err(Fault::other(no_such).into());
        };
        let place = Arc::new(Place::named("racy_explore_"));
        let created = self
            .administer(&format!("CREATE DATABASE {}", place.name))
            .await;
        created.map_err(OpenError::NoScratch)?;
        let within = options.as_ref().clone().database(&place.name);
        let within = Address::MySql(Box::new(within));
        match self.open_place(&within, &place).await {
            Ok(database) => Ok(Scratch {
                database,
                home: self.clone(),
                name: place.name.clone(),
            }),
            Err(error) => {
                drop_database(self, place.name.clone()).await?;
                Err(match error {
                    OpenError::Connect(fault) if fault.is_an_answer() => {
                        OpenError::NoScratch(fault)
                    }
                    other => other,
                })
            }
        }
    }

    /// Marks a place that was just made, and opens it by connections that all make sure to be there.
    async fn open_place(&self, within: &Address, place: &Arc<Place>) -> Result<Self, OpenError> {
        for statement in place.mark() {
            self.administer(&statement).await?;
        }
        let database = Self::connect_in(within, &self.settings, Some(place)).await?;
        let migrated = timeout(ADMINISTRATION, database.migrate()).await;
        migrated.unwrap_or_else(|_elapsed| Err(no_answer().into()))?;
        Ok(database)
    }

    /// Runs one statement about databases or schemas, on a connection of this one's.
    async fn administer(&self, sql: &str) -> Result<(), Fault> {
        let work = async {
            let mut connection = self.connection().await?;
            connection.command(sql).await?;
            connection.give_back();
            Ok(())
        };
        let done = timeout(ADMINISTRATION, work).await;
        done.unwrap_or_else(|_elapsed| Err(no_answer()))
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
        self.must_be_direct()?;
        let place = Arc::new(Place::named("racy_lane_"));
        self.administer(&format!("CREATE SCHEMA {}", place.name))
            .await
            .map_err(OpenError::NoLane)?;
        let own = Own::Schema(Box::new(self.clone()), place.name.clone());
        let within = Address::Postgres(Box::new(options.clone()));
        match self.open_place(&within, &place).await {
            Ok(database) => Ok(Lane { database, own }),
            Err(error) => {
                // What went wrong first is what is worth telling.
                let _ = own.remove().await;
                Err(error)
            }
        }
    }

    async fn file(&self) -> Result<Lane, OpenError> {
        let folder = tempfile::Builder::new()
            .prefix("racy-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| Fault::unavailable(format!("no temporary folder: {error}")))?;
        let options = SqliteConnectOptions::new().filename(folder.path().join("lane.sqlite"));
        let address = Address::Sqlite(Box::new(options));
        let database = Self::connect(&address, &self.settings).await?;
        database.migrate().await?;
        Ok(Lane {
            database,
            own: Own::Folder(folder),
        })
    }
}

/// How long an answer to a statement about databases or schemas is waited for.
const ADMINISTRATION: Duration = Duration::from_secs(60);

fn no_answer() -> Fault {
    Fault::unavailable(format!(
        "the database has not answered for {} seconds",
        ADMINISTRATION.as_secs()
    ))
}
