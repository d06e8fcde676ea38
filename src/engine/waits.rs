//! Would a wait be seen? Before anything is explored, a real wait of each sort is made and looked
//! for. Neither the server's settings nor the user's rights are relied on instead.

use std::fmt;
use std::time::Duration;

use sqlx::MySql;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::Connection;
use super::pool::Pool;
use super::{ConnectionId, Database, Fault, FaultKind, Flavour, OpenError, Pools};

/// How long a wait is looked for. A look takes milliseconds.
const LOOKED_FOR: Duration = Duration::from_secs(5);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// What clients wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Row,
    NamedLock,
    Table,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Row => "a row's lock",
            Self::NamedLock => "a named lock",
            Self::Table => "a lock on a table's metadata",
        })
    }
}

/// How to hold a lock of this sort, to wait for it, and to let go of it. A row of the table of
/// migrations serves: every place has it, no client races for it, and nothing in it is changed.
struct Trial {
    begin: &'static str,
    hold: String,
    wait: String,
    let_go: String,
}

const A_ROW: &str = "SELECT version FROM _sqlx_migrations WHERE version = 1";

impl Trial {
    fn of(sort: Sort, flavour: Flavour) -> Self {
        // Another explorer may try at the same time on the same server.
        let number = fastrand::u32(..);
        let is_postgres = flavour == Flavour::Postgres;
        let locking = match sort {
            Sort::Row => format!("{A_ROW} FOR UPDATE"),
            Sort::NamedLock if is_postgres => format!("SELECT pg_advisory_xact_lock({number})"),
            Sort::NamedLock => format!("DO GET_LOCK('racy trial {number}', 60)"),
            Sort::Table if is_postgres => "LOCK TABLE _sqlx_migrations".to_owned(),
            Sort::Table => "LOCK TABLES _sqlx_migrations WRITE".to_owned(),
        };
        let let_go = match sort {
            Sort::NamedLock if !is_postgres => {
                format!("DO RELEASE_LOCK('racy trial {number}'); ROLLBACK")
            }
            Sort::Table if !is_postgres => "UNLOCK TABLES; ROLLBACK".to_owned(),
            _ => "ROLLBACK".to_owned(),
        };
        Self {
            begin: flavour.begin(),
            hold: match sort {
                // To have read it is to hold it.
                Sort::Table => A_ROW.to_owned(),
                Sort::Row | Sort::NamedLock => locking.clone(),
            },
            wait: locking,
            let_go,
        }
    }
}

/// What came of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Yes,
    No,
    /// This user may not even wait.
    NotAllowed,
}

impl Database {
    /// Makes sure that waits are seen. One connection holds a lock, and all the others wait for it
    /// at once. If the user may lock no table, its clients cannot wait for one either.
    ///
    /// # Errors
    /// [`OpenError::Blind`] with what is not seen, and what has to be switched on.
    pub async fn must_show_waits(&self, connections: usize) -> Result<(), OpenError> {
        let flavour = self.engine.flavour;
        if flavour == Flavour::Sqlite {
            // The session does the waiting.
            return Ok(());
        }
        // No connection has this number. The answer is no, but it has to be an answer.
        match self.all_wait(&[ConnectionId(-1)]).await {
            Ok(_) => {}
            Err(fault) if fault.is_an_answer() => {
                let right = self.right_to_look();
                return Err(OpenError::Blind(format!("{} ({right})", fault.message)));
            }
            Err(fault) => return Err(fault.into()),
        }
        for (sort, connections) in [
            (Sort::Row, connections.max(2)),
            (Sort::NamedLock, connections.max(2)),
            (Sort::Table, 2),
        ] {
            let seen = self.try_out(&Trial::of(sort, flavour), connections).await?;
            if seen == Seen::No || (seen == Seen::NotAllowed && sort != Sort::Table) {
                let remedy = self.remedy().await?;
                return Err(OpenError::Blind(format!(
                    "a wait for {sort} was made and not seen. {remedy}"
                )));
            }
        }
        Ok(())
    }

