//! "Does this connection wait for a lock?", asked of the engine and never guessed by a timeout. What
//! cannot be asked is whether the engine is going to break a circle of waits: see [`Standstill`].

use std::sync::Arc;
use std::time::Duration;

use sqlx::{MySql, MySqlConnection, Postgres, Row as _};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::connection::answered;
use super::pool::Pool;
use super::{ConnectionId, Database, Fault, Flavour, Pools};

/// One connection waits for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    waiting: ConnectionId,
    /// Whoever has it or is before it in the queue; none where the engine was not asked for that, or
    /// where it is no client, as InnoDB's own threads.
    holder: Option<ConnectionId>,
}

/// The waits of clients among these: InnoDB's own threads wait too, and have no connection's number.
fn waits_of(pairs: Vec<(Option<i64>, Option<i64>)>) -> Vec<Wait> {
    let wait = |(waiting, holder): (Option<i64>, Option<i64>)| {
        Some(Wait {
            waiting: ConnectionId(waiting?),
            holder: holder.map(ConnectionId),
        })
    };
    pairs.into_iter().filter_map(wait).collect()
}

impl Database {
    /// Whether that connection waits for a lock that another one holds. Asked on a connection of
    /// the pool's; the user needs the right to look (on MySQL `SELECT` on `performance_schema`, on
    /// MariaDB `PROCESS`).
    ///
    /// SQLite has no queue to look into, and its connections have no identity a client can learn:
    /// there the answer is always no, and the session does the waiting.
    ///
    /// # Errors
    /// The engine's fault where it does not answer.
    pub async fn waits_for_lock(&self, connection: ConnectionId) -> Result<bool, Fault> {
        Ok(self.standstill(&[connection]).await? != Standstill::No)
    }

    /// Whether each of these connections waits for a lock, for whomever.
    ///
    /// # Errors
    /// As [`waits_for_lock`](Self::waits_for_lock).
    pub(super) async fn all_wait(&self, connections: &[ConnectionId]) -> Result<bool, Fault> {
        let asked = Instant::now();
        let waits = match (&self.pools, self.engine.flavour) {
            (Pools::MySql(pool), Flavour::MySql) => {
                self.look(&self.looks.fast, asked, ask_mysql(pool)).await?
            }
            (Pools::MySql(pool), _) => {
                self.look(&self.looks.fast, asked, ask_mariadb(pool))
                    .await?
            }
            (Pools::Postgres(pool), _) => {
                self.look(&self.looks.fast, asked, ask_postgres(pool))
                    .await?
            }
            (Pools::Sqlite(_), _) => return Ok(false),
        };
        let mut connections = connections.iter();
        Ok(connections.all(|one| waits.iter().any(|wait| wait.waiting == *one)))
    }

    /// What was seen by a look that was begun after `asked`. A database that does not answer is
    /// given up, as it is by a statement.
    async fn look(
        &self,
        looks: &Shared,
        asked: Instant,
        take: impl Future<Output = Result<Vec<Wait>, Fault>>,
    ) -> Result<Arc<[Wait]>, Fault> {
        // On the heap: it is deep within all that waits for it.
        let look = Box::pin(looks.since(asked, take));
        answered(self.settings.answer_within, look).await
    }

    /// Whether all of these connections wait for locks, so that nothing happens until somebody else
    /// moves.
    ///
    /// # Errors
    /// As [`waits_for_lock`](Self::waits_for_lock).
    pub async fn standstill(&self, connections: &[ConnectionId]) -> Result<Standstill, Fault> {
        let asked = Instant::now();
        match (&self.pools, self.engine.flavour) {
            (Pools::MySql(pool), Flavour::MySql) => {
                let waits = self.look(&self.looks.fast, asked, ask_mysql(pool)).await?;
                Ok(Standstill::of(connections, &waits))
            }
            (Pools::MySql(pool), _) => {
                let waits = self
                    .look(&self.looks.fast, asked, ask_mariadb(pool))
                    .await?;
                let seen = Standstill::of(connections, &waits);
                // This look does not tell whom they wait for; but one alone is in no circle.
                if seen == Standstill::No || connections.len() < 2 {
                    return Ok(seen);
                }
                let waits = self
                    .look(&self.looks.slow, asked, ask_mariadb_whom(pool))
                    .await?;
                Ok(Standstill::of(connections, &waits))
            }
            (Pools::Postgres(pool), _) => {
                let waits = self
                    .look(&self.looks.fast, asked, ask_postgres(pool))
                    .await?;
                Ok(match Standstill::of(connections, &waits) {
                    // Every circle is found: each client looks for one when it has waited for a while.
                    Standstill::Circle => Standstill::No,
                    seen => seen,
                })
            }
            (Pools::Sqlite(_), _) => Ok(Standstill::No),
        }
    }
}

