//! The sessions of a `.spec` file, all on one database.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::Spec;
use super::columns::Columns;
use super::seat::Seat;
use crate::answer::Answer;
use crate::engine::{Database, Fault};

/// The sessions at work.
#[derive(Debug)]
pub(super) struct Sessions<'t> {
    pub(super) spec: &'t Spec,
    pub(super) database: &'t Database,
    /// Where each session sits, in the order of the file.
    pub(super) seats: Vec<Seat>,
    /// None until the first set-up is done.
    columns: Option<Columns>,
}

impl<'t> Sessions<'t> {
    /// Connects each session.
    pub(super) async fn open(spec: &'t Spec, database: &'t Database) -> Result<Self, Fault> {
        let mut sessions = Self {
            spec,
            database,
            seats: Vec::new(),
            columns: None,
        };
        sessions.fill().await?;
        Ok(sessions)
    }

    async fn fill(&mut self) -> Result<(), Fault> {
        while self.seats.len() < self.spec.sessions.len() {
            self.seats.push(Seat::open(self.database).await?);
        }
        Ok(())
    }

    /// Asks for the columns of all statements, once the first set-up is done.
    pub(super) async fn learn_columns(&mut self) -> Result<(), Fault> {
        if self.columns.is_none() {
            self.columns = Some(Columns::ask(self.database, self.spec).await?);
        }
        Ok(())
    }

    /// Names the columns of an answer without rows.
    pub(super) fn name_columns(&self, block: &str, statement: usize, answer: &mut Answer) {
        if let Some(columns) = &self.columns {
            columns.name(block, statement, answer);
        }
    }

    /// Ends all sessions and opens new ones. Those that wait get through when the others are gone.
    pub(super) async fn renew(&mut self) -> Result<(), Fault> {
        let closing = join_all(self.seats.drain(..).map(Seat::close));
        let closed = timeout(LONGEST_BLOCK, closing).await;
        closed.map_err(|_elapsed| silent("a session that was given up"))?;
        self.fill().await
    }

    /// Ends all sessions.
    pub(super) async fn close(self) {
        join_all(self.seats.into_iter().map(Seat::close)).await;
    }
}

/// How long a block may take. isolationtester cancels it then.
pub(super) const LONGEST_BLOCK: Duration = Duration::from_secs(300);

/// A block that took longer.
pub(super) fn silent(what: &str) -> Fault {
    let seconds = LONGEST_BLOCK.as_secs();
    Fault::unavailable(format!("{what} has not ended within {seconds} seconds"))
}
