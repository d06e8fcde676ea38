//! Lanes: places for one run at a time each, so that several runs do not meet.

mod alone;
mod place;
mod scratch;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{Address, Database, Fault, Flavour, OpenError, SessionsOf, Settings};
use alone::Alone;
pub(super) use place::{Place, TABLE as MARK};
pub use scratch::Scratch;
pub(super) use scratch::scratch;
use scratch::{
    administer, database_beside, drop_database, no_scratch, open_place, take_over_settings,
};

/// Connections that serve no client: one asks which clients wait, one sets up and judges.
pub const BESIDE_THE_CLIENTS: usize = 2;

/// What the runs of a lane work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneKind {
    /// Rows of this service's tables. Lanes may share a database.
    Rows,
    /// All of a database. Each lane has one of its own, which is empty at first.
    WholeDatabase,
    /// All of the very database that was opened. There is one lane.
    InPlace,
}

impl LaneKind {
    /// The settings of such a lane's sessions. What works on a whole database is a user's.
    fn settings(self, home: &Database) -> Settings {
        let sessions = match self {
            Self::Rows => SessionsOf::TheLab,
            Self::WholeDatabase | Self::InPlace => SessionsOf::AUser,
        };
        Settings {
            sessions,
            ..home.settings
        }
    }
}

/// A place for one run at a time.
#[derive(Debug)]
pub struct Lane {
    /// Where the run happens.
    pub database: Database,
    resource: LaneResource,
}

/// The lanes that there is room for.
#[derive(Debug)]
pub struct Lanes {
    /// At most as many as were wanted, and perhaps none.
    pub lanes: Vec<Lane>,
    /// Why there are not more. None if there are as many as were wanted.
    pub fewer_because: Option<String>,
    kind: LaneKind,
    /// A place with this service's tables, if the lanes have none: waits are tried out there.
    trial_place: Option<Lane>,
    /// Keeps other explorations away from a database that was not made for this one.
    alone: Option<Alone>,
}

impl Lanes {
    /// Makes sure that every wait will be seen, with this number of clients in each lane.
    pub async fn must_show_waits(&self, clients: usize) -> Result<(), OpenError> {
        // Nothing may be made for a trial in a database with other users. A wait that is not seen
        // ends in a timeout, which the explorer tells from a refusal.
        if self.kind == LaneKind::InPlace {
            return Ok(());
        }
        let Some(first) = self.trial_place.as_ref().or(self.lanes.first()) else {
            return Ok(());
        };
        let connections = if lanes_share_connections(&first.database, self.kind) {
            self.lanes.len() * clients
        } else {
            clients
        };
        first.database.must_show_waits(connections).await
    }

    /// Removes what was made for each lane. If one cannot be removed, the others still are.
    ///
    /// # Errors
    /// The first refusal, with the names of everything that could not be dropped.
    pub async fn close(self) -> Result<(), OpenError> {
        let mut closing = JoinSet::new();
        for lane in self.lanes.into_iter().chain(self.trial_place) {
            closing.spawn(lane.close());
        }
        let closed = closing.join_all().await;
        if let Some(alone) = self.alone {
            alone.end().await;
        }
        closed.into_iter().fold(Ok(()), and_left)
    }
}

/// Combines two results. If both name something that was not dropped, both names are kept, with the
/// first reason. Otherwise the first error is kept.
fn and_left(one: Result<(), OpenError>, other: Result<(), OpenError>) -> Result<(), OpenError> {
    match (one, other) {
        (Err(OpenError::NotDropped(one, fault)), Err(OpenError::NotDropped(other, _))) => {
            Err(OpenError::NotDropped(format!("{one}, {other}"), fault))
        }
        (one, other) => one.and(other),
    }
}

/// What was made for a lane, and is removed with it.
#[derive(Debug)]
enum LaneResource {
    Nothing,
    Folder(TempDir),
    Schema(Box<Database>, String),
    Database(Box<Database>, String),
}

impl Lane {
    /// Whether everything in it is removed with it, so that its runs need not tidy up.
    pub fn is_private(&self) -> bool {
        !matches!(self.resource, LaneResource::Nothing)
    }

    /// Removes what was made for it.
    pub async fn close(self) -> Result<(), OpenError> {
        if self.is_private() {
            self.database.close().await;
        }
        self.resource.remove().await
    }
}

