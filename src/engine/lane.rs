//! Lanes: places in which several runs can go on at once without meeting.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::lane_mark::Place;
use super::{Address, Database, Fault, Flavour, OpenError};

/// Connections that serve no client: one looks who waits, one sets up and judges.
pub const BESIDE_THE_CLIENTS: usize = 2;

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

/// The lanes that there is room for.
#[derive(Debug)]
pub struct Lanes {
    /// At most as many as were wanted; perhaps none.
    pub lanes: Vec<Lane>,
    /// Why there are not more. None if there are as many as were wanted.
    pub fewer_because: Option<String>,
}

impl Lanes {
    /// Makes sure that every wait of this number of clients in each lane is going to be seen.
    ///
    /// # Errors
    /// As [`Database::must_show_waits`].
    pub async fn must_show_waits(&self, clients: usize) -> Result<(), OpenError> {
        let Some(first) = self.lanes.first() else {
            return Ok(());
        };
        let connections = match first.database.lanes_share_connections() {
            true => self.lanes.len() * clients,
            false => clients,
        };
        first.database.must_show_waits(connections).await
    }

    /// Removes what was made for each.
    ///
    /// # Errors
    /// The first refusal, with the names of all that could not be dropped. The other lanes are
    /// removed all the same.
    pub async fn close(self) -> Result<(), OpenError> {
        let mut closing = JoinSet::new();
        for lane in self.lanes {
            closing.spawn(lane.close());
        }
        let closed = closing.join_all().await;
        closed.into_iter().fold(Ok(()), and_left)
    }
}

/// Of two that were left behind, both names with the first one's reason; else the first error.
fn and_left(one: Result<(), OpenError>, other: Result<(), OpenError>) -> Result<(), OpenError> {
    match (one, other) {
        (Err(OpenError::NotDropped(one, fault)), Err(OpenError::NotDropped(other, _))) => {
            Err(OpenError::NotDropped(format!("{one}, {other}"), fault))
        }
        (one, other) => one.and(other),
    }
}

/// What was made for a lane, and goes with it.
#[derive(Debug)]
enum Own {
    Nothing,
    Folder(TempDir),
    Schema(Box<Database>, String),
    Database(Box<Database>, String),
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
            Self::Database(home, name) => drop_database(&home, name).await,
        }
    }
}

impl Database {
    /// A database beside this one, on MySQL and MariaDB. In this one, other clients would take part
    /// in the race, another explorer among them, and the explorer would write into tables that are
    /// not its own. The other engines' lanes are apart anyway.
    ///
    /// # Errors
    /// As the engine refuses: the user needs the right to make such a database and all rights in
    /// it.
    pub async fn scratch(&self) -> Result<Scratch, OpenError> {
        let Address::MySql(options) = &self.address else {
            let no_such = "only MySQL and MariaDB need a database beside this one";
            return Err(Fault::other(no_such).into());
        };
        let place = Place::named("racy_explore_");
        let name = place.name.clone();
        Ok(Scratch {
            database: self.database_beside(options, place).await?,
            home: self.clone(),
            name,
        })
    }

    /// A database that is made for the explorer, marked, open and migrated.
    async fn database_beside(
        &self,
        options: &MySqlConnectOptions,
        place: Place,
    ) -> Result<Self, OpenError> {
        self.make_database(&place.name).await?;
        let within = Address::MySql(Box::new(options.clone().database(&place.name)));
        let place = Arc::new(place);
        match self.open_place(&within, &place).await {
            Ok(database) => Ok(database),
            Err(error) => {
                drop_database(self, place.name.clone()).await?;
                Err(match error {
                    OpenError::Connect(fault) => no_scratch(fault),
                    other => other,
                })
            }
        }
    }

    /// Makes a database, but only if this user may drop it again. The engine checks the right
    /// before it looks for the database. So an attempt to drop it tells while there is none yet.
    async fn make_database(&self, name: &str) -> Result<(), OpenError> {
        match self.administer(&format!("DROP DATABASE {name}")).await {
            Err(fault) if !fault.is_no_such_database() => return Err(no_scratch(fault)),
            _ => {}
        }
        let created = self.administer(&format!("CREATE DATABASE {name}")).await;
        created.map_err(no_scratch)
    }

    /// Marks a place that was just made, and opens it by connections that all make sure to be
    /// there.
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

