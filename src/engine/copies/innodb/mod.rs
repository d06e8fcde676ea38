//! MySQL and MariaDB: what they share is InnoDB.
//!
//! - `catalogue`: which tables there are, and what copies of rows do not bring back.
//! - `table`: the statements that compare a table with its copy. `back`: how tables are brought
//!   back.
//! - `triggers`: made to keep still meanwhile.
//! - `note`: what the next run finds if this one is killed.
//! - `session`: what is set on the connection. `blockers`: who is in the way.

mod back;
mod blockers;
mod catalogue;
mod note;
mod session;
mod table;
mod triggers;

use std::collections::BTreeSet;

use super::error::CopyError;
use super::head::Head;
use super::reach;
use super::texts::texts;
use crate::engine::connection::Connection;
use crate::engine::{Database, Fault};
use blockers::explained;
use note::Note;
use table::Table;
use triggers::Trigger;

/// What was copied.
#[derive(Debug)]
pub(super) struct Kept {
    tables: Vec<Table>,
    triggers: Vec<Trigger>,
    /// Whether all tables were copied.
    pub(super) is_complete: bool,
}

/// Copies all tables of this database.
pub(super) async fn take(database: &Database) -> Result<Kept, CopyError> {
    let mut connection = connection(database).await?;
    if let Some(Note { head, .. }) = noted(&mut connection).await? {
        return Err(CopyError::taken(head));
    }
    let mut kept = Kept::planned(&mut connection).await?;
    let begun = note::begin(&mut connection).await;
    begun.map_err(CopyError::at("making a note of the copies"))?;
    let flavour = database.engine.flavour;
    let taken = match kept.fill(&mut connection).await {
        Ok(()) => Ok(kept),
        Err(fault) => {
            let error = explained(&mut connection, flavour, "copying the tables", fault).await;
            // The first fault is the one to tell.
            let _ = undo(&mut connection, &kept.triggers).await;
            Err(error)
        }
    };
    connection.hang_up().await;
    taken
}

/// What is kept in this database, and by whom. None if there are no copies.
pub(super) async fn found(database: &Database) -> Result<Option<(Option<Head>, Kept)>, CopyError> {
    let mut connection = connection(database).await?;
    let note = noted(&mut connection).await?;
    connection.hang_up().await;
    Ok(note.map(|note| {
        let kept = Kept {
            tables: note.tables,
            triggers: note.triggers,
            is_complete: note.is_complete,
        };
        (note.head, kept)
    }))
}

impl Kept {
    /// The names of the tables.
    pub(super) fn tables(&self) -> Vec<String> {
        self.tables.iter().map(|it| it.name.clone()).collect()
    }

    /// Brings back what these tables reach, or all if none are named.
    pub(super) async fn bring_back(
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

    /// Drops the copies, and makes the triggers again as they were.
    pub(super) async fn drop(self, database: &Database) -> Result<(), CopyError> {
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

/// A connection for this work. It is closed afterwards, because making a trigger sets more on it.
async fn connection(database: &Database) -> Result<Connection, CopyError> {
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