    async fn try_out(&self, trial: &Trial, connections: usize) -> Result<Seen, Fault> {
        let mut holder = self.connection().await?;
        holder.command(trial.begin).await?;
        holder.command(&trial.hold).await?;
        let mut numbers = Vec::new();
        let mut waiters = JoinSet::new();
        for _ in 1..connections {
            let mut waiter = self.connection().await?;
            numbers.push(self.number_of(&mut waiter).await?);
            let (begin, wait, let_go) = (trial.begin, trial.wait.clone(), trial.let_go.clone());
            waiters.spawn(async move {
                waiter.command(begin).await?;
                waiter.command(&wait).await?;
                waiter.command(&let_go).await?;
                waiter.give_back();
                Ok::<(), Fault>(())
            });
        }
        let seen = self.look_for(&numbers, &mut waiters).await?;
        holder.command(&trial.let_go).await?;
        holder.give_back();
        // Each gets the lock when the one before it has let go. One that takes too long is cut off.
        let deadline = Instant::now() + LOOKED_FOR;
        while let Ok(Some(_)) = timeout_at(deadline, waiters.join_next()).await {}
        Ok(seen)
    }

    /// Looks until all are seen, or one of them waits no more.
    async fn look_for(
        &self,
        numbers: &[ConnectionId],
        waiters: &mut JoinSet<Result<(), Fault>>,
    ) -> Result<Seen, Fault> {
        let deadline = Instant::now() + LOOKED_FOR;
        while Instant::now() < deadline {
            if self.all_wait(numbers).await? {
                return Ok(Seen::Yes);
            }
            match waiters.try_join_next() {
                None => sleep(PAUSE).await,
                Some(Ok(Err(fault))) if fault.kind != FaultKind::LockTimeout => {
                    return match fault.is_an_answer() {
                        true => Ok(Seen::NotAllowed),
                        false => Err(fault),
                    };
                }
                Some(_) => return Ok(Seen::No),
            }
        }
        Ok(Seen::No)
    }

    async fn number_of(&self, connection: &mut Connection) -> Result<ConnectionId, Fault> {
        let sql = self
            .engine
            .flavour
            .spell("SELECT CAST(CONNECTION_ID() AS SIGNED)");
        match connection.integers::<1>(&sql, [0_i64; 0]).await?.first() {
            Some([Some(number)]) => Ok(ConnectionId(*number)),
            _ => Err(Fault::other("the engine did not number this connection")),
        }
    }

    /// What lets a user see who waits.
    fn right_to_look(&self) -> &'static str {
        match self.engine.flavour {
            Flavour::MySql => "the user needs GRANT SELECT ON performance_schema.*",
            Flavour::MariaDb => "the user needs GRANT PROCESS ON *.*",
            Flavour::Postgres | Flavour::Sqlite => "every user may look",
        }
    }

    /// What has to be switched on so that a wait is seen.
    async fn remedy(&self) -> Result<String, Fault> {
        match (&self.pools, self.engine.flavour) {
            (Pools::MySql(pool), Flavour::MySql) => remedy_on_mysql(pool).await,
            _ => Ok(format!(
                "What may be missing is a right: {}",
                self.right_to_look()
            )),
        }
    }
}

/// The performance schema's switches, as they are now.
async fn remedy_on_mysql(pool: &Pool<MySql>) -> Result<String, Fault> {
    let mut pooled = pool.acquire().await?;
    let (is_on, instruments, consumers, threads, locks): (i64, i64, i64, i64, i64) =
        sqlx::query_as(
            "SELECT CAST(@@performance_schema AS SIGNED), \
                 (SELECT COUNT(*) FROM performance_schema.setup_instruments \
                  WHERE name = 'wait/lock/metadata/sql/mdl' AND enabled = 'YES'), \
                 (SELECT COUNT(*) FROM performance_schema.setup_consumers \
                  WHERE name = 'global_instrumentation' AND enabled = 'YES'), \
                 CAST(@@performance_schema_max_thread_instances AS SIGNED), \
                 CAST(@@performance_schema_max_metadata_locks AS SIGNED)",
        )
        .fetch_one(pooled.get()?)
        .await?;
    pooled.give_back();
    Ok(match (is_on, consumers, instruments) {
        (0, ..) => {
            "The performance schema is off: start the server with performance_schema=ON".to_owned()
        }
        (_, 0, _) => "Run UPDATE performance_schema.setup_consumers SET enabled = 'YES' \
             WHERE name = 'global_instrumentation'"
            .to_owned(),
        (_, _, 0) => "Run UPDATE performance_schema.setup_instruments SET enabled = 'YES' \
             WHERE name = 'wait/lock/metadata/sql/mdl'"
            .to_owned(),
        _ => format!(
            "The performance schema has too little room: start the server without \
             performance_schema_max_thread_instances (now {threads}) and \
             performance_schema_max_metadata_locks (now {locks}), so that it sizes them itself"
        ),
    })
}
