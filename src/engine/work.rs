//! Work outside every exhibit: statements that no client races for and no observer watches, such as
//! those about users. Unlike a [`Session`](super::Session), work is done again when it is refused
//! only because another client was in the way.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::{Connection, Row, Value};
use super::session::pause_before;
use super::{Database, Fault, FaultKind, Flavour};

/// One transaction. If it is dropped instead of [ended](Self::end), its connection is closed, and
/// the engine rolls it back.
#[derive(Debug)]
pub struct Work {
    connection: Connection,
    flavour: Flavour,
}

/// See [`Database::execute`].
pub(super) async fn execute(
    database: &Database,
    sql: &str,
    values: &[Value<'_>],
) -> Result<u64, Fault> {
    again(|| async {
        let mut work = Work::begin(database).await?;
        let matched = work.execute(sql, values).await;
        work.end(matched).await
    })
    .await
}

/// See [`Database::insert`].
pub(super) async fn insert(
    database: &Database,
    sql: &str,
    values: &[Value<'_>],
) -> Result<i64, Fault> {
    again(|| async {
        let mut work = Work::begin(database).await?;
        let number = work.insert(sql, values).await;
        work.end(number).await
    })
    .await
}

/// See [`Database::rows`].
pub(super) async fn rows(
    database: &Database,
    sql: &str,
    values: &[Value<'_>],
) -> Result<Vec<Row>, Fault> {
    let sql = database.engine.flavour.spell(sql);
    let sql = sql.as_ref();
    again(|| async {
        let mut connection = database.connection().await?;
        let rows = connection.rows(sql, values).await?;
        connection.give_back();
        Ok(rows)
    })
    .await
}

impl Work {
    /// See [`Database::begin_work`].
    pub(super) async fn begin(database: &Database) -> Result<Self, Fault> {
        let flavour = database.engine.flavour;
        let mut connection = database.connection().await?;
        let deadline = Instant::now() + database.settings.lock_wait();
        let mut tries = 0;
        loop {
            match connection.command(flavour.begin_for_update()).await {
                Ok(()) => break,
                Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                    sleep(pause_before(tries)).await;
                    tries += 1;
                }
                Err(fault) => return Err(fault.after_the_lock_wait()),
            }
        }
        Ok(Self {
            connection,
            flavour,
        })
    }

    /// Commits if the result is Ok, and rolls back otherwise. Returns the result, or the refusal of
    /// the commit.
    pub async fn end<T, E: MayBeFault>(mut self, result: Result<T, E>) -> Result<T, E> {
        let ending = match &result {
            Ok(_) => "COMMIT",
            Err(_) => "ROLLBACK",
        };
        let ended = self.connection.command(ending).await;
        // Otherwise the connection is closed, and the engine rolls back.
        if ended.is_ok() {
            self.connection.give_back();
        }
        let value = result?;
        ended?;
        Ok(value)
    }

    /// Runs a statement. Returns how many rows it matched.
    pub async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
        let sql = self.flavour.spell(sql);
        self.connection.execute(&sql, values).await
    }

    /// Inserts one row. Returns the number that the engine gave it.
    pub async fn insert(&mut self, sql: &str, values: &[Value<'_>]) -> Result<i64, Fault> {
        let sql = self.flavour.spell_insert(sql);
        self.connection.insert(&sql, values).await
    }

    /// Reads all rows.
    pub async fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Fault> {
        let sql = self.flavour.spell(sql);
        self.connection.rows(&sql, values).await
    }
}

/// An error that may be an engine's refusal.
pub trait MayBeFault: From<Fault> {
    /// The refusal. None if the error is another one.
    fn fault(&self) -> Option<&Fault>;
}

impl MayBeFault for Fault {
    fn fault(&self) -> Option<&Fault> {
        Some(self)
    }
}

/// How often work is tried that collides with other clients.
const TRIES: u32 = 10;

/// The pauses between the tries. They are random: after equal pauses, the same clients would
/// collide again.
pub(crate) fn pauses_between_tries() -> Vec<Duration> {
    let longest = (1..TRIES).map(|tried| Duration::from_millis(10) * tried);
    longest.map(|it| it.mul_f64(fastrand::f64())).collect()
}

/// Makes an attempt again if it collided with another client, at most ten times.
pub(crate) async fn again<T, E: MayBeFault, A: Future<Output = Result<T, E>>>(
    attempt: impl Fn() -> A,
) -> Result<T, E> {
    for pause in pauses_between_tries() {
        let result = attempt().await;
        let fault = result.as_ref().err().and_then(MayBeFault::fault);
        if !fault.is_some_and(|it| it.kind.is_collision()) {
            return result;
        }
        sleep(pause).await;
    }
    attempt().await
}
