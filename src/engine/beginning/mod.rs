//! How a database is at the beginning of each run of a user's statements, and how it is brought
//! back to that.
//!
//! The set-up makes it once. Afterwards one of two ways brings it back. Which one is right is
//! decided from what the clients can send and from what the set-up has made:
//!
//! - *Rows*: the rows come back from copies, and the counters for generated keys with them. Only
//!   the tables that a client can write to are touched. On InnoDB a table whose rows come and go is
//!   truncated: a deleted row stays in the index until the purge, and until then it is locked in
//!   another way than a gap. A table whose values alone change is updated in place, which costs a
//!   tenth. On PostgreSQL a table is truncated, because dead rows would pile up.
//! - *Everything*: all is dropped, and the set-up runs again. That is needed if a client can change
//!   the schema or call what may do anything, and if the set-up has made triggers, routines and
//!   the like.
//!
//! `tools/bench --explorer` measures both.

mod innodb;
mod mentions;
mod postgres;
mod sqlite;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Database, Fault, Flavour, UserStatement};
use mentions::Mentions;

/// One statement of a set-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupStatement {
    /// Its line, from 1.
    pub line: usize,
    /// The character within the line at which it begins, from 1.
    pub column: usize,
    /// The statement, without a semicolon at its end.
    pub sql: String,
}

/// What a run begins with, in each lane.
#[derive(Debug)]
pub struct Beginning {
    setup: Vec<SetupStatement>,
    /// The statements that the clients can send, as they are written.
    statements: Vec<UserStatement>,
    /// Whether the database has other users. Then nothing but the set-up brings it back.
    is_in_place: bool,
    /// How each lane's database is brought back, by its address.
    ways: Mutex<HashMap<String, Way>>,
}

/// How a database is brought back to its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// By these statements, sent at once. If there are none, no client can change anything.
    Rows(String),
    /// By dropping everything and running the set-up again.
    Everything,
}

/// A set-up that the engine has refused.
#[derive(Debug)]
pub struct SetupError {
    /// The line and the column of the statement, from 1. None if it was not a statement of the
    /// set-up.
    pub place: Option<(usize, usize)>,
    /// What the engine said.
    pub fault: Fault,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, _)) => write!(f, "the set-up, line {line} of the file: {}", self.fault),
            None if self.fault.code.is_none() => f.write_str(&self.fault.message),
            None => self.fault.fmt(f),
        }
    }
}

impl From<Fault> for SetupError {
    fn from(fault: Fault) -> Self {
        Self { place: None, fault }
    }
}

impl From<SetupError> for Fault {
    fn from(error: SetupError) -> Self {
        match error.place {
            Some((line, _)) => Self {
                message: format!(
                    "the set-up, line {line} of the file: {}",
                    error.fault.message
                ),
                ..error.fault
            },
            None => error.fault,
        }
    }
}

impl Beginning {
    /// What this set-up makes, for clients that can send these statements.
    pub fn new(
        setup: Vec<SetupStatement>,
        statements: Vec<UserStatement>,
        is_in_place: bool,
    ) -> Self {
        Self {
            setup,
            statements,
            is_in_place,
            ways: Mutex::default(),
        }
    }

    /// Brings a lane's database to its beginning. The first time, all that is in the database is
    /// dropped, because another scenario may have used the lane; unless it is explored in place.
    pub async fn restore(&self, database: &Database) -> Result<(), SetupError> {
        if self.is_in_place {
            return self.set_up(database).await;
        }
        let lane = database.place_key();
        let known = self.ways().get(&lane).cloned();
        match known {
            None => {
                drop_everything(database).await?;
                self.set_up(database).await?;
                let way = self.way(database).await?;
                self.ways().insert(lane, way);
                Ok(())
            }
            Some(Way::Rows(statements)) if statements.is_empty() => Ok(()),
            Some(Way::Rows(statements)) => Ok(database.command(&statements).await?),
            Some(Way::Everything) => {
                drop_everything(database).await?;
                self.set_up(database).await
            }
        }
    }

    /// Makes the set-up anew, and nothing that brings it back. What is in the database is dropped
    /// before, unless it is explored in place.
    pub async fn make(&self, database: &Database) -> Result<(), SetupError> {
        if !self.is_in_place {
            drop_everything(database).await?;
        }
        self.set_up(database).await
    }

    fn ways(&self) -> MutexGuard<'_, HashMap<String, Way>> {
        // Nothing panics while it holds the lock.
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the set-up, on a connection that is closed afterwards: it may have set something for
    /// its session.
    async fn set_up(&self, database: &Database) -> Result<(), SetupError> {
        let mut connection = database.connection().await?;
        for statement in &self.setup {
            let done = connection.answer(&statement.sql).await;
            done.map_err(|fault| SetupError {
                place: Some((statement.line, statement.column)),
                fault,
            })?;
        }
        connection.hang_up().await;
        Ok(())
    }

    /// Decides how the database that the set-up has just made is brought back, and copies its rows.
    async fn way(&self, database: &Database) -> Result<Way, Fault> {
        let flavour = database.engine.flavour;
        let Some(mentions) = Mentions::of(&self.statements, flavour) else {
            return Ok(Way::Everything);
        };
        let statements = match flavour {
            Flavour::MySql | Flavour::MariaDb => innodb::rows(database, &mentions).await,
            Flavour::Postgres => postgres::rows(database, &mentions).await,
            Flavour::Sqlite => sqlite::rows(database, &mentions).await,
        };
        match tried(database, statements).await {
            Ok(way) => Ok(way),
            // For instance a server that wants a primary key in every table, copies as well.
            Err(fault) if fault.is_an_answer() => {
                drop_everything(database).await?;
                self.set_up(database).await.map_err(Fault::from)?;
                Ok(Way::Everything)
            }
            Err(fault) => Err(fault),
        }
    }
}

/// Brings the rows back once, so that what cannot be done is known before the first run.
async fn tried(
    database: &Database,
    statements: Result<Option<String>, Fault>,
) -> Result<Way, Fault> {
    match statements? {
        None => Ok(Way::Everything),
        Some(statements) => {
            if !statements.is_empty() {
                database.command(&statements).await?;
            }
            Ok(Way::Rows(statements))
        }
    }
}

/// Drops all that is in the database, except for what marks it as a lane.
async fn drop_everything(database: &Database) -> Result<(), Fault> {
    match database.engine.flavour {
        Flavour::MySql | Flavour::MariaDb => innodb::drop_everything(database).await,
        Flavour::Postgres => postgres::drop_everything(database).await,
        Flavour::Sqlite => sqlite::drop_everything(database).await,
    }
}

impl Database {
    /// Runs statements without values, at once.
    async fn command(&self, sql: &str) -> Result<(), Fault> {
        let mut connection = self.connection().await?;
        connection.command(sql).await?;
        connection.give_back();
        Ok(())
    }
}

/// A list of columns, each in quotes.
fn list(columns: &[String], flavour: Flavour) -> String {
    let quoted = columns.iter().map(|it| flavour.quoted_name(it));
    quoted.collect::<Vec<_>>().join(", ")
}