/// What the engine says of several connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standstill {
    /// At least one of them does not wait.
    No,
    /// All wait, for somebody else in the end.
    Queue,
    /// All wait, and some of them for each other: a deadlock, which the engine breaks when it sees
    /// it. InnoDB does not always see it. Its detector follows one blocker of each client, and where
    /// a third one is in the way as well, that may be the wrong one; then the circle stays until the
    /// third one moves.
    Circle,
}

impl Standstill {
    fn of(connections: &[ConnectionId], waits: &[Wait]) -> Self {
        let waits_at_all = |one| waits.iter().any(|wait| wait.waiting == one);
        if !connections.iter().all(|one| waits_at_all(*one)) {
            return Self::No;
        }
        // Whoever waits for nobody in the circle is not in it: what cannot be peeled off is a circle.
        let mut circle = connections.to_vec();
        loop {
            let within = circle.clone();
            let is_within = |one: Option<_>| one.is_some_and(|it| within.contains(&it));
            circle.retain(|one| {
                waits
                    .iter()
                    .any(|wait| wait.waiting == *one && is_within(wait.holder))
            });
            if circle.is_empty() {
                return Self::Queue;
            }
            if circle.len() == within.len() {
                return Self::Circle;
            }
        }
    }
}

/// The looks at the engine's lock tables that are shared by all who ask.
#[derive(Debug)]
pub(super) struct Looks {
    fast: Shared,
    slow: Shared,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            fast: Shared::every(Duration::ZERO),
            slow: Shared::every(MARIADB_KEEPS_OLD),
        }
    }
}

/// One look serves everybody who had asked before it was taken.
#[derive(Debug)]
struct Shared {
    /// Between the end of one look and the next.
    pause: Duration,
    last: Mutex<Option<Look>>,
}

#[derive(Debug)]
struct Look {
    begun: Instant,
    ended: Instant,
    waits: Arc<[Wait]>,
}

impl Shared {
    fn every(pause: Duration) -> Self {
        Self {
            pause,
            last: Mutex::default(),
        }
    }

    /// What was seen by a look that was begun after `asked`.
    async fn since(
        &self,
        asked: Instant,
        take: impl Future<Output = Result<Vec<Wait>, Fault>>,
    ) -> Result<Arc<[Wait]>, Fault> {
        let mut last = self.last.lock().await;
        if let Some(look) = &*last {
            if look.begun >= asked {
                return Ok(Arc::clone(&look.waits));
            }
            sleep_until(look.ended + self.pause).await;
        }
        let begun = Instant::now();
        let waits: Arc<[Wait]> = take.await?.into();
        *last = Some(Look {
            begun,
            ended: Instant::now(),
            waits: Arc::clone(&waits),
        });
        Ok(waits)
    }
}

/// `performance_schema.data_lock_waits` is exact and always up to date, but for its thread numbers:
/// when a page is split, the locks on its rows appear under the thread that has split it. The
/// transaction's lock on the table keeps the right one. Locks that are on no row (GET_LOCK, a
/// table, a schema) are in `metadata_locks`; one that is granted there need not be in the way of
/// the one that is wanted.
async fn ask_mysql(pool: &Pool<MySql>) -> Result<Vec<Wait>, Fault> {
    pairs(
        pool,
        "SELECT DISTINCT CAST(waiting.processlist_id AS SIGNED), CAST(holder.processlist_id AS SIGNED) \
         FROM performance_schema.data_lock_waits w \
         JOIN performance_schema.data_locks waiting_in ON waiting_in.lock_type = 'TABLE' \
             AND waiting_in.engine_transaction_id = w.requesting_engine_transaction_id \
         JOIN performance_schema.threads waiting ON waiting.thread_id = waiting_in.thread_id \
         LEFT JOIN performance_schema.data_locks holding_in ON holding_in.lock_type = 'TABLE' \
             AND holding_in.engine_transaction_id = w.blocking_engine_transaction_id \
         LEFT JOIN performance_schema.threads holder ON holder.thread_id = holding_in.thread_id \
         UNION ALL \
         SELECT CAST(waiting.processlist_id AS SIGNED), CAST(holder.processlist_id AS SIGNED) \
         FROM performance_schema.metadata_locks wanted \
         JOIN performance_schema.threads waiting ON waiting.thread_id = wanted.owner_thread_id \
         LEFT JOIN performance_schema.metadata_locks held ON held.object_type = wanted.object_type \
             AND held.object_schema <=> wanted.object_schema \
             AND held.object_name <=> wanted.object_name \
             AND held.lock_status = 'GRANTED' AND held.owner_thread_id <> wanted.owner_thread_id \
         LEFT JOIN performance_schema.threads holder ON holder.thread_id = held.owner_thread_id \
         WHERE wanted.lock_status = 'PENDING'",
    )
    .await
}

