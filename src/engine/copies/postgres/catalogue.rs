//! Which tables and sequences there are, and which tables a write can change.

use std::collections::BTreeMap;

use super::columns;
use super::table::{Kind, Table};
use crate::engine::Fault;
use crate::engine::connection::Connection;
use crate::engine::copies::reach::Reaches;
use crate::engine::copies::texts::texts;
use crate::engine::lane::MARK;

/// The condition that a relation `c` in the schema `n` is the application's own, and not an
/// extension's. `$1` is a table of this program's.
pub(super) const OURS: &str = "n.nspname NOT LIKE 'pg\\_%' \
     AND n.nspname NOT IN ('information_schema', 'racy_copy', 'racy_beginning') \
     AND n.nspname NOT LIKE 'racy\\_explore\\_%' AND c.relname <> $1 \
     AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = CAST('pg_class' AS regclass) \
             AND e.objid = c.oid AND e.deptype = 'e')";

/// What is there, in words for people. A view's rows are named apart from whether it has any.
pub(super) async fn things(connection: &mut Connection) -> Result<Vec<String>, Fault> {
    let sql = format!(
        "SELECT CAST(CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'f' THEN 'foreign table ' \
                     WHEN 'm' THEN CASE WHEN c.relispopulated THEN 'materialised view ' \
                                        ELSE 'empty materialised view ' END \
                     ELSE 'table ' END || {SHOWN} AS TEXT) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'm', 'f', 'S') AND {OURS} \
         UNION ALL SELECT 'a large object' WHERE EXISTS (SELECT FROM pg_largeobject_metadata) \
         ORDER BY 1"
    );
    let things = texts(connection, &sql, &[MARK]).await?;
    Ok(things.into_iter().map(|[thing]| thing).collect())
}

/// A relation's name for people: without the schema that all names are looked up in.
pub(super) const SHOWN: &str =
    "CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || c.relname";

/// The tables, in the order of their names. Their rows are not counted yet.
pub(super) async fn tables(connection: &mut Connection) -> Result<Vec<Table>, Fault> {
    let sql = format!(
        "SELECT CAST(c.oid AS TEXT), CAST(n.nspname AS TEXT), CAST(c.relname AS TEXT), \
             CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'p' \
                  ELSE CAST(c.relkind AS TEXT) END \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'm') AND {OURS} ORDER BY n.nspname, c.relname"
    );
    let rows: Vec<[String; 4]> = texts(connection, &sql, &[MARK]).await?;
    let mut columns = columns::columns(connection).await?;
    let mut reaches = reaches(connection).await?;
    let tables = rows.into_iter().enumerate();
    let tables = tables.map(|(number, [oid, schema, name, kind])| Table {
        schema,
        name,
        kind: match kind.as_str() {
            "r" => Kind::Ordinary,
            "m" => Kind::View,
            _ => Kind::WithoutRows,
        },
        number,
        rows: 0,
        columns: columns.remove(&oid).unwrap_or_default(),
        reaches: reaches.remove(&oid).unwrap_or(Reaches::Tables(Vec::new())),
    });
    Ok(tables.collect())
}

/// The tables that a write to each table can change: its partitions and heirs, what a foreign key
/// acts on, and anything if it has a trigger or a rule.
async fn reaches(connection: &mut Connection) -> Result<BTreeMap<String, Reaches>, Fault> {
    let sql = format!(
        "SELECT CAST(reached.by AS TEXT), CAST({SHOWN} AS TEXT) \
         FROM (SELECT inhparent AS by, inhrelid AS it FROM pg_inherits \
               UNION ALL SELECT confrelid, conrelid FROM pg_constraint \
               WHERE contype = 'f' \
                 AND NOT (confupdtype IN ('a', 'r') AND confdeltype IN ('a', 'r'))) reached \
         JOIN pg_class c ON c.oid = reached.it JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {OURS} \
         UNION ALL SELECT CAST(t.tgrelid AS TEXT), '' FROM pg_trigger t \
         JOIN pg_proc p ON p.oid = t.tgfoid \
         WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' \
           AND p.pronamespace <> CAST('pg_catalog' AS regnamespace) \
         UNION ALL SELECT CAST(ev_class AS TEXT), '' FROM pg_rewrite \
         WHERE rulename <> '_RETURN' AND ev_enabled <> 'D'"
    );
    let mut reaches: BTreeMap<String, Reaches> = BTreeMap::new();
    for [by, reached] in texts(connection, &sql, &[MARK]).await? {
        let known = reaches.entry(by).or_insert(Reaches::Tables(Vec::new()));
        match known {
            Reaches::Tables(_) if reached.is_empty() => *known = Reaches::All,
            Reaches::Tables(tables) => tables.push(reached),
            Reaches::All => {}
        }
    }
    Ok(reaches)
}
