//! Databases and schemas that are made for the explorer, and dropped after it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use tokio::time::timeout;

use super::LaneKind;
use super::place::Place;
use crate::engine::{Address, Database, Fault, OpenError};

/// A database of the explorer's own, on a server that has other users.
#[derive(Debug)]
pub struct Scratch {
    /// The database to explore in.
    pub database: Database,
    home: Database,
    name: String,
}

impl Scratch {
    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Drops the database.
    pub async fn close(self) -> Result<(), OpenError> {
        self.database.close().await;
        drop_database(&self.home, self.name).await
    }
}

/// See [`Database::scratch`].
pub(in crate::engine) async fn scratch(home: &Database) -> Result<Scratch, OpenError> {
    let Address::MySql(options) = &home.address else {
        let no_such = "only MySQL and MariaDB need a database beside this one";
        return Err(Fault::other(no_such).into());
    };
    let place = Place::named("racy_explore_");
    let name = place.name.clone();
    Ok(Scratch {
        database: database_beside(home, options, place, LaneKind::Rows).await?,
        home: home.clone(),
        name,
    })
}

/// Makes a database for the explorer, marks and opens it, and migrates it for runs on rows.
pub(super) async fn database_beside(
    home: &Database,
    options: &MySqlConnectOptions,
    place: Place,
    kind: LaneKind,
) -> Result<Database, OpenError> {
    make_database(home, &place.name).await?;
    let within = Address::MySql(Box::new(options.clone().database(&place.name)));
    let place = Arc::new(place);
    match open_place(home, &within, &place, kind).await {
        Ok(database) => Ok(database),
        Err(error) => {
            drop_database(home, place.name.clone()).await?;
            Err(match error {
                OpenError::Connect(fault) => no_scratch(fault),
                other => other,
            })
        }
    }
}

/// Makes a database, but only if this user may drop it again. The engine checks the right before
/// it looks for the database. So an attempt to drop it tells, while there is none yet.
async fn make_database(home: &Database, name: &str) -> Result<(), OpenError> {
    match administer(home, &format!("DROP DATABASE {name}")).await {
        Err(fault) if !fault.is_no_such_database() => return Err(no_scratch(fault)),
        _ => {}
    }
    let created = administer(home, &format!("CREATE DATABASE {name}")).await;
    created.map_err(no_scratch)
}

pub(super) async fn drop_database(home: &Database, name: String) -> Result<(), OpenError> {
    let dropped = administer(home, &format!("DROP DATABASE {name}")).await;
    dropped.map_err(|fault| OpenError::NotDropped(name, fault))
}

/// Marks a place that was just made, and opens it by connections that all make sure to be in it.
pub(super) async fn open_place(
    home: &Database,
    within: &Address,
    place: &Arc<Place>,
    kind: LaneKind,
) -> Result<Database, OpenError> {
    for statement in place.mark() {
        administer(home, &statement).await?;
    }
    let database = Database::connect_in(within, &kind.settings(home), Some(place)).await?;
    if kind == LaneKind::Rows {
        let migrated = timeout(ADMINISTRATION, database.migrate()).await;
        migrated.unwrap_or_else(|_elapsed| Err(no_answer().into()))?;
    }
    Ok(database)
}

/// Runs one statement about databases or schemas.
pub(super) async fn administer(home: &Database, sql: &str) -> Result<(), Fault> {
    let work = async {
        let mut connection = home.connection().await?;
        connection.command(sql).await?;
        connection.give_back();
        Ok(())
    };
    let done = timeout(ADMINISTRATION, work).await;
    done.unwrap_or_else(|_elapsed| Err(no_answer()))
}

/// How long the answer to a statement about databases or schemas may take.
const ADMINISTRATION: Duration = Duration::from_secs(60);

fn no_answer() -> Fault {
    Fault::unavailable(format!(
        "the database has not answered for {} seconds",
        ADMINISTRATION.as_secs()
    ))
}

/// Why there is no database for the explorer: a refusal is about rights. Silence and a limit of
/// connections are not.
pub(super) fn no_scratch(fault: Fault) -> OpenError {
    if fault.is_an_answer() && !fault.is_too_many_connections() {
        OpenError::NoScratch(fault)
    } else {
        OpenError::Connect(fault)
    }
}
