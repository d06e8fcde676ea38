//! Which tables there are, and what copies of their rows do not bring back.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{Column, KeyPart, Table};
use crate::engine::Fault;
use crate::engine::connection::Connection;
use crate::engine::copies::reach::Reaches;
use crate::engine::copies::texts::texts;
use crate::engine::lane::MARK;

/// The condition that a table is the application's own.
const OURS: &str = "table_schema = DATABASE() AND table_name <> ? \
     AND table_name NOT LIKE 'racy\\_copy\\_%' AND table_name NOT LIKE 'racy\\_beginning\\_%'";

/// Reasons not to copy. Each is a sentence without its end.
pub(super) async fn refusals(connection: &mut Connection) -> Result<Vec<String>, Fault> {
    let sql = format!(
        "SELECT CAST(CONCAT(CASE WHEN table_type = 'SEQUENCE' THEN 'sequence ' ELSE 'table ' END, \
                table_name, \
                CASE WHEN table_type = 'SEQUENCE' THEN ' counts by itself' \
                     WHEN table_type = 'SYSTEM VERSIONED' THEN ' keeps its old rows' \
                     ELSE CONCAT(' is kept by ', COALESCE(engine, 'no engine'), \
                                 ' and not by InnoDB') END) AS CHAR) \
         FROM information_schema.tables \
         WHERE {OURS} AND table_type <> 'VIEW' \
           AND (table_type <> 'BASE TABLE' OR COALESCE(engine, '') <> 'InnoDB') \
         UNION ALL SELECT CAST(CONCAT('event ', event_name, ' runs by itself') AS CHAR) \
         FROM information_schema.events \
         WHERE event_schema = DATABASE() AND status = 'ENABLED' \
           AND @@GLOBAL.event_scheduler = 'ON' \
         UNION ALL SELECT CAST(CONCAT('foreign key ', constraint_name, ' of table ', \
                constraint_schema, '.', table_name, ' leads to another database') AS CHAR) \
         FROM information_schema.referential_constraints \
         WHERE (constraint_schema = DATABASE()) <> (unique_constraint_schema = DATABASE())"
    );
    let reasons = texts(connection, &sql, &[MARK]).await?;
    Ok(reasons.into_iter().map(|[reason]| reason).collect())
}

/// The tables, in the order of their names. Their rows are not counted yet.
pub(super) async fn tables(connection: &mut Connection) -> Result<Vec<Table>, Fault> {
    let mut columns = columns(connection).await?;
    let mut reaches = reaches(connection).await?;
    let counters = counters(connection).await?.into_iter();
    let tables = counters
        .enumerate()
        .map(|(number, (name, next_key))| Table {
            copy: format!("racy_copy_of_{number}"),
            rows: 0,
            next_key,
            columns: columns.remove(&name).unwrap_or_default(),
            reaches: reaches.remove(&name).unwrap_or(Reaches::Tables(Vec::new())),
            name,
        });
    Ok(tables.collect())
}

/// The next number for a generated key of each table. None if it has no such key.
pub(super) type Counters = BTreeMap<String, Option<u64>>;

/// The tables that are there now, and the next number for a generated key of each.
pub(super) async fn counters(connection: &mut Connection) -> Result<Counters, Fault> {
    let sql = format!(
        "SELECT CAST(table_name AS CHAR), CAST(COALESCE(auto_increment, 0) AS CHAR) \
         FROM information_schema.tables WHERE {OURS} AND table_type = 'BASE TABLE'"
    );
    let rows = texts(connection, &sql, &[MARK]).await?.into_iter();
    let counters = rows.map(|[name, next]| (name, next.parse().ok().filter(|it| *it > 0)));
    Ok(counters.collect())
}

