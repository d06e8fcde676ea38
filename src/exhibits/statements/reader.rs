//! One way to read a statement: its facts, and how a client reads with it.

use std::pin::Pin;

use super::{READERS, Statement, StatementRequest};
use crate::engine::{Database, Fault, Session};
use crate::exhibits::card::Card;
use crate::step::Observer;

/// The future that a strategy's function returns. None if there is no such account.
type ReadFuture<'f> = Pin<Box<dyn Future<Output = Result<Option<Statement>, Fault>> + Send + 'f>>;

/// One way to read a statement: an entry of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Its name among the strategies of all exhibits.
    pub full_name: &'static str,
    /// Its name within the exhibit, as a request gives it.
    pub name: &'static str,
    /// What its file says about it.
    pub card: &'static Card,
    /// The function itself.
    pub read: for<'f> fn(&'f mut Session<'_>, &'f StatementRequest) -> ReadFuture<'f>,
}

impl Reader {
    /// The reader with that name, within the exhibit or among all.
    pub fn named(name: &str) -> Option<&'static Self> {
        let mut readers = READERS.iter();
        readers.find(|reader| [reader.name, reader.full_name].contains(&name))
    }

    /// Reads one statement on a connection from the pool. None if there is no such account.
    pub async fn perform(
        &self,
        database: &Database,
        request: &StatementRequest,
        observer: &dyn Observer,
    ) -> Result<Option<Statement>, Fault> {
        let session = database.session(observer).await?;
        self.perform_in(session, request).await
    }

    /// As [`perform`](Self::perform), in a session that is open already.
    pub async fn perform_in(
        &self,
        mut session: Session<'_>,
        request: &StatementRequest,
    ) -> Result<Option<Statement>, Fault> {
        let statement = (self.read)(&mut session, request).await;
        session.end().await;
        statement
    }
}
