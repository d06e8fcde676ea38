//! How each engine is asked which connections wait for a lock.

use std::time::Duration;

use sqlx::mysql::MySqlRow;
use sqlx::{FromRow, MySql, MySqlConnection, Postgres, Row as _};
use tokio::time::Instant;

use super::Wait;
use super::metadata::waits_among;
use crate::engine::pool::Pool;
use crate::engine::unlocked::Reading;
use crate::engine::{ConnectionId, Fault};

/// The waits of clients. InnoDB's own threads wait too, but have no connection's number.
fn waits_of(pairs: Vec<(Option<i64>, Option<i64>)>) -> Vec<Wait> {
    let wait = |(waiting, holder): (Option<i64>, Option<i64>)| {
        Some(Wait {
            waiting: ConnectionId(waiting?),
            holder: holder.map(ConnectionId),
            may_be_over: false,
        })
    };
    pairs.into_iter().filter_map(wait).collect()
}

/// `performance_schema.data_lock_waits` is exact and always up to date, except for its thread
/// numbers: when a page is split, the locks on its rows appear under the thread that has split it.
/// The transaction's lock on the table keeps the right number.
const MYSQL_WAITS_FOR_ROWS: &str = "SELECT DISTINCT CAST(waiting.processlist_id AS SIGNED), \
            CAST(holder.processlist_id AS SIGNED) \
     FROM performance_schema.data_lock_waits w \
     JOIN performance_schema.data_locks waiting_in ON waiting_in.lock_type = 'TABLE' \
         AND waiting_in.engine_transaction_id = w.requesting_engine_transaction_id \
     JOIN performance_schema.threads waiting ON waiting.thread_id = waiting_in.thread_id \
     LEFT JOIN performance_schema.data_locks holding_in ON holding_in.lock_type = 'TABLE' \
         AND holding_in.engine_transaction_id = w.blocking_engine_transaction_id \
     LEFT JOIN performance_schema.threads holder ON holder.thread_id = holding_in.thread_id";

/// Locks that are on no row (GET_LOCK, a table, a schema): each one that is wanted, with each other
/// one on the same object. See [`metadata`](super::metadata).
const MYSQL_METADATA_LOCKS: &str = "SELECT CAST(waiting.processlist_id AS SIGNED) AS waiting, \
            wanted.lock_type AS wanted, CAST(other.processlist_id AS SIGNED) AS other, \
            held.lock_type AS held, held.lock_status AS status \
     FROM performance_schema.metadata_locks wanted \
     JOIN performance_schema.threads waiting ON waiting.thread_id = wanted.owner_thread_id \
     JOIN performance_schema.metadata_locks held ON held.object_type = wanted.object_type \
         AND held.object_schema <=> wanted.object_schema \
         AND held.object_name <=> wanted.object_name \
         AND held.lock_status IN ('GRANTED', 'PENDING') \
         AND held.owner_thread_id <> wanted.owner_thread_id \
     JOIN performance_schema.threads other ON other.thread_id = held.owner_thread_id \
     WHERE wanted.lock_status = 'PENDING'";

/// The waits for rows are asked for last: a statement may release its row locks and then wait for a
/// table (LOCK TABLES), and none does so the other way round.
pub(super) async fn mysql(pool: &Pool<MySql>) -> Result<Vec<Wait>, Fault> {
    let mut waits = waits_among(rows(pool, MYSQL_METADATA_LOCKS).await?);
    waits.extend(waits_of(rows(pool, MYSQL_WAITS_FOR_ROWS).await?));
    Ok(waits)
}

/// MariaDB's tables of transactions and waits are refreshed only if they were not read for 100 ms.
/// A client that polls faster sees the same old picture for ever.
pub(super) const MARIADB_KEEPS_OLD: Duration = Duration::from_millis(110);

/// Which connections wait, and for which ones. Slow: see [`MARIADB_KEEPS_OLD`].
pub(super) async fn mariadb_with_holders(pool: &Pool<MySql>) -> Result<Vec<Wait>, Fault> {
    let mut waits = named_waits_of(rows(pool, MARIADB_WAITS_FOR_NO_ROW).await?);
    waits.extend(waits_of(rows(pool, MARIADB_WAITS_FOR_ROWS).await?));
    Ok(waits)
}

const MARIADB_WAITS_FOR_ROWS: &str = "SELECT CAST(waiting.trx_mysql_thread_id AS SIGNED), \
            CAST(holder.trx_mysql_thread_id AS SIGNED) \
     FROM information_schema.innodb_lock_waits w \
     JOIN information_schema.innodb_trx waiting ON waiting.trx_id = w.requesting_trx_id \
     JOIN information_schema.innodb_trx holder ON holder.trx_id = w.blocking_trx_id";

/// The waits for named locks, and for the metadata of a table, a schema or the like. The thread
/// that waits writes its state itself, so it stays until that thread has woken up.
const MARIADB_WAITS_FOR_NO_ROW: &str = "SELECT CAST(id AS SIGNED) \
     FROM information_schema.processlist \
     WHERE state = 'User lock' OR state LIKE 'Waiting for % lock'";