/// MariaDB's tables of transactions and waits show a fresh picture only when nobody has looked at
/// them for 100 ms: whoever polls faster sees the same old picture for ever.
const MARIADB_KEEPS_OLD: Duration = Duration::from_millis(110);

/// Who waits for whom, slowly.
async fn ask_mariadb_whom(pool: &Pool<MySql>) -> Result<Vec<Wait>, Fault> {
    pairs(
        pool,
        "SELECT CAST(waiting.trx_mysql_thread_id AS SIGNED), \
                CAST(holder.trx_mysql_thread_id AS SIGNED) \
         FROM information_schema.innodb_lock_waits w \
         JOIN information_schema.innodb_trx waiting ON waiting.trx_id = w.requesting_trx_id \
         JOIN information_schema.innodb_trx holder ON holder.trx_id = w.blocking_trx_id \
         UNION ALL \
         SELECT CAST(id AS SIGNED), NULL FROM information_schema.processlist \
         WHERE state = 'User lock' OR state LIKE 'Waiting for % lock'",
    )
    .await
}

/// A wait for a named lock, and one for the metadata of a table, a schema or the like.
const MARIADB_WAITS_FOR_NO_ROW: &str = "SELECT CAST(id AS SIGNED), CAST(NULL AS SIGNED) \
     FROM information_schema.processlist \
     WHERE state = 'User lock' OR state LIKE 'Waiting for % lock'";

async fn pairs(pool: &Pool<MySql>, sql: &'static str) -> Result<Vec<Wait>, Fault> {
    let mut pooled = pool.acquire().await?;
    let pairs = sqlx::query_as(sql).fetch_all(pooled.get()?).await?;
    pooled.give_back();
    Ok(waits_of(pairs))
}

/// Which connections wait, asked at once. InnoDB knows nothing of locks that are on no row
/// (GET_LOCK, a table's metadata): waits for these are in the list of processes.
async fn ask_mariadb(pool: &Pool<MySql>) -> Result<Vec<Wait>, Fault> {
    let mut pooled = pool.acquire().await?;
    let connection = pooled.get()?;
    let deadline = Instant::now() + CHECKS_LAST;
    let mut waits = rows_waited_for(connection).await?;
    while waits.len() > waits_begun(connection).await? && Instant::now() < deadline {
        waits = rows_waited_for(connection).await?;
    }
    let named = sqlx::query_as(MARIADB_WAITS_FOR_NO_ROW)
        .fetch_all(connection)
        .await?;
    pooled.give_back();
    waits.extend(waits_of(named));
    Ok(waits)
}

/// How long the clients that wait may take to look for a deadlock. They take a millisecond, unless
/// the machine is overloaded.
const CHECKS_LAST: Duration = Duration::from_millis(100);

/// InnoDB's status report is taken afresh each time.
async fn rows_waited_for(connection: &mut MySqlConnection) -> Result<Vec<Wait>, Fault> {
    let report = sqlx::raw_sql("SHOW ENGINE INNODB STATUS");
    let report = report.fetch_one(connection).await?;
    let report: String = report.try_get("Status")?;
    Ok(waits_in(&report))
}

