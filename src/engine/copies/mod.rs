//! How a database was at one moment, kept as copies of its tables in the same database.
//!
//! [`Copies`] bring back rows, generated keys and their counters, of a database that this program
//! has not made: it may have many tables, foreign keys in circles, triggers and generated columns.
//! [`Beginning`](super::Beginning) is for one that a scenario's set-up has made.
//!
//! - `catalogue`: which tables there are, and what copies of rows do not bring back.
//! - `table`: the statements that compare a table with its copy. `reach`: which tables a write can
//!   change. `back`: how they are brought back.
//! - `triggers`: made to keep still meanwhile.
//! - `note`: what the next run finds if this one is killed.
//! - `session`: what is set on the connection. `blockers`: who is in the way.
//!
//! Nothing else may be at work in the database while it is copied or brought back. What is not
//! brought back: a change of the schema, and a session's own state. A table that was made or
//! dropped since is refused, a changed column is not noticed.

mod back;
mod blockers;
mod catalogue;
mod error;
mod note;
mod reach;
mod session;
mod table;
mod triggers;

use std::collections::BTreeSet;

use super::connection::Connection;
use super::{Database, Fault};
use blockers::explained;
pub use error::{Blocker, CopyError};
use note::Note;
use session::texts;
use table::Table;
use triggers::Trigger;

/// How a database was at one moment, kept as copies of its tables, and brought back from them.
#[derive(Debug)]
pub struct Copies {
    tables: Vec<Table>,
    triggers: Vec<Trigger>,
    is_complete: bool,
}

/// Copies that a killed process has left behind.
#[derive(Debug)]
pub struct Leftover {
    /// When they were taken, as the server's time in UTC. None if the note does not say it.
    pub taken_at: Option<String>,
    /// The process that took them, on the machine that it ran on. None if the note does not say it.
    pub process: Option<u32>,
    /// The user that it was for the server. None if the note does not say it.
    pub user: Option<String>,
    /// The tables that were copied.
    pub tables: Vec<String>,
    /// Whether all were copied. If not, no run has begun, and there is nothing to bring back.
    pub is_complete: bool,
    copies: Copies,
}

impl Leftover {
    /// The copies, to be brought back or dropped.
    pub fn into_copies(self) -> Copies {
        self.copies
    }
}

impl Copies {
    /// Copies all tables of this database.
    ///
    /// # Errors
    /// Also if it has copies already, or holds what copies do not bring back. Then it is as it was
    /// before.
    pub async fn take(database: &Database) -> Result<Self, CopyError> {
        let mut connection = connection(database).await?;
        if let Some(Note { head, .. }) = noted(&mut connection).await? {
            let (taken_at, process) = head.map(|it| (it.taken_at, it.process)).unzip();
            return Err(CopyError::Taken { taken_at, process });
        }
        let mut copies = Self::planned(&mut connection).await?;
        let begun = note::begin(&mut connection).await;
        begun.map_err(CopyError::at("making a note of the copies"))?;
        let flavour = database.engine.flavour;
        let taken = match copies.fill(&mut connection).await {
            Ok(()) => Ok(copies),
            Err(fault) => {
                let error = explained(&mut connection, flavour, "copying the tables", fault).await;
                // The first fault is the one to tell.
                let _ = undo(&mut connection, &copies.triggers).await;
                Err(error)
            }
        };
        connection.hang_up().await;
        taken
    }

    /// Brings back what was written since. `written`: the tables that may have been written; None
    /// if that is not known.
    ///
    /// # Errors
    /// [`CopyError::Blocked`] after a second at most, if another connection holds a lock.
    pub async fn bring_back(
        &self,
        database: &Database,
        written: Option<&BTreeSet<String>>,
    ) -> Result<(), CopyError> {
        if !self.is_complete {
            return Err(CopyError::Unfinished);
        }
        let tables = match written {
            Some(written) => reach::reached(&self.tables, written),
            None => self.tables.iter().collect(),
        };
        back::bring_back(database, &self.tables, &tables).await
    }