fn named_waits_of(waiting: Vec<(i64,)>) -> Vec<Wait> {
    let wait = |(waiting,)| Wait {
        waiting: ConnectionId(waiting),
        holder: None,
        may_be_over: true,
    };
    waiting.into_iter().map(wait).collect()
}

async fn rows<R>(pool: &Pool<MySql>, sql: &'static str) -> Result<Vec<R>, Fault>
where
    R: for<'r> FromRow<'r, MySqlRow> + Send + Unpin,
{
    let mut pooled = pool.acquire().await?;
    let reading = Reading::begin();
    let rows = loop {
        let rows = sqlx::query_as(sql).fetch_all(pooled.get()?).await;
        if let Some(rows) = reading.done(rows).await? {
            break rows;
        }
    };
    pooled.give_back();
    Ok(rows)
}

/// Which connections wait, as of now. InnoDB does not know of locks that are on no row (GET_LOCK, a
/// table's metadata). Waits for these are in the list of processes.
pub(super) async fn mariadb(pool: &Pool<MySql>) -> Result<Vec<Wait>, Fault> {
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
    waits.extend(named_waits_of(named));
    Ok(waits)
}

/// How long the waiting clients may take to look for a deadlock. They take a millisecond, unless
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
/// where the report shows it. Only then does the client look for a deadlock and count its wait.
/// Of two equal clients in a circle, the one that finds it is refused. So no other client may move
/// before this one has looked: otherwise chance would decide which of them closes the circle.
async fn waits_begun(connection: &mut MySqlConnection) -> Result<usize, Fault> {
    let counted = sqlx::raw_sql("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'");
    let counted = counted.fetch_one(connection).await?;
    let counted: String = counted.try_get("Value")?;
    Ok(counted.parse().unwrap_or(usize::MAX))
}

/// The waits of all clients in this database.
pub(super) async fn every_postgres(pool: &Pool<Postgres>) -> Result<Vec<Wait>, Fault> {
    let mut pooled = pool.acquire().await?;
    let pairs = sqlx::query_as(
        "SELECT CAST(pid AS BIGINT), CAST(holder AS BIGINT) FROM pg_stat_activity, \
              unnest(pg_blocking_pids(pid)) holder \
         WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_all(pooled.get()?)
    .await?;
    pooled.give_back();
    Ok(waits_of(pairs))
}

/// `pg_blocking_pids` reads the lock manager itself: which processes hold the lock that a
/// connection wants, or are ahead of it in the queue. Only these connections are asked for, because
/// `pg_locks` would list every lock of every client first.
///
/// `pg_safe_snapshot_blocking_pids` looks at the oldest SERIALIZABLE transaction that it knows of
/// a connection. That may be one that has ended and is kept for the sake of others. Then it names
/// nobody, and only what the connection says itself is left.
pub(super) async fn postgres(
    pool: &Pool<Postgres>,
    connections: &[ConnectionId],
) -> Result<Vec<Wait>, Fault> {
    let numbers: Vec<_> = connections.iter().map(|it| it.0).collect();
    let mut pooled = pool.acquire().await?;
    let pairs = sqlx::query_as(
        "SELECT waiting, CAST(holder AS BIGINT) \
         FROM unnest(CAST($1 AS BIGINT[])) waiting, \
              unnest(pg_blocking_pids(CAST(waiting AS INTEGER)) \
                     || pg_safe_snapshot_blocking_pids(CAST(waiting AS INTEGER))) holder \
         UNION ALL \
         SELECT waiting, NULL \
         FROM unnest(CAST($1 AS BIGINT[])) waiting, \
              pg_stat_get_activity(CAST(waiting AS INTEGER)) said \
         WHERE said.wait_event = 'SafeSnapshot'",
    )
    .bind(numbers)
    .fetch_all(pooled.get()?)
    .await?;
    pooled.give_back();
    let mut waits = waits_of(pairs);
    for wait in &mut waits {
        wait.may_be_over = wait.holder.is_none();
    }
    Ok(waits)
}

/// The report has a paragraph for each transaction. A line `LOCK WAIT …` says that it waits, and a
/// line `MariaDB thread id …, …` names its connection.
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
                may_be_over: false,
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
UPDATE things SET size = ? WHERE id = ?
---TRANSACTION 27, ACTIVE 1 sec
3 lock struct(s), heap size 1128, 2 row lock(s), undo log entries 2
MariaDB thread id 3, OS thread handle 140, query id 118 localhost root
--------
";

    #[test]
    fn the_waiting_connection_is_found_and_no_other() {
        let found: Vec<_> = waits_in(REPORT).iter().map(|wait| wait.waiting).collect();
        assert_eq!(found, [ConnectionId(35)]);
        assert!(waits_in("").is_empty());
    }
}