/// How many waits for a row have really begun. MariaDB first puts a lock request into the queue,
/// where the report shows it. Only then does the client look for a deadlock and count its wait. Of
/// two equals in a circle, the one that finds it is given up. So before this one has looked, no
/// other client may be let go: which of them closes the circle would be a matter of luck.
async fn waits_begun(connection: &mut MySqlConnection) -> Result<usize, Fault> {
    let counted = sqlx::raw_sql("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'");
    let counted = counted.fetch_one(connection).await?;
    let counted: String = counted.try_get("Value")?;
    Ok(counted.parse().unwrap_or(usize::MAX))
}

/// `pg_blocking_pids` looks into the lock manager itself: who holds what a connection wants, or
/// wants it too and came first.
async fn ask_postgres(pool: &Pool<Postgres>) -> Result<Vec<Wait>, Fault> {
    let mut pooled = pool.acquire().await?;
    let pairs = sqlx::query_as(
        "SELECT CAST(waiting.pid AS BIGINT), CAST(holder AS BIGINT) \
         FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) waiting, \
              unnest(pg_blocking_pids(waiting.pid)) holder",
    )
    .fetch_all(pooled.get()?)
    .await?;
    pooled.give_back();
    Ok(waits_of(pairs))
}

/// The report has a paragraph for each transaction, with a line `LOCK WAIT …` where it waits and a
/// line `MariaDB thread id …, …` that says whose it is.
fn waits_in(report: &str) -> Vec<Wait> {
    let transactions = report.split("---TRANSACTION").skip(1);
    transactions
        .filter(|transaction| {
            transaction
                .lines()
                .any(|line| line.starts_with("LOCK WAIT"))
        })
        .filter_map(|transaction| {
            let (_, owner) = transaction.split_once("MariaDB thread id ")?;
            let (number, _) = owner.split_once(',')?;
            Some(Wait {
                waiting: ConnectionId(number.parse().ok()?),
                holder: None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
LIST OF TRANSACTIONS FOR EACH SESSION:
---TRANSACTION 28, ACTIVE 1 sec starting index read
mysql tables in use 1, locked 1
LOCK WAIT 2 lock struct(s), heap size 1128, 1 row lock(s)
MariaDB thread id 35, OS thread handle 139, query id 120 localhost root Updating
UPDATE accounts SET balance = ? WHERE id = ?
---TRANSACTION 27, ACTIVE 1 sec
3 lock struct(s), heap size 1128, 2 row lock(s), undo log entries 2
MariaDB thread id 3, OS thread handle 140, query id 118 localhost root
--------
";

    fn wait(waiting: i64, holder: i64) -> Wait {
        Wait {
            waiting: ConnectionId(waiting),
            holder: Some(ConnectionId(holder)),
        }
    }

    fn of(connections: &[i64], waits: &[Wait]) -> Standstill {
        let connections: Vec<_> = connections.iter().copied().map(ConnectionId).collect();
        Standstill::of(&connections, waits)
    }

    #[test]
    fn the_waiting_connection_is_found_and_no_other() {
        let found = waits_in(REPORT);
        assert_eq!(of(&[35], &found), Standstill::Queue);
        assert_eq!(of(&[3], &found), Standstill::No);
        assert_eq!(of(&[35, 3], &found), Standstill::No);
        assert!(waits_in("").is_empty());
    }

    #[test]
    fn a_queue_is_told_from_a_circle() {
        let queue = [wait(2, 1), wait(3, 1), wait(3, 2)];
        assert_eq!(of(&[2, 3], &queue), Standstill::Queue);
        assert_eq!(of(&[1, 2, 3], &queue), Standstill::No);
        let circle = [wait(1, 2), wait(2, 1), wait(3, 1)];
        assert_eq!(of(&[1, 2], &circle), Standstill::Circle);
        assert_eq!(of(&[1, 2, 3], &circle), Standstill::Circle);
        assert_eq!(of(&[3], &circle), Standstill::Queue);
    }

    #[tokio::test]
    async fn a_look_serves_those_who_asked_before_it() {
        let looks = Shared::every(Duration::ZERO);
        let before = Instant::now();
        let seen = looks.since(before, async { Ok(vec![wait(1, 2)]) }).await;
        assert_eq!(&*seen.unwrap(), [wait(1, 2)]);
        let again = looks.since(before, async { Ok(vec![]) }).await;
        assert_eq!(&*again.unwrap(), [wait(1, 2)]);
        let later = looks.since(Instant::now(), async { Ok(vec![]) }).await;
        assert!(later.unwrap().is_empty());
    }
}
