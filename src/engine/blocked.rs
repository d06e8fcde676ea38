//! "Does this connection wait for a lock?", asked of the engine and never guessed by a timeout.

use sqlx::{MySql, Postgres, Row as _};

use super::pool::Pool;
use super::{ConnectionId, Database, Fault, Flavour, Pools};

impl Database {
    /// Whether that connection waits for a lock that another one holds. Asked on a connection of
    /// the pool's; on MySQL and MariaDB the user needs the right to look (`PROCESS`, and on MySQL
    /// `SELECT` on `performance_schema`).
    ///
    /// SQLite has no lock table to ask, and its connections have no identity a client can learn:
    /// there the answer is always no.
    ///
    /// # Errors
    /// The engine's fault where it does not answer.
    pub async fn waits_for_lock(&self, connection: ConnectionId) -> Result<bool, Fault> {
        match (&self.pools, self.engine.flavour) {
            (Pools::MySql(pool), Flavour::MySql) => ask_mysql(pool, connection).await,
            (Pools::MySql(pool), _) => ask_mariadb(pool, connection).await,
            (Pools::Postgres(pool), _) => ask_postgres(pool, connection).await,
            (Pools::Sqlite(_), _) => Ok(false),
        }
    }
}

/// `performance_schema.data_lock_waits` is exact and always up to date.
async fn ask_mysql(pool: &Pool<MySql>, connection: ConnectionId) -> Result<bool, Fault> {
    let mut pooled = pool.acquire().await?;
    let waits: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM performance_schema.data_lock_waits w \
         JOIN performance_schema.threads t ON t.thread_id = w.requesting_thread_id \
         WHERE t.processlist_id = ?",
    )
    .bind(connection.0)
    .fetch_one(pooled.get()?)
    .await?;
    pooled.give_back();
    Ok(waits > 0)
}

/// MariaDB has `information_schema.innodb_trx`, but takes a fresh look for it only when nobody has
/// read it for 100 ms: whoever polls faster, or beside somebody else, sees the same old picture for
/// ever. InnoDB's status report is taken afresh each time.
async fn ask_mariadb(pool: &Pool<MySql>, connection: ConnectionId) -> Result<bool, Fault> {
    let mut pooled = pool.acquire().await?;
    let report = sqlx::raw_sql("SHOW ENGINE INNODB STATUS")
        .fetch_one(pooled.get()?)
        .await?;
    pooled.give_back();
    let report: String = report.try_get("Status")?;
    Ok(is_waiting_in(&report, connection))
}

/// `pg_blocking_pids` looks into the lock manager itself: who holds what that connection wants, or
/// wants it too and came first. Nobody, where it does not wait.
async fn ask_postgres(pool: &Pool<Postgres>, connection: ConnectionId) -> Result<bool, Fault> {
    let mut pooled = pool.acquire().await?;
    let waits: bool =
        sqlx::query_scalar("SELECT cardinality(pg_blocking_pids(CAST($1 AS INT))) > 0")
            .bind(connection.0)
            .fetch_one(pooled.get()?)
            .await?;
    pooled.give_back();
    Ok(waits)
}

/// The report has a paragraph for each transaction, with a line `LOCK WAIT …` where it waits and a
/// line `MariaDB thread id …, …` that says whose it is.
fn is_waiting_in(report: &str, connection: ConnectionId) -> bool {
    let owner = format!("MariaDB thread id {connection},");
    let transactions = report.split("---TRANSACTION").skip(1);
    transactions
        .filter(|transaction| transaction.contains(&owner))
        .any(|transaction| {
            transaction
                .lines()
                .any(|line| line.starts_with("LOCK WAIT"))
        })
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

    #[test]
    fn the_waiting_connection_is_found_and_no_other() {
        assert!(is_waiting_in(REPORT, ConnectionId(35)));
        assert!(!is_waiting_in(REPORT, ConnectionId(3)));
        assert!(!is_waiting_in(REPORT, ConnectionId(5)));
        assert!(!is_waiting_in("", ConnectionId(35)));
    }
}
