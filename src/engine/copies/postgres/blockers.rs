//! Which connections are in the way.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::catalogue::OURS;
use super::session::give_up;
use crate::engine::connection::Connection;
use crate::engine::copies::error::{Blocker, CopyError};
use crate::engine::copies::texts::texts;
use crate::engine::lane::MARK;
use crate::engine::{Fault, FaultKind};

/// How long an open transaction that has written is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Locks of a transaction that may have written.
const OF_WRITERS: &str = "('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', \
     'AccessExclusiveLock')";

/// Locks that are in the way of a write.
const IN_THE_WAY: &str = "('RowShareLock', 'RowExclusiveLock', 'ShareLock', \
     'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')";

/// The fault, and the connections in the way if it is a wait that was given up. Ends the
/// transaction. The connection that has waited asks, so that no second one is needed.
pub(super) async fn explained(connection: &mut Connection, what: &str, fault: Fault) -> CopyError {
    give_up(connection).await;
    let what = what.to_owned();
    if !matches!(fault.kind, FaultKind::LockTimeout | FaultKind::Deadlock) {
        return CopyError::Fault { what, fault };
    }
    // A server that does not show them has refused all the same.
    let by = holders(connection, IN_THE_WAY).await.unwrap_or_default();
    CopyError::Blocked { what, by, fault }
}

/// What is told of transactions that are still open.
pub(super) fn blocked(what: &str, by: Vec<Blocker>) -> CopyError {
    CopyError::Blocked {
        what: what.to_owned(),
        by,
        fault: Fault::other("a transaction that may have written is still open"),
    }
}

/// The connections whose open transaction may have written a table of this database: what it has
/// written would come after all. Waits until there are none, or a second is over.
pub(super) async fn writers_at_last(connection: &mut Connection) -> Result<Vec<Blocker>, Fault> {
    let began = Instant::now();
    loop {
        let writers = holders(connection, OF_WRITERS).await?;
        if writers.is_empty() || began.elapsed() > PATIENCE {
            return Ok(writers);
        }
        sleep(PAUSE).await;
    }
}

/// The connections and prepared transactions that hold such locks on tables of this database.
async fn holders(connection: &mut Connection, modes: &str) -> Result<Vec<Blocker>, Fault> {
    let sql = format!(
        "SELECT CAST(COALESCE(l.pid, 0) AS TEXT), COALESCE(CAST(a.usename AS TEXT), '?'), \
             COALESCE(host(a.client_addr), CASE WHEN l.pid IS NULL THEN 'no connection' \
                                                ELSE 'this machine' END), \
             string_agg(DISTINCT l.mode || ' on table ' || CAST(c.relname AS TEXT), ', '), \
             COALESCE(a.state, CASE WHEN l.pid IS NULL THEN 'a prepared transaction' \
                                    ELSE 'in an unknown state' END), \
             COALESCE(left(a.query, 200), '') \
         FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'relation' AND l.granted AND l.mode IN {modes} \
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
           AND l.pid IS DISTINCT FROM pg_backend_pid() \
           AND a.backend_type IS DISTINCT FROM 'autovacuum worker' \
           AND c.relkind IN ('r', 'p', 'm') AND {OURS} \
         GROUP BY l.pid, l.virtualtransaction, a.usename, a.client_addr, a.state, a.query \
         ORDER BY l.pid"
    );
    let held = texts(connection, &sql, &[MARK]).await?;
    let blockers = held.into_iter().filter_map(|row| {
        let [id, user, host, holds, state, query] = row;
        let statement = match query.as_str() {
            "" => String::new(),
            query => format!("; its last statement: {query}"),
        };
        Some(Blocker {
            connection: id.parse().ok()?,
            user,
            host,
            holds: format!("which holds {holds} and is {state}{statement}"),
        })
    });
    Ok(blockers.collect())
}
