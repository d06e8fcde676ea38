//! MySQL and MariaDB.

use super::list;
use super::mentions::{Mentions, Writes};
use crate::engine::lane::MARK;
use crate::engine::{Database, Fault, Flavour};

/// A table of the set-up's.
struct Table {
    name: String,
    /// The next number for a generated key. None if the table has none.
    next_key: Option<i64>,
    /// The columns that can be written.
    columns: Vec<String>,
    /// The columns of the primary key.
    key: Vec<String>,
    /// The columns of all indexes.
    indexed: Vec<String>,
}

/// Copies the rows of the tables that clients can write to. Returns the statements that bring them
/// back, or None if rows are not all that there is.
pub(super) async fn rows(
    database: &Database,
    mentions: &Mentions,
) -> Result<Option<String>, Fault> {
    if has_more_than_tables(database).await? {
        return Ok(None);
    }
    let acts_by_itself = has_acting_keys_or_views(database).await?;
    let mut truncated = Vec::new();
    let mut written = Vec::new();
    for (number, table) in tables(database).await?.into_iter().enumerate() {
        let copy = format!("racy_beginning_{number}");
        let writes = match mentions.writes(&table.name, &table.indexed) {
            _ if acts_by_itself => Writes::Rows,
            Writes::Values if table.key.is_empty() => Writes::Rows,
            writes => writes,
        };
        let quoted = Flavour::MySql.quoted_name(&table.name);
        if writes != Writes::Never {
            let made = format!("CREATE TABLE {copy} AS SELECT * FROM {quoted}");
            database.command(&made).await?;
        }
        match writes {
            Writes::Never => {}
            Writes::Values => written.push(values_back(&table, &copy)),
            Writes::Rows => {
                truncated.push(format!("TRUNCATE TABLE {quoted}"));
                truncated.extend(next_key_back(database, &table).await?);
                written.extend(rows_back(database, &table, &copy).await?);
            }
        }
    }
    if truncated.is_empty() && written.is_empty() {
        return Ok(Some(String::new()));
    }
    let mut statements = vec![
        // A key that is zero stays zero.
        "SET foreign_key_checks = 0, @racy_mode = @@sql_mode, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"
            .to_owned(),
    ];
    statements.extend(truncated);
    if !written.is_empty() {
        statements.push("START TRANSACTION".to_owned());
        statements.extend(written);
        statements.push("COMMIT".to_owned());
    }
    let ours = "SET foreign_key_checks = @@GLOBAL.foreign_key_checks, sql_mode = @racy_mode, \
                @racy_mode = NULL";
    statements.push(ours.to_owned());
    Ok(Some(statements.join("; ")))
}

/// Drops all that is in the database, except for the mark of the lane.
pub(super) async fn drop_everything(database: &Database) -> Result<(), Fault> {
    const OBJECTS: &str = "SELECT CAST(CONCAT('DROP ', \
                IF(table_type = 'VIEW', 'VIEW', IF(table_type = 'SEQUENCE', 'SEQUENCE', 'TABLE')), \
                ' `', REPLACE(table_name, '`', '``'), '`') AS CHAR) \
         FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name <> ? \
         UNION ALL SELECT CAST(CONCAT('DROP ', routine_type, ' `', routine_name, '`') AS CHAR) \
         FROM information_schema.routines WHERE routine_schema = DATABASE() \
         UNION ALL SELECT CAST(CONCAT('DROP EVENT `', event_name, '`') AS CHAR) \
         FROM information_schema.events WHERE event_schema = DATABASE()";
    let drops = texts(database, OBJECTS, &[MARK]).await?;
    let drops: Vec<_> = drops.into_iter().map(|[drop]| drop).collect();
    if drops.is_empty() {
        return Ok(());
    }
    let drops = drops.join("; ");
    let on = "SET foreign_key_checks = @@GLOBAL.foreign_key_checks";
    database
        .command(&format!("SET foreign_key_checks = 0; {drops}; {on}"))
        .await
}

/// Whether there is something that rows alone do not bring back, or that acts when rows are
/// written.
async fn has_more_than_tables(database: &Database) -> Result<bool, Fault> {
    const MORE: &str = "SELECT 'trigger' FROM information_schema.triggers \
             WHERE trigger_schema = DATABASE() \
         UNION ALL SELECT 'routine' FROM information_schema.routines \
             WHERE routine_schema = DATABASE() \
         UNION ALL SELECT 'event' FROM information_schema.events \
             WHERE event_schema = DATABASE() \
         UNION ALL SELECT 'other' FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_type NOT IN ('BASE TABLE', 'VIEW') \
         LIMIT 1";
    Ok(!database.rows(MORE, &[]).await?.is_empty())
}

