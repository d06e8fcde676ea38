//! What copies of rows do not bring back, and what this user may not bring back.

use super::catalogue::{OURS, SHOWN};
use crate::engine::Fault;
use crate::engine::connection::Connection;
use crate::engine::copies::texts::texts;
use crate::engine::lane::MARK;

/// Reasons not to copy. Each is a sentence without its end.
pub(super) async fn refusals(connection: &mut Connection) -> Result<Vec<String>, Fault> {
    let mut refusals: Vec<String> = Vec::new();
    for of_a_kind in [of_tables(), of_what_acts(), of_the_database()] {
        let found = texts(connection, &of_a_kind, &[MARK]).await?;
        refusals.extend(found.into_iter().map(|[reason]| reason));
    }
    if refusals.is_empty() {
        refusals = of_rows(connection).await?;
    }
    Ok(refusals)
}

/// What a table or a sequence is.
fn of_tables() -> String {
    format!(
        "SELECT CAST(CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'm' THEN 'materialised view ' \
                     ELSE 'table ' END || {SHOWN} || why.is_so AS TEXT) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_sequence q ON q.seqrelid = c.oid \
         LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid \
         LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver \
         CROSS JOIN LATERAL (SELECT CASE \
             WHEN c.relkind = 'f' THEN ' is kept by another server, ' || s.srvname \
             WHEN c.relkind NOT IN ('r', 'p', 'm', 'S') THEN NULL \
             WHEN NOT has_schema_privilege(n.oid, 'USAGE') \
               OR NOT has_table_privilege(c.oid, 'SELECT') \
               OR (c.relkind = 'S' AND NOT has_sequence_privilege(c.oid, 'UPDATE')) \
               OR (c.relkind = 'r' AND NOT (has_table_privilege(c.oid, 'INSERT') \
                   AND has_table_privilege(c.oid, 'UPDATE') \
                   AND has_table_privilege(c.oid, 'DELETE'))) \
               THEN ' may not be read and written by user ' || current_user \
             WHEN c.relkind IN ('r', 'p') AND row_security_active(c.oid) \
               THEN ' hides rows from user ' || current_user || ' (row-level security)' \
             WHEN q.seqcache > 1 \
               THEN ' is counted ahead by each connection (CACHE ' || q.seqcache || ')' \
             WHEN c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_attribute a \
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                   AND a.attgenerated = '') \
               THEN ' has no column that can be written' \
             END AS is_so) why \
         WHERE why.is_so IS NOT NULL AND {OURS} ORDER BY 1"
    )
}

/// What acts even while other triggers and rules keep still.
fn of_what_acts() -> String {
    format!(
        "SELECT CAST(acts.what || ' of table ' || {SHOWN} || ' acts always (ENABLE ' \
                     || CASE acts.when WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END || ')' AS TEXT) \
         FROM (SELECT 'trigger ' || tgname AS what, tgrelid AS by, tgenabled AS when \
               FROM pg_trigger \
               UNION ALL SELECT 'rule ' || rulename, ev_class, ev_enabled FROM pg_rewrite \
               WHERE rulename <> '_RETURN') acts \
         JOIN pg_class c ON c.oid = acts.by JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE acts.when IN ('A', 'R') AND c.relkind = 'r' AND {OURS} ORDER BY 1"
    )
}

/// What is the whole database's. It takes the same value, and needs none.
fn of_the_database() -> String {
    "SELECT CAST(count(*) || ' large objects are kept outside of tables' AS TEXT) \
         FROM pg_largeobject_metadata WHERE $1 <> '' HAVING count(*) > 0 \
     UNION ALL SELECT CAST('subscription ' || subname || ' receives rows by itself' AS TEXT) \
         FROM pg_subscription WHERE subenabled \
           AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        .to_owned()
}

/// Rows that were there before their constraint was, and that it would refuse now.
async fn of_rows(connection: &mut Connection) -> Result<Vec<String>, Fault> {
    let unchecked = format!(
        "SELECT CAST('constraint ' || k.conname || ' of table ' || {SHOWN} \
                     || ' refuses rows that are there (NOT VALID)' AS TEXT), \
             CAST('SELECT ''1'' FROM ONLY ' || quote_ident(n.nspname) || '.' \
                  || quote_ident(c.relname) || ' WHERE NOT (' \
                  || pg_get_expr(k.conbin, k.conrelid) || ') LIMIT 1' AS TEXT) \
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE k.contype = 'c' AND NOT k.convalidated AND c.relkind = 'r' AND {OURS} ORDER BY 1"
    );
    let mut refusals = Vec::new();
    for [reason, query] in texts(connection, &unchecked, &[MARK]).await? {
        let rows: Vec<[String; 1]> = texts(connection, &query, &[]).await?;
        if !rows.is_empty() {
            refusals.push(reason);
        }
    }
    Ok(refusals)
}
