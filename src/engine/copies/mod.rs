//! How a database was at one moment, kept as copies of its tables in the same database.
//!
//! [`Copies`] bring back rows, generated keys and their counters, of a database that this program
//! has not made: it may have many tables, foreign keys in circles, triggers and generated columns.
//! [`Beginning`](super::Beginning) is for one that a scenario's set-up has made.
//!
//! - `innodb`, `postgres`: how each engine does it.
//! - `reach`: which tables a write can change. `head`: who has taken copies, and when.
//! - `texts`: what catalogues are asked for. `error`: what is told.
//!
//! Nothing else may be at work in the database while it is copied or brought back. What is not
//! brought back: a change of the schema, and a session's own state. A table that was made or
//! dropped since is refused, a changed column is not noticed.

mod error;
mod head;
mod innodb;
mod postgres;
mod reach;
mod texts;

use std::collections::BTreeSet;

use super::{Database, Flavour};
pub use error::{Blocker, CopyError};
use head::Head;

/// How a database was at one moment, kept as copies of its tables, and brought back from them.
#[derive(Debug)]
pub struct Copies(Kept);

#[derive(Debug)]
enum Kept {
    InnoDb(innodb::Kept),
    Postgres(postgres::Kept),
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
        Ok(Self(match Way::of(database)? {
            Way::InnoDb => Kept::InnoDb(innodb::take(database).await?),
            Way::Postgres => Kept::Postgres(postgres::take(database).await?),
        }))
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
        match &self.0 {
            Kept::InnoDb(kept) => kept.bring_back(database, written).await,
            Kept::Postgres(kept) => kept.bring_back(database, written).await,
        }
    }

    /// Drops the copies. On MySQL and MariaDB the triggers are made again as they were. The rows
    /// stay as they are.
    pub async fn drop(self, database: &Database) -> Result<(), CopyError> {
        match self.0 {
            Kept::InnoDb(kept) => kept.drop(database).await,
            Kept::Postgres(kept) => kept.drop(database).await,
        }
    }

    /// Copies that a killed run has left behind in this database: listed, so that they can be
    /// brought back or dropped. Those of a process that is still at work are listed too.
    pub async fn left_behind(database: &Database) -> Result<Vec<Leftover>, CopyError> {
        let found = match Way::of(database)? {
            Way::InnoDb => innodb::found(database).await?.map(|(head, kept)| {
                let (tables, is_complete) = (kept.tables(), kept.is_complete);
                Leftover::of(head, tables, is_complete, Kept::InnoDb(kept))
            }),
            Way::Postgres => postgres::found(database).await?.map(|(head, kept)| {
                // They are taken in one transaction.
                Leftover::of(Some(head), kept.tables(), true, Kept::Postgres(kept))
            }),
        };
        Ok(found.into_iter().collect())
    }
}

impl Leftover {
    fn of(head: Option<Head>, tables: Vec<String>, is_complete: bool, kept: Kept) -> Self {
        Self {
            taken_at: head.as_ref().map(|it| it.taken_at.clone()),
            process: head.as_ref().map(|it| it.process),
            user: head.map(|it| it.user),
            tables,
            is_complete,
            copies: Copies(kept),
        }
    }
}

/// How the databases of an engine are copied.
enum Way {
    InnoDb,
    Postgres,
}

impl Way {
    fn of(database: &Database) -> Result<Self, CopyError> {
        match database.engine.flavour {
            Flavour::MySql | Flavour::MariaDb => Ok(Self::InnoDb),
            Flavour::Postgres => Ok(Self::Postgres),
            Flavour::Sqlite => Err(CopyError::Engine(Flavour::Sqlite)),
        }
    }
}