/// Whether a change of one table can change another one, or reach a table by another name.
async fn has_acting_keys_or_views(database: &Database) -> Result<bool, Fault> {
    const ACTS: &str = "SELECT 'key' FROM information_schema.referential_constraints \
             WHERE constraint_schema = DATABASE() \
               AND NOT (update_rule IN ('RESTRICT', 'NO ACTION') \
                        AND delete_rule IN ('RESTRICT', 'NO ACTION')) \
         UNION ALL SELECT 'view' FROM information_schema.views WHERE table_schema = DATABASE() \
         LIMIT 1";
    Ok(!database.rows(ACTS, &[]).await?.is_empty())
}

async fn tables(database: &Database) -> Result<Vec<Table>, Fault> {
    const TABLES: &str = "SELECT CAST(table_name AS CHAR), \
                CAST(COALESCE(auto_increment, 0) AS CHAR) \
         FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name <> ? \
         ORDER BY table_name";
    const COLUMNS: &str = "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = ? \
           AND COALESCE(generation_expression, '') = '' ORDER BY ordinal_position";
    const INDEXED: &str = "SELECT CAST(COALESCE(column_name, '') AS CHAR), \
                CAST(index_name AS CHAR) \
         FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name = ? ORDER BY seq_in_index";
    let mut tables = Vec::new();
    for [name, next_key] in texts(database, TABLES, &[MARK]).await? {
        let columns = texts(database, COLUMNS, &[&name]).await?;
        let indexed = texts(database, INDEXED, &[&name]).await?;
        let of_the_key = indexed.iter().filter(|[_, index]| index == "PRIMARY");
        tables.push(Table {
            next_key: next_key.parse().ok().filter(|it| *it > 0),
            columns: columns.into_iter().map(|[column]| column).collect(),
            key: of_the_key.map(|[column, _]| column.clone()).collect(),
            indexed: indexed.into_iter().map(|[column, _]| column).collect(),
            name,
        });
    }
    Ok(tables)
}

/// Sets the values back in place. Rows that are as they were are not written.
fn values_back(table: &Table, copy: &str) -> String {
    let name = Flavour::MySql.quoted_name(&table.name);
    let quoted = |column: &String| Flavour::MySql.quoted_name(column);
    let on = table.key.iter().map(quoted);
    let on: Vec<_> = on
        .map(|it| format!("racy_now.{it} = racy_then.{it}"))
        .collect();
    let others = table.columns.iter().filter(|it| !table.key.contains(it));
    let set = others.map(quoted);
    let set: Vec<_> = set
        .map(|it| format!("racy_now.{it} = racy_then.{it}"))
        .collect();
    format!(
        "UPDATE {name} racy_now JOIN {copy} racy_then ON {} SET {}",
        on.join(" AND "),
        set.join(", ")
    )
}

/// Inserts the rows that were there. None if there were none.
async fn rows_back(
    database: &Database,
    table: &Table,
    copy: &str,
) -> Result<Option<String>, Fault> {
    let first = format!("SELECT 1 FROM {copy} LIMIT 1");
    if database.rows(&first, &[]).await?.is_empty() {
        return Ok(None);
    }
    let (name, columns) = (
        Flavour::MySql.quoted_name(&table.name),
        list(&table.columns, Flavour::MySql),
    );
    let order = match &table.key[..] {
        [] => String::new(),
        key => format!(" ORDER BY {}", list(key, Flavour::MySql)),
    };
    Ok(Some(format!(
        "INSERT INTO {name} ({columns}) SELECT {columns} FROM {copy}{order}"
    )))
}

/// Sets the counter for generated keys, if the rows alone do not: inserting them sets it to the
/// number after the largest one.
async fn next_key_back(database: &Database, table: &Table) -> Result<Option<String>, Fault> {
    let Some(next) = table.next_key else {
        return Ok(None);
    };
    const KEY: &str = "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = ? AND extra LIKE '%auto_increment%'";
    let columns = texts(database, KEY, &[&table.name]).await?;
    let Some([column]) = columns.first() else {
        return Ok(None);
    };
    let name = Flavour::MySql.quoted_name(&table.name);
    let largest = format!(
        "SELECT CAST(COALESCE(MAX({}), 0) AS CHAR) FROM {name}",
        Flavour::MySql.quoted_name(column)
    );
    let largest = texts::<1>(database, &largest, &[]).await?;
    let follows = largest
        .first()
        .and_then(|[it]| it.parse::<i64>().ok())
        .map(|it| it + 1);
    let is_set_by_the_rows = follows == Some(next);
    Ok((!is_set_by_the_rows).then(|| format!("ALTER TABLE {name} AUTO_INCREMENT = {next}")))
}

/// Rows of `N` texts.
async fn texts<const N: usize>(
    database: &Database,
    sql: &str,
    values: &[&str],
) -> Result<Vec<[String; N]>, Fault> {
    let values: Vec<_> = values.iter().map(|it| (*it).into()).collect();
    let rows = database.rows(sql, &values).await?;
    let mut texts = Vec::new();
    for row in rows {
        let mut columns = [const { String::new() }; N];
        for (index, column) in columns.iter_mut().enumerate() {
            *column = row.text(index)?;
        }
        texts.push(columns);
    }
    Ok(texts)
}
