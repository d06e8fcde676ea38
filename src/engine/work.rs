//! Work outside every exhibit: statements that nobody races for and no observer watches, such as
//! those about users. Unlike a [`Session`](super::Session) it knows texts.

use std::time::Duration;

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
                Ok(()) => break,
                Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                    sleep(pause_before(tries)).await;
                    tries += 1;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(Work {
            connection,
            flavour,
        })
    }

    /// Begins work that only reads, and waits for nobody who is writing.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn reading(&self) -> Result<Work, Fault> {
        let flavour = self.engine().flavour;
        let mut connection = self.connection().await?;
        connection.command(flavour.begin()).await?;
        Ok(Work {
            connection,
            flavour,
        })
    }
}

/// How often work is tried that others keep from being done.
const TRIES: u32 = 10;

/// An error that may be an engine's refusal.
pub trait MayBeFault {
    /// The refusal, where it is one.
    fn fault(&self) -> Option<&Fault>;
}

impl MayBeFault for Fault {
    fn fault(&self) -> Option<&Fault> {
        Some(self)
    }
}

/// Does work that is one transaction, and does it again where the engine has refused it only because
/// somebody else was in the way: for those who race for nothing and want it done.
///
/// # Errors
/// The work's own; after ten tries also that somebody was in the way.
pub async fn again<T, E: MayBeFault, W: Future<Output = Result<T, E>>>(
    work: impl Fn() -> W,
) -> Result<T, E> {
    for tried in 1..TRIES {
        match work().await {
            Err(error) if error.fault().is_some_and(somebody_was_in_the_way) => {
                // At random, or two who met would meet again.
                let longest = Duration::from_millis(10) * tried;
                sleep(longest.mul_f64(fastrand::f64())).await;
            }
            done => return done,
        }
    }
    work().await
}

/// A lock wait that took too long is none of these: whoever waited that long need not wait again.
fn somebody_was_in_the_way(fault: &Fault) -> bool {
    matches!(
        fault.kind,
        FaultKind::Deadlock
            | FaultKind::SerializationFailure
            | FaultKind::SnapshotConflict
            | FaultKind::Busy
    )
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