impl LaneResource {
    async fn remove(self) -> Result<(), OpenError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Folder(folder) => {
                let removed = folder.close();
                Ok(removed.map_err(|error| Fault::unavailable(error.to_string()))?)
            }
            Self::Schema(home, name) => {
                let drop = format!("DROP SCHEMA {name} CASCADE");
                let dropped = administer(&home, &drop).await;
                dropped.map_err(|fault| OpenError::NotDropped(name, fault))
            }
            Self::Database(home, name) => drop_database(&home, name).await,
        }
    }
}

/// See [`Database::lanes`].
pub(super) async fn lanes(
    database: &Database,
    clients: usize,
    wanted: usize,
    kind: LaneKind,
) -> Result<Lanes, OpenError> {
    let room = database.room().await?;
    let wanted = if kind == LaneKind::InPlace { 1 } else { wanted };
    let fit = lanes_for(database, clients, room.connections, kind).min(wanted);
    let mut opened = Lanes {
        alone: match kind {
            LaneKind::InPlace => Alone::in_database(database).await?,
            LaneKind::Rows | LaneKind::WholeDatabase => None,
        },
        lanes: Vec::new(),
        fewer_because: (fit < wanted).then_some(room.why),
        kind,
        trial_place: match kind {
            LaneKind::Rows | LaneKind::InPlace => None,
            LaneKind::WholeDatabase => lane(database, 0, LaneKind::Rows).await?.ok(),
        },
    };
    let filled = if lanes_share_connections(database, kind) {
        fill_together(database, clients, fit, &mut opened).await
    } else {
        fill_apart(database, clients, fit, &mut opened).await
    };
    if let Err(error) = filled {
        // The first error is the one worth reporting.
        let _ = opened.close().await;
        return Err(error);
    }
    Ok(opened)
}

fn lanes_share_connections(database: &Database, kind: LaneKind) -> bool {
    kind == LaneKind::Rows && database.engine.flavour == Flavour::MySql
}

/// How many lanes this number of connections is enough for.
fn lanes_for(database: &Database, clients: usize, connections: usize, kind: LaneKind) -> usize {
    if lanes_share_connections(database, kind) {
        connections.saturating_sub(BESIDE_THE_CLIENTS) / clients
    } else {
        connections / (clients + BESIDE_THE_CLIENTS)
    }
}

/// Opens lanes that are all this database.
async fn fill_together(
    database: &Database,
    clients: usize,
    fit: usize,
    opened: &mut Lanes,
) -> Result<(), OpenError> {
    let needed = match fit {
        0 => 0,
        fit => fit * clients + BESIDE_THE_CLIENTS,
    };
    let (connections, refused) = database.warm_up(needed).await?;
    opened.fewer_because = refused.or(opened.fewer_because.take());
    let fit = lanes_for(database, clients, connections, opened.kind).min(fit);
    let lane = || Lane {
        database: database.clone(),
        resource: LaneResource::Nothing,
    };
    opened.lanes.extend(std::iter::repeat_with(lane).take(fit));
    Ok(())
}

/// Opens lanes that each have a place of their own.
async fn fill_apart(
    database: &Database,
    clients: usize,
    fit: usize,
    opened: &mut Lanes,
) -> Result<(), OpenError> {
    let (made, mut result) = make_lanes(database, fit, opened).await;
    for lane in made {
        if result.is_ok() {
            result = take_in(lane, clients, opened).await;
        } else {
            // To be closed with the others.
            opened.lanes.push(lane);
        }
    }
    result
}

