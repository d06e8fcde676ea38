//! Work outside every exhibit: statements that nobody races for and no observer watches, such as
//! those about users. Unlike a [`Session`](super::Session) it knows texts.

use tokio::time::{Instant, sleep};

use super::connection::{Connection, Row, Value};
use super::session::pause_before;
use super::{Database, Fault, FaultKind, Flavour};

/// One transaction. Rolled back where it is dropped before its commit.
#[derive(Debug)]
pub struct Work {
    connection: Connection,
    flavour: Flavour,
}

impl Database {
    /// Begins work that may write. On SQLite it waits for whoever is writing.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn work(&self) -> Result<Work, Fault> {
        let flavour = self.engine().flavour;
        let mut connection = self.connection().await?;
        let deadline = Instant::now() + self.settings().lock_wait();
        let mut tries = 0;
        loop {
            match connection.command(flavour.begin_for_update()).await {
                Ok(()) => {
                    return Ok(Work {
                        connection,
                        flavour,
                    });
                }
                Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                    sleep(pause_before(tries)).await;
                    tries += 1;
                }
                Err(fault) => return Err(fault),
            }
        }
    }
}

impl Work {
    /// Runs a statement, and says how many rows it matched.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Fault> {
        let sql = self.flavour.spell(sql);
        self.connection.execute(&sql, values).await
    }

    /// Inserts one row, and says which number the engine gave it.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn insert(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<i64, Fault> {
        let sql = self.flavour.spell_insert(sql);
        self.connection.insert(&sql, values).await
    }

    /// Reads all rows.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let sql = self.flavour.spell(sql);
        self.connection.rows(&sql, values).await
    }

    /// Keeps what was done.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn commit(mut self) -> Result<(), Fault> {
        self.connection.command("COMMIT").await?;
        self.connection.give_back();
        Ok(())
    }
}