async fn columns(connection: &mut Connection) -> Result<BTreeMap<String, Vec<Column>>, Fault> {
    /// Types that `=` compares by value, each value being stored in one way.
    const BY_VALUE: &str = "'tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', \
         'double', 'bit', 'year', 'date', 'time', 'datetime', 'timestamp', 'binary', 'varbinary', \
         'tinyblob', 'blob', 'mediumblob', 'longblob', 'inet4', 'inet6', 'uuid', 'float'";
    const COLUMNS: &str = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), \
             CAST(COALESCE(generation_expression, '') <> '' AS CHAR), \
             CAST(data_type NOT IN ({BY_VALUE}) AS CHAR) \
         FROM information_schema.columns WHERE {OURS} ORDER BY table_name, ordinal_position";
    let sql = COLUMNS
        .replace("{BY_VALUE}", BY_VALUE)
        .replace("{OURS}", OURS);
    let rows = texts(connection, &sql, &[MARK]).await?;
    let indexes = indexes(connection).await?;
    // What an indexed expression takes from a column is in the index.
    let expressions = rows.iter().filter(|[table, name, generated, _]| {
        generated == "1" && indexes.contains_key(&(table.clone(), name.clone()))
    });
    let mut with_expressions: BTreeSet<_> = expressions.map(|[table, ..]| table.clone()).collect();
    let functional = indexes.keys().filter(|(_, column)| column.is_empty());
    with_expressions.extend(functional.map(|(table, _)| table.clone()));
    let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for [table, name, generated, as_bytes] in rows {
        if generated == "1" {
            continue;
        }
        let index = indexes.get(&(table.clone(), name.clone()));
        let column = Column {
            key: index.copied().flatten(),
            is_indexed: index.is_some() || with_expressions.contains(&table),
            is_compared_as_bytes: as_bytes == "1",
            name,
        };
        columns.entry(table).or_default().push(column);
    }
    Ok(columns)
}

/// The columns of indexes, by table and column, with their parts in the primary key. A functional
/// index has no column, and the name is empty.
async fn indexes(
    connection: &mut Connection,
) -> Result<BTreeMap<(String, String), Option<KeyPart>>, Fault> {
    const INDEXES: &str = "SELECT CAST(table_name AS CHAR),              CAST(COALESCE(column_name, '') AS CHAR), CAST(index_name = 'PRIMARY' AS CHAR),              CAST(seq_in_index AS CHAR), CAST(COALESCE(sub_part, 0) AS CHAR)          FROM information_schema.statistics WHERE table_schema = DATABASE()";
    let mut indexes = BTreeMap::new();
    for [table, column, is_key, place, length] in texts(connection, INDEXES, &[]).await? {
        let part = (is_key == "1").then(|| KeyPart {
            place: place.parse().unwrap_or(0),
            length: length.parse().unwrap_or(0),
        });
        let known: &mut Option<KeyPart> = indexes.entry((table, column)).or_default();
        *known = known.or(part);
    }
    Ok(indexes)
}

/// The tables that a write to each table can change: by a foreign key that acts, or by a trigger. A
/// name in a trigger's text counts as a table that it writes.
async fn reaches(connection: &mut Connection) -> Result<BTreeMap<String, Reaches>, Fault> {
    const KEYS: &str = "SELECT CAST(referenced_table_name AS CHAR), CAST(table_name AS CHAR) \
         FROM information_schema.referential_constraints \
         WHERE constraint_schema = DATABASE() \
           AND NOT (update_rule IN ('RESTRICT', 'NO ACTION') \
                    AND delete_rule IN ('RESTRICT', 'NO ACTION'))";
    const TRIGGERS: &str = "SELECT CAST(event_object_table AS CHAR), CAST(COALESCE(action_statement, '') AS CHAR) \
         FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
    const BY_OTHER_NAMES: &str = "SELECT CAST('view' AS CHAR) FROM information_schema.views \
             WHERE table_schema = DATABASE() \
         UNION ALL SELECT CAST('routine' AS CHAR) FROM information_schema.routines \
             WHERE routine_schema = DATABASE() LIMIT 1";
    let mut reaches: BTreeMap<String, Reaches> = BTreeMap::new();
    let mut add = |table: String, reached: Reaches| {
        let known = reaches.entry(table).or_insert(Reaches::Tables(Vec::new()));
        match (&mut *known, reached) {
            (Reaches::Tables(known), Reaches::Tables(more)) => known.extend(more),
            (_, Reaches::All) => *known = Reaches::All,
            (Reaches::All, Reaches::Tables(_)) => {}
        }
    };
    for [parent, child] in texts(connection, KEYS, &[]).await? {
        add(parent, Reaches::Tables(vec![child]));
    }
    let other_names: Vec<[String; 1]> = texts(connection, BY_OTHER_NAMES, &[]).await?;
    let names: Vec<_> = counters(connection).await?.into_keys().collect();
    for [table, text] in texts(connection, TRIGGERS, &[]).await? {
        let text = text.to_lowercase();
        let named = names.iter().filter(|it| text.contains(&it.to_lowercase()));
        let reached = if other_names.is_empty() {
            Reaches::Tables(named.cloned().collect())
        } else {
            Reaches::All
        };
        add(table, reached);
    }
    Ok(reaches)
}
