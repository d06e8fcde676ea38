//! One way to append or to read: its facts, and how a client does it.

use std::pin::Pin;
use std::time::Duration;

use super::disk::{KeptBy, Table};
use super::{Append, Appended, READERS, ReadTable, Refusal, STRATEGIES, Wanted};
use crate::engine::{Database, Session};
use crate::exhibits::card::{Card, Expectation};
use crate::exhibits::files::blocking;
use crate::step::Observer;

/// The future that a strategy's function returns.
type AppendFuture<'f> = Pin<Box<dyn Future<Output = Result<Appended, Refusal>> + Send + 'f>>;

/// The future that a reader's function returns.
type ReadFuture<'f> = Pin<Box<dyn Future<Output = Result<ReadTable, Refusal>> + Send + 'f>>;

/// One way to append: an entry of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// Its name among the strategies of all exhibits.
    pub full_name: &'static str,
    /// Its name within the exhibit, as a request gives it.
    pub name: &'static str,
    /// What its file says about it.
    pub card: &'static Card,
    /// What is expected of one client that reads and one that appends.
    pub with_reader: &'static [Expectation],
    /// What is expected of a writer that is killed, and one that kills it and appends.
    pub killed: &'static [Expectation],
    /// What is expected of one client that appends, and one that appends and then removes what is
    /// old. One strategy of each kind of table is enough, and one reader.
    pub with_expiry: Option<&'static [Expectation]>,
    /// What is expected of two clients that append to one partition, if it makes a difference.
    pub same_partition: Option<&'static [Expectation]>,
    /// What is expected if each client has an instance of the service for itself, if that makes a
    /// difference.
    pub apart: Option<&'static [Expectation]>,
    /// What keeps the truth about the tables that it appends to.
    pub kept_by: KeptBy,
    /// The function itself.
    pub append: for<'f> fn(&'f mut Session<'_>, &'f Table, &'f Append) -> AppendFuture<'f>,
}

/// One way to read: an entry of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Its name among the strategies of all exhibits.
    pub full_name: &'static str,
    /// Its name within the exhibit, as a request gives it.
    pub name: &'static str,
    /// What its file says about it.
    pub card: &'static Card,
    /// What is expected of one client that reads, and one that appends and then removes what is
    /// old.
    pub with_expiry: Option<&'static [Expectation]>,
    /// The function itself.
    pub read: for<'f> fn(&'f mut Session<'_>, &'f Table, Wanted) -> ReadFuture<'f>,
}

impl Strategy {
    /// The strategy with that name within the exhibit.
    pub fn named(name: &str) -> Option<&'static Self> {
        STRATEGIES.iter().find(|it| it.name == name)
    }

    /// Appends on a connection from the pool, and makes the table if there is none. `pauses` come
    /// before further attempts.
    pub async fn perform(
        &self,
        database: &Database,
        table: &Table,
        wanted: &Append,
        pauses: Vec<Duration>,
        observer: &dyn Observer,
    ) -> Result<Appended, Refusal> {
        let session = database.session(observer).await?.pausing(pauses);
        self.perform_in(session, table, wanted).await
    }

    /// As [`perform`](Self::perform), in a session that is open already.
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        table: &Table,
        wanted: &Append,
    ) -> Result<Appended, Refusal> {
        let appended = self.append_in(&mut session, table, wanted).await;
        session.end().await;
        appended
    }

    /// As [`perform_in`](Self::perform_in), in a session that goes on.
    pub(super) async fn append_in(
        &self,
        session: &mut Session<'_>,
        table: &Table,
        wanted: &Append,
    ) -> Result<Appended, Refusal> {
        self.prepare(table).await?;
        let appended = (self.append)(session, table, wanted).await?;
        acknowledge(table, wanted).await?;
        Ok(appended)
    }

    /// Makes the table if there is none.
    pub(super) async fn prepare(&self, table: &Table) -> Result<(), Refusal> {
        let (table, kept_by) = (table.clone(), self.kept_by);
        let prepared = blocking("the table could not be made", move || {
            Ok(table.prepare(kept_by))
        });
        prepared.await??.map_err(Refusal::KeptBy)
    }
}

/// Notes in the lab's book that the client is about to be told of its records. It is no step,
/// because no client reads the book.
pub(super) async fn acknowledge(table: &Table, wanted: &Append) -> Result<(), Refusal> {
    let (table, records) = (table.clone(), wanted.records.clone());
    let noted = blocking("the append could not be noted", move || {
        table.acknowledge(&records)
    });
    noted.await.map_err(Refusal::Unknown)
}

impl Reader {
    /// The reader with that name within the exhibit.
    pub fn named(name: &str) -> Option<&'static Self> {
        READERS.iter().find(|it| it.name == name)
    }

    /// Reads on a connection from the pool.
    pub async fn perform(
        &self,
        database: &Database,
        table: &Table,
        wanted: Wanted,
        observer: &dyn Observer,
    ) -> Result<ReadTable, Refusal> {
        let session = database.session(observer).await?;
        self.perform_in(session, table, wanted).await
    }

    /// As [`perform`](Self::perform), in a session that is open already.
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        table: &Table,
        wanted: Wanted,
    ) -> Result<ReadTable, Refusal> {
        let read = (self.read)(&mut session, table, wanted).await;
        session.end().await;
        read
    }
}