/// Makes lanes at the same time, because most of the time is spent waiting for commits. Returns
/// those that were made, and the first error.
async fn make_lanes(
    database: &Database,
    fit: usize,
    opened: &mut Lanes,
) -> (Vec<Lane>, Result<(), OpenError>) {
    let mut making = JoinSet::new();
    let kind = opened.kind;
    for number in 0..fit {
        let database = database.clone();
        making.spawn(async move { lane(&database, number, kind).await });
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
    (made, result)
}

/// Takes a lane in if all its connections can be had, and closes it otherwise.
async fn take_in(lane: Lane, clients: usize, opened: &mut Lanes) -> Result<(), OpenError> {
    match lane.database.warm_up(clients + BESIDE_THE_CLIENTS).await {
        Ok((_, None)) => {
            opened.lanes.push(lane);
            Ok(())
        }
        Ok((_, Some(refused))) => {
            opened.fewer_because = Some(refused);
            lane.close().await
        }
        Err(error) => {
            opened.lanes.push(lane);
            Err(error.into())
        }
    }
}

/// A lane, or the reason why this user may have no more than the first.
type LaneOrReason = Result<Lane, String>;

async fn lane(
    database: &Database,
    number: usize,
    kind: LaneKind,
) -> Result<LaneOrReason, OpenError> {
    if kind == LaneKind::InPlace {
        let database = database.with(&kind.settings(database)).await?;
        return Ok(Ok(Lane {
            database,
            resource: LaneResource::Nothing,
        }));
    }
    match &database.address {
        Address::MySql(_) if number == 0 && kind == LaneKind::Rows => Ok(Ok(Lane {
            database: database.clone(),
            resource: LaneResource::Nothing,
        })),
        Address::MySql(options) => lane_beside(database, options, kind).await,
        Address::Postgres(options) if kind == LaneKind::WholeDatabase => {
            postgres_database(database, options).await.map(Ok)
        }
        Address::Postgres(options) => schema(database, options, kind).await.map(Ok),
        Address::Sqlite(_) => file(database, kind).await.map(Ok),
    }
}

async fn lane_beside(
    home: &Database,
    options: &MySqlConnectOptions,
    kind: LaneKind,
) -> Result<LaneOrReason, OpenError> {
    let place = Place::named("racy_explore_lane_");
    let name = place.name.clone();
    match database_beside(home, options, place, kind).await {
        Ok(database) => Ok(Ok(Lane {
            database,
            resource: LaneResource::Database(Box::new(home.clone()), name),
        })),
        Err(OpenError::NoScratch(fault)) => Ok(Err(format!(
            "each run that goes on at the same time needs a database, and this user may not make \
             one and drop it again: {fault}"
        ))),
        Err(error) => Err(error),
    }
}

/// A database of PostgreSQL's, empty as `template0` is.
async fn postgres_database(home: &Database, options: &PgConnectOptions) -> Result<Lane, OpenError> {
    home.must_be_direct()?;
    let place = Arc::new(Place::database("racy_explore_lane_"));
    let name = place.name.clone();
    let created = administer(home, &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
    created.map_err(no_scratch)?;
    take_over_settings(home, &name).await?;
    let resource = LaneResource::Database(Box::new(home.clone()), name.clone());
    let within = Address::Postgres(Box::new(options.clone().database(&name)));
    match open_place(home, &within, &place, LaneKind::WholeDatabase).await {
        Ok(database) => Ok(Lane { database, resource }),
        Err(error) => {
            // The first error is the one worth reporting.
            let _ = resource.remove().await;
            Err(error)
        }
    }
}

async fn schema(
    home: &Database,
    options: &PgConnectOptions,
    kind: LaneKind,
) -> Result<Lane, OpenError> {
    home.must_be_direct()?;
    let place = Arc::new(Place::named("racy_lane_"));
    administer(home, &format!("CREATE SCHEMA {}", place.name))
        .await
        .map_err(OpenError::NoLane)?;
    let resource = LaneResource::Schema(Box::new(home.clone()), place.name.clone());
    let within = Address::Postgres(Box::new(options.clone()));
    match open_place(home, &within, &place, kind).await {
        Ok(database) => Ok(Lane { database, resource }),
        Err(error) => {
            // The first error is the one worth reporting.
            let _ = resource.remove().await;
            Err(error)
        }
    }
}

async fn file(home: &Database, kind: LaneKind) -> Result<Lane, OpenError> {
    let folder = tempfile::Builder::new()
        .prefix("racy-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|error| Fault::unavailable(format!("no temporary folder: {error}")))?;
    let options = SqliteConnectOptions::new().filename(folder.path().join("lane.sqlite"));
    let address = Address::Sqlite(Box::new(options));
    let database = Database::connect(&address, &kind.settings(home)).await?;
    if kind == LaneKind::Rows {
        database.migrate().await?;
    }
    Ok(Lane {
        database,
        resource: LaneResource::Folder(folder),
    })
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