    /// Drops the copies, and makes the triggers again as they were. The rows stay as they are.
    pub async fn drop(self, database: &Database) -> Result<(), CopyError> {
        let mut connection = connection(database).await?;
        let flavour = database.engine.flavour;
        let dropped = match undo(&mut connection, &self.triggers).await {
            Ok(()) => Ok(()),
            Err(fault) => {
                Err(explained(&mut connection, flavour, "dropping the copies", fault).await)
            }
        };
        connection.hang_up().await;
        dropped
    }

    /// Copies that a killed run has left behind in this database: listed, so that they can be
    /// brought back or dropped. Those of a process that is still at work are listed too.
    pub async fn left_behind(database: &Database) -> Result<Vec<Leftover>, CopyError> {
        let mut connection = connection(database).await?;
        let note = noted(&mut connection).await?;
        connection.hang_up().await;
        Ok(note.map(Leftover::from).into_iter().collect())
    }

    /// What is there to be copied. Nothing is changed yet.
    async fn planned(connection: &mut Connection) -> Result<Self, CopyError> {
        let planned = async {
            let triggers = triggers::triggers(connection).await?;
            let mut refusals = catalogue::refusals(connection).await?;
            refusals.extend(triggers::refusals(connection, &triggers).await?);
            let tables = catalogue::tables(connection).await?;
            Ok((tables, triggers, refusals))
        };
        let (tables, triggers, refusals) =
            planned.await.map_err(CopyError::at("reading the schema"))?;
        if !refusals.is_empty() {
            return Err(CopyError::Refused(refusals));
        }
        Ok(Self {
            tables,
            triggers,
            is_complete: false,
        })
    }

    async fn fill(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        triggers::must_be_makable(connection, &self.triggers).await?;
        for table in &mut self.tables {
            connection.command(&table.copied()).await?;
            table.rows = rows_in(connection, &table.copy).await?;
            note::add_table(connection, table).await?;
        }
        for trigger in &self.triggers {
            note::add_trigger(connection, trigger).await?;
        }
        triggers::guard(connection, &self.triggers).await?;
        note::complete(connection).await?;
        self.is_complete = true;
        Ok(())
    }
}

impl From<Note> for Leftover {
    fn from(note: Note) -> Self {
        let head = note.head;
        Self {
            taken_at: head.as_ref().map(|it| it.taken_at.clone()),
            process: head.as_ref().map(|it| it.process),
            user: head.map(|it| it.user),
            tables: note.tables.iter().map(|it| it.name.clone()).collect(),
            is_complete: note.is_complete,
            copies: Copies {
                tables: note.tables,
                triggers: note.triggers,
                is_complete: note.is_complete,
            },
        }
    }
}

/// A connection for this work. It is closed afterwards, because making a trigger sets more on it.
async fn connection(database: &Database) -> Result<Connection, CopyError> {
    let flavour = database.engine.flavour;
    if !flavour.is_innodb() {
        return Err(CopyError::Engine(flavour));
    }
    let connection = session::connection(database).await;
    connection.map_err(CopyError::at("connecting"))
}

async fn noted(connection: &mut Connection) -> Result<Option<Note>, CopyError> {
    let note = note::read(connection).await;
    note.map_err(CopyError::at("looking for copies"))
}

/// Makes the triggers again as they were, and drops the copies, in this order: as long as there is
/// a note, a killed process has left nothing behind that is not in it.
async fn undo(connection: &mut Connection, triggers: &[Trigger]) -> Result<(), Fault> {
    triggers::unguard(connection, triggers).await?;
    note::drop_all(connection).await
}

async fn rows_in(connection: &mut Connection, table: &str) -> Result<u64, Fault> {
    let count = format!("SELECT CAST(COUNT(*) AS CHAR) FROM {table}");
    let rows = texts(connection, &count, &[]).await?;
    let rows = rows.into_iter().next().and_then(|[rows]| rows.parse().ok());
    rows.ok_or_else(|| Fault::other(format!("{table} has no number of rows")))
}
