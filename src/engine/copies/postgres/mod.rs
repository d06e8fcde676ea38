//! PostgreSQL.
//!
//! Everything is done in transactions: the copies are all there or none is, and the tables come
//! back together or not at all. The copies are in a schema of their own, `racy_copy`.
//!
//! - `catalogue`: which tables and sequences there are. `refusals`: what copies do not bring back.
//! - `table`: the statements that compare a table with its copy and bring it back. `sequence`: the
//!   same for a sequence. `back`: when they are run.
//! - `session`: what is set in these transactions, so that triggers and foreign keys keep still.
//! - `note`: what the next run finds if this one is killed. `blockers`: who is in the way.

mod back;
mod blockers;
mod catalogue;
mod columns;
mod note;
mod refusals;
mod sequence;
mod session;
mod table;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::CopyError;
use super::head::Head;
use super::reach;
use crate::engine::connection::Connection;
use crate::engine::{Database, Fault};
use blockers::explained;
use sequence::Sequence;
use session::Stillness;
use table::Table;

/// What was copied.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    tables: Vec<Table>,
    sequences: Vec<Sequence>,
    /// The names of what is there.
    things: Vec<String>,
    stillness: Stillness,
}

/// Copies all tables of this database, as one transaction sees them.
pub(super) async fn take(database: &Database) -> Result<Kept, CopyError> {
    if database.is_pooled {
        return Err(CopyError::Refused(vec![
            "a pooler is in between, so that a transaction's settings could be another client's"
                .to_owned(),
        ]));
    }
    let mut connection = connection(database).await?;
    let taken = match taken(&mut connection).await {
        Ok(Ok(kept)) => Ok(kept),
        Ok(Err(refused)) => {
            session::give_up(&mut connection).await;
            Err(refused)
        }
        Err(fault) => Err(explained(&mut connection, "copying the tables", fault).await),
    };
    connection.give_back();
    taken
}

async fn taken(connection: &mut Connection) -> Result<Result<Kept, CopyError>, Fault> {
    session::begin_to_take(connection).await?;
    if let Some((head, _)) = note::read(connection).await? {
        return Ok(Err(CopyError::taken(Some(head))));
    }
    let by = blockers::writers_at_last(connection).await?;
    if !by.is_empty() {
        return Ok(Err(blockers::blocked("copying the tables", by)));
    }
    let mut refusals = refusals::refusals(connection).await?;
    let stillness = session::stillness(connection).await?;
    refusals.extend(stillness.refusal());
    if !refusals.is_empty() {
        return Ok(Err(CopyError::Refused(refusals)));
    }
    let mut kept = Kept {
        tables: catalogue::tables(connection).await?,
        sequences: sequence::sequences(connection).await?,
        things: catalogue::things(connection).await?,
        stillness,
    };
    note::make_room(connection).await?;
    for table in kept.tables.iter_mut().filter(|it| it.has_rows()) {
        table.rows = connection.execute(&table.copied(), [0_i64; 0]).await?;
    }
    // What cannot be compared is noticed now, and not before a run.
    let differences = back::differences(connection, &kept, &kept.all()).await?;
    if let Some(table) = differences.tables.first() {
        return Err(Fault::other(format!(
            "table {} is not like its copy",
            table.shown()
        )));
    }
    note::write(connection, &kept).await?;
    connection.command("COMMIT").await?;
    Ok(Ok(kept))
}

/// What is kept in this database, and by whom. None if there are no copies.
pub(super) async fn found(database: &Database) -> Result<Option<(Head, Kept)>, CopyError> {
    let mut connection = connection(database).await?;
    let found = note::read(&mut connection).await;
    connection.give_back();
    found.map_err(CopyError::at("looking for copies"))
}

impl Kept {
    /// The names of the tables.
    pub(super) fn tables(&self) -> Vec<String> {
        let tables = self.tables.iter().filter(|it| it.has_rows());
        tables.map(Table::shown).collect()
    }

    fn all(&self) -> Vec<&Table> {
        self.tables.iter().collect()
    }

    /// Brings back what these tables reach, or all if none are named. Sequences come back always.
    pub(super) async fn bring_back(
        &self,
        database: &Database,
        written: Option<&BTreeSet<String>>,
    ) -> Result<(), CopyError> {
        let tables = match written {
            Some(written) => reach::reached(&self.tables, written),
            None => self.all(),
        };
        back::bring_back(database, self, &tables).await
    }

    /// Drops the copies.
    pub(super) async fn drop(self, database: &Database) -> Result<(), CopyError> {
        let mut connection = connection(database).await?;
        let dropped = match note::drop_all(&mut connection).await {
            Ok(()) => Ok(()),
            Err(fault) => Err(explained(&mut connection, "dropping the copies", fault).await),
        };
        connection.give_back();
        dropped
    }
}

async fn connection(database: &Database) -> Result<Connection, CopyError> {
    let connection = database.connection().await;
    connection.map_err(CopyError::at("connecting"))
}
