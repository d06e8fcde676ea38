//! Would a wait be seen? Before anything is explored, a real wait of each sort is made and looked
//! for. The server's settings and the user's rights would not tell it as reliably.

use std::fmt;
use std::time::Duration;

use sqlx::MySql;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::all_wait;
use crate::engine::pool::Pool;
use crate::engine::{ConnectionId, Database, Fault, FaultKind, Flavour, OpenError, Pools};

/// How long a wait is looked for. One report takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause between two reports.
const PAUSE: Duration = Duration::from_millis(1);

/// A sort of lock that clients wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LockSort {
    Row,
    NamedLock,
    Table,
}

impl fmt::Display for LockSort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Row => "a row's lock",
            Self::NamedLock => "a named lock",
            Self::Table => "a lock on a table's metadata",
        })
    }
}

/// How to hold a lock of one sort, to wait for it, and to release it. The row lock is one on a row
/// of the table of migrations: every place has one, no client races for it, and it is not changed.
struct Trial {
    begin: &'static str,
    hold: String,
    wait: String,
    release: String,
}

const A_ROW: &str = "SELECT version FROM _sqlx_migrations WHERE version = 1";

impl Trial {
    fn of(sort: LockSort, flavour: Flavour) -> Self {
        // Another explorer may try at the same time on the same server.
        let number = fastrand::u32(..);
        let is_postgres = flavour == Flavour::Postgres;
        let rollback = "ROLLBACK".to_owned();
        let (locking, release) = match sort {
            LockSort::Row => (format!("{A_ROW} FOR UPDATE"), rollback),
            LockSort::NamedLock if is_postgres => {
                (format!("SELECT pg_advisory_xact_lock({number})"), rollback)
            }
            LockSort::NamedLock => (
                format!("DO GET_LOCK('racy trial {number}', 60)"),
                format!("DO RELEASE_LOCK('racy trial {number}'); ROLLBACK"),
            ),
            LockSort::Table if is_postgres => ("LOCK TABLE _sqlx_migrations".to_owned(), rollback),
            LockSort::Table => (
                "LOCK TABLES _sqlx_migrations WRITE".to_owned(),
                "UNLOCK TABLES; ROLLBACK".to_owned(),
            ),
        };
        Self {
            begin: flavour.begin(),
            hold: match sort {
                // A transaction that has read the table holds a lock on its metadata.
                LockSort::Table => A_ROW.to_owned(),
                LockSort::Row | LockSort::NamedLock => locking.clone(),
            },
            wait: locking,
            release,
        }
    }
}

/// Whether a wait was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visibility {
    Seen,
    NotSeen,
    /// This user may not even wait.
    NotAllowed,
}

/// Makes a wait of each sort, and refuses an engine that does not show it.
pub(in crate::engine) async fn must_show_waits(
    database: &Database,
    connections: usize,
) -> Result<(), OpenError> {
    let flavour = database.engine.flavour;
    if flavour == Flavour::Sqlite {
        // The session does the waiting.
        return Ok(());
    }
    // No connection has this number, so the answer is no. What matters is that it is an answer.
    match all_wait(database, &[ConnectionId(-1)]).await {
        Ok(_) => {}
        Err(fault) if fault.is_an_answer() => {
            let right = right_to_look(flavour);
            return Err(OpenError::Blind(format!("{} ({right})", fault.message)));
        }
        Err(fault) => return Err(fault.into()),
    }
    for (sort, connections) in [
        (LockSort::Row, connections.max(2)),
        (LockSort::NamedLock, connections.max(2)),
        (LockSort::Table, 2),
    ] {
        let seen = try_out(database, &Trial::of(sort, flavour), connections).await?;
        if seen == Visibility::NotSeen
            || (seen == Visibility::NotAllowed && sort != LockSort::Table)
        {
            let remedy = remedy(database).await?;
            return Err(OpenError::Blind(format!(
                "a wait for {sort} was made and not seen. {remedy}"
            )));
        }
    }
    Ok(())
}

/// Lets one connection hold the lock and all the others wait for it.
async fn try_out(
    database: &Database,
    trial: &Trial,
    connections: usize,
) -> Result<Visibility, Fault> {
    let mut holder = database.connection().await?;
    holder.command(trial.begin).await?;
    holder.command(&trial.hold).await?;
    let mut numbers = Vec::new();
    let mut waiters = JoinSet::new();
    for _ in 1..connections {
        let mut waiter = database.connection().await?;
        numbers.push(waiter.ask_number(database.engine.flavour).await?);
        let (begin, wait, release) = (trial.begin, trial.wait.clone(), trial.release.clone());
        waiters.spawn(async move {
            waiter.command(begin).await?;
            waiter.command(&wait).await?;
            waiter.command(&release).await?;
            waiter.give_back();
            Ok::<(), Fault>(())
        });
    }
    let seen = look_for(database, &numbers, &mut waiters).await?;
    holder.command(&trial.release).await?;
    holder.give_back();
    // Each gets the lock when the one before it has released it. A slow one is cut off.
    let deadline = Instant::now() + PATIENCE;
    while let Ok(Some(_)) = timeout_at(deadline, waiters.join_next()).await {}
    Ok(seen)
}

/// Takes reports until all are seen, or one of them waits no more.
async fn look_for(
    database: &Database,
    numbers: &[ConnectionId],
    waiters: &mut JoinSet<Result<(), Fault>>,
) -> Result<Visibility, Fault> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if all_wait(database, numbers).await? {
            return Ok(Visibility::Seen);
        }
        match waiters.try_join_next() {
            None => sleep(PAUSE).await,
            Some(Ok(Err(fault))) if fault.kind != FaultKind::LockTimeout => {
                return if fault.is_an_answer() {
                    Ok(Visibility::NotAllowed)
                } else {
                    Err(fault)
                };
            }
            Some(_) => return Ok(Visibility::NotSeen),
        }
    }
    Ok(Visibility::NotSeen)
}

/// The right that lets a user see which connections wait.
fn right_to_look(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::MySql => "the user needs GRANT SELECT ON performance_schema.*",
        Flavour::MariaDb => "the user needs GRANT PROCESS ON *.*",
        Flavour::Postgres | Flavour::Sqlite => "every user may look",
    }
}

/// What has to be switched on so that a wait is seen.
async fn remedy(database: &Database) -> Result<String, Fault> {
    match (&database.pools, database.engine.flavour) {
        (Pools::MySql(pool), Flavour::MySql) => remedy_on_mysql(pool).await,
        _ => Ok(format!(
            "What may be missing is a right: {}",
            right_to_look(database.engine.flavour)
        )),
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
