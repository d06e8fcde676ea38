//! Which connections hold the locks that a statement waits for in vain.

use crate::engine::connection::Connection;
use crate::engine::copies::error::{Blocker, CopyError};
use crate::engine::copies::texts::texts;
use crate::engine::{Fault, FaultKind, Flavour};

/// Locks on tables of this database and on their rows, by the connections that hold them.
const MYSQL: &str = "SELECT CAST(held.id AS CHAR), CAST(held.user AS CHAR), \
         CAST(held.host AS CHAR), \
         CAST(GROUP_CONCAT(DISTINCT held.what ORDER BY held.what SEPARATOR ', ') AS CHAR) \
     FROM (SELECT t.processlist_id AS id, COALESCE(t.processlist_user, '?') AS user, \
             COALESCE(t.processlist_host, '?') AS host, \
             CONCAT(l.lock_type, ' of table ', l.object_name) AS what \
         FROM performance_schema.metadata_locks l \
         JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id \
         WHERE l.object_schema = DATABASE() AND l.object_type = 'TABLE' \
           AND l.lock_status = 'GRANTED' \
         UNION ALL SELECT t.processlist_id, COALESCE(t.processlist_user, '?'), \
             COALESCE(t.processlist_host, '?'), \
             CONCAT('row locks of table ', l.object_name) \
         FROM performance_schema.data_locks l \
         JOIN performance_schema.threads t ON t.thread_id = l.thread_id \
         WHERE l.object_schema = DATABASE() AND l.lock_type = 'RECORD' \
           AND l.lock_status = 'GRANTED') held \
     WHERE held.id <> CONNECTION_ID() GROUP BY held.id, held.user, held.host ORDER BY held.id";

/// Connections with an open transaction. MariaDB shows metadata locks by a plugin alone, and an
/// open transaction keeps those of all tables that it has read.
const MARIADB: &str = "SELECT CAST(p.id AS CHAR), CAST(p.user AS CHAR), CAST(p.host AS CHAR), \
         CAST(CONCAT('a transaction since ', t.trx_started, ' with locks on ', \
                     t.trx_rows_locked, ' rows') AS CHAR) \
     FROM information_schema.innodb_trx t \
     JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
     WHERE p.id <> CONNECTION_ID() AND (p.db = DATABASE() OR p.db IS NULL) ORDER BY p.id";

/// The fault, and the connections in the way if it is a wait that was given up. The connection that
/// has waited asks, so that no second one is needed.
pub(super) async fn explained(
    connection: &mut Connection,
    flavour: Flavour,
    what: &str,
    fault: Fault,
) -> CopyError {
    let what = what.to_owned();
    if !matches!(fault.kind, FaultKind::LockTimeout | FaultKind::Deadlock) {
        return CopyError::Fault { what, fault };
    }
    // An engine that does not show them has refused all the same.
    let by = in_the_way(connection, flavour).await.unwrap_or_default();
    CopyError::Blocked { what, by, fault }
}

async fn in_the_way(connection: &mut Connection, flavour: Flavour) -> Result<Vec<Blocker>, Fault> {
    let sql = if flavour == Flavour::MySql {
        MYSQL
    } else {
        MARIADB
    };
    let held = texts(connection, sql, &[]).await?;
    let blockers = held.into_iter().filter_map(|[id, user, host, holds]| {
        Some(Blocker {
            connection: id.parse().ok()?,
            user,
            host,
            holds: format!("which holds {holds}"),
        })
    });
    Ok(blockers.collect())
}