    /// Lanes for runs of this number of clients, with the same settings: as many as wanted, or as
    /// there is room for.
    ///
    /// - MySQL: all are this very database, since runs that race for different rows do not meet.
    /// - MariaDB: each but the first is a database of its own. A client that releases a lock there
    ///   looks at all waits on the same page. It may find another run's deadlock before the client
    ///   that closes it does, and then the other one of the two is refused.
    /// - PostgreSQL: each is a schema of its own. At SERIALIZABLE it remembers what a transaction has
    ///   read by the page or, of a small table, as a whole, and would take runs on different rows
    ///   for conflicting ones.
    /// - SQLite: each is a file of its own, because a lock is one on the whole file.
    ///
    /// # Errors
    /// As the engine refuses. PostgreSQL's user needs the right to create schemas.
    pub async fn lanes(&self, clients: usize, wanted: usize) -> Result<Lanes, OpenError> {
        let room = self.room().await?;
        let fit = self.lanes_for(clients, room.connections).min(wanted);
        let mut opened = Lanes {
            lanes: Vec::new(),
            fewer_because: (fit < wanted).then_some(room.why),
        };
        let filled = match self.lanes_share_connections() {
            true => self.fill_together(clients, fit, &mut opened).await,
            false => self.fill_apart(clients, fit, &mut opened).await,
        };
        if let Err(error) = filled {
            // What went wrong first is what is worth telling.
            let _ = opened.close().await;
            return Err(error);
        }
        Ok(opened)
    }

    fn lanes_share_connections(&self) -> bool {
        self.engine.flavour == Flavour::MySql
    }

    /// For how many lanes this number of connections is enough.
    fn lanes_for(&self, clients: usize, connections: usize) -> usize {
        match self.lanes_share_connections() {
            true => connections.saturating_sub(BESIDE_THE_CLIENTS) / clients,
            false => connections / (clients + BESIDE_THE_CLIENTS),
        }
    }

    async fn fill_together(
        &self,
        clients: usize,
        fit: usize,
        opened: &mut Lanes,
    ) -> Result<(), OpenError> {
        let needed = match fit {
            0 => 0,
            fit => fit * clients + BESIDE_THE_CLIENTS,
        };
        let (connections, refused) = self.warm_up(needed).await?;
        opened.fewer_because = refused.or(opened.fewer_because.take());
        let fit = self.lanes_for(clients, connections).min(fit);
        let lane = || Lane {
            database: self.clone(),
            own: Own::Nothing,
        };
        opened.lanes.extend(std::iter::repeat_with(lane).take(fit));
        Ok(())
    }

    /// The places are made at the same time, because it is commits that take time.
    async fn fill_apart(
        &self,
        clients: usize,
        fit: usize,
        opened: &mut Lanes,
    ) -> Result<(), OpenError> {
        let mut making = JoinSet::new();
        for number in 0..fit {
            let database = self.clone();
            making.spawn(async move { database.lane(number).await });
        }
        let mut made = Vec::new();
        let mut result = Ok(());
        while let Some(joined) = making.join_next().await {
            match joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
                Ok(Ok(lane)) => made.push(lane),
                Ok(Err(refused)) => opened.fewer_because = Some(refused),
                Err(error) => match error.too_many_connections() {
                    Some(refused) => opened.fewer_because = Some(refused),
                    None => result = result.and(Err(error)),
                },
            }
        }
        for lane in made {
            let warm = match &result {
                Ok(()) => lane.database.warm_up(clients + BESIDE_THE_CLIENTS).await,
                Err(_) => Ok((0, None)),
            };
            match warm {
                Ok((_, None)) => opened.lanes.push(lane),
                Ok((_, Some(refused))) => {
                    opened.fewer_because = Some(refused);
                    result = result.and(lane.close().await);
                }
                Err(error) => {
                    opened.lanes.push(lane);
                    result = result.and(Err(error.into()));
                }
            }
        }
        result
    }

    /// One lane; or why this user may have no more than the first.
    async fn lane(&self, number: usize) -> Result<Result<Lane, String>, OpenError> {
        match &self.address {
            Address::MySql(options) if number > 0 => self.lane_beside(options).await,
            Address::MySql(_) => Ok(Ok(Lane {
                database: self.clone(),
                own: Own::Nothing,
            })),
            Address::Postgres(options) => self.schema(options).await.map(Ok),
            Address::Sqlite(_) => self.file().await.map(Ok),
        }
    }

    async fn lane_beside(
        &self,
        options: &MySqlConnectOptions,
    ) -> Result<Result<Lane, String>, OpenError> {
        let place = Place::named("racy_explore_lane_");
        let name = place.name.clone();
        match self.database_beside(options, place).await {
            Ok(database) => Ok(Ok(Lane {
                database,
                own: Own::Database(Box::new(self.clone()), name),
            })),
            Err(OpenError::NoScratch(fault)) => Ok(Err(format!(
                "each run that goes on at once needs a database, and this user may not make one and drop \
                 it again: {fault}"
            ))),
            Err(error) => Err(error),
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

/// Why there is no database for the explorer: a refusal is about rights; silence and a limit of
/// connections are not.
fn no_scratch(fault: Fault) -> OpenError {
    if fault.is_an_answer() && !fault.is_too_many_connections() {
        OpenError::NoScratch(fault)
    } else {
        OpenError::Connect(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_left_behind_is_named() {
        let left = |name: &str| {
            let fault = Fault::unavailable("no answer");
            Err(OpenError::NotDropped(name.to_owned(), fault))
        };
        let closed = [Ok(()), left("lane_1"), Ok(()), left("lane_2")];
        let said = closed.into_iter().fold(Ok(()), and_left).unwrap_err();
        assert!(said.to_string().starts_with("lane_1, lane_2 could not be"));
    }
}
