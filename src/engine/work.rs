//! Work outside every exhibit: statements that nobody races for and no observer watches, such as
//! those about users. Unlike a [`Session`](super::Session) it knows texts, and wants to get done: what
//! is refused only because somebody else was in the way is done again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::{Connection, Row, Value};
use super::session::pause_before;
use super::{Database, Fault, FaultKind, Flavour};

/// One transaction. Where it is dropped instead of [ended](Self::end), its connection is closed, and the
/// transaction with it.
#[derive(Debug)]
pub struct Work {
    connection: Connection,
    flavour: Flavour,
}

impl Database {
    /// Begins a transaction, which [`end`](Work::end) ends. On SQLite it waits for whoever is writing, as a
    /// session does.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn begin_work(&self) -> Result<Work, Fault> {
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
                // Whoever has waited that long has waited for a lock, in vain.
                Err(fault) if fault.kind == FaultKind::Busy => {
                    let kind = FaultKind::LockTimeout;
                    return Err(Fault { kind, ..fault });
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(Work {
            connection,
            flavour,
        })
    }

    /// A transaction of one statement, which says how many rows it matched.
    ///
    /// # Errors
    /// As the engine refuses; after ten tries also that somebody was in the way.
    pub async fn run(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Fault> {
        again(|| async {
            let mut work = self.begin_work().await?;
            let done = work.run(sql, values).await;
            work.end(done).await
        })
        .await
    }

    /// A transaction that inserts one row, and says which number the engine gave it.
    ///
    /// # Errors
    /// As the engine refuses; after ten tries also that somebody was in the way.
    pub async fn insert(&self, sql: &'static str, values: &[Value<'_>]) -> Result<i64, Fault> {
        again(|| async {
            let mut work = self.begin_work().await?;
            let done = work.insert(sql, values).await;
            work.end(done).await
        })
        .await
    }

    /// Reads rows by one statement, outside any transaction.
    ///
    /// # Errors
    /// As the engine refuses; after ten tries also that somebody was in the way.
    pub async fn rows(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, Fault> {
        let sql = self.engine().flavour.spell(sql);
        let sql = sql.as_ref();
        again(|| async {
            let mut connection = self.connection().await?;
            let rows = connection.rows(sql, values).await?;
            connection.give_back();
            Ok(rows)
        })
        .await
    }
}

impl Work {
    /// Commits what is done; rolls back what has failed.
    ///
    /// # Errors
    /// Why it has failed; or as the engine refuses the commit.
    pub async fn end<T, E: MayBeFault>(mut self, done: Result<T, E>) -> Result<T, E> {
        let ending = match &done {
            Ok(_) => "COMMIT",
            Err(_) => "ROLLBACK",
        };
        let ended = self.connection.command(ending).await;
        // Otherwise it is closed, and with it the transaction.
        if ended.is_ok() {
            self.connection.give_back();
        }
        let done = done?;
        ended?;
        Ok(done)
    }

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
}

/// An error that may be an engine's refusal.
pub trait MayBeFault: From<Fault> {
    /// The refusal, where it is one.
    fn fault(&self) -> Option<&Fault>;
}

impl MayBeFault for Fault {
    fn fault(&self) -> Option<&Fault> {
        Some(self)
    }
}

/// How often work is tried that others keep from being done.
const TRIES: u32 = 10;

/// The pauses between the tries. They are random: after equal ones, the same clients would meet
/// again.
pub(crate) fn pauses_between_tries() -> Vec<Duration> {
    let longest = (1..TRIES).map(|tried| Duration::from_millis(10) * tried);
    longest.map(|it| it.mul_f64(fastrand::f64())).collect()
}

/// Does something again that the engine has refused only because somebody else was in the way.
///
/// # Errors
/// Its own; after ten tries also that somebody was in the way.
pub async fn again<T, E: MayBeFault, A: Future<Output = Result<T, E>>>(
    attempt: impl Fn() -> A,
) -> Result<T, E> {
    for pause in pauses_between_tries() {
        let done = attempt().await;
        let fault = done.as_ref().err().and_then(MayBeFault::fault);
        if !fault.is_some_and(|it| it.kind.is_a_collision()) {
            return done;
        }
        sleep(pause).await;
    }
    attempt().await
}
