//! PostgreSQL.

use super::list;
use super::mentions::{Mentions, Writes};
use crate::engine::connection::Row;
use crate::engine::{Database, Fault, Flavour};

/// A table of the set-up's.
struct Table {
    /// Its number in the catalogue.
    number: i64,
    /// Its name with its schema, in quotes.
    full_name: String,
    name: String,
    /// The columns that can be written.
    columns: Vec<String>,
    /// The tables that its foreign keys refer to.
    parents: Vec<i64>,
}

/// Schemas that are not the engine's own.
const OURS: &str = "n.nspname NOT LIKE 'pg\\_%' \
                    AND n.nspname NOT IN ('information_schema', 'racy_beginning')";

/// Copies the rows of the tables that clients can write to. Returns the statements that bring them
/// back, or None if rows are not all that there is.
pub(super) async fn rows(
    database: &Database,
    mentions: &Mentions,
) -> Result<Option<String>, Fault> {
    if has_more_than_tables(database).await? {
        return Ok(None);
    }
    let tables = tables(database).await?;
    let Some(tables) = parents_first(tables) else {
        return Ok(None);
    };
    // A table that others refer to is truncated together with them.
    let has_keys = tables.iter().any(|it| !it.parents.is_empty());
    let is_written = |table: &&Table| mentions.writes(&table.name, &[]) != Writes::Never;
    let any = tables.iter().any(|it| is_written(&it));
    let written: Vec<_> = tables
        .iter()
        .filter(|it| is_written(it) || (has_keys && any))
        .collect();
    let mut back = Vec::new();
    if !written.is_empty() {
        let names: Vec<_> = written.iter().map(|it| it.full_name.as_str()).collect();
        back.push(format!("TRUNCATE {}", names.join(", ")));
        database.command("CREATE SCHEMA racy_beginning").await?;
    }
    for table in written {
        let (name, columns) = (&table.full_name, list(&table.columns, Flavour::Postgres));
        let copy = format!("racy_beginning.t{}", table.number);
        database
            .command(&format!("CREATE TABLE {copy} AS TABLE {name}"))
            .await?;
        if !database
            .rows(&format!("SELECT 1 FROM {copy} LIMIT 1"), &[])
            .await?
            .is_empty()
        {
            back.push(format!(
                "INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {copy}"
            ));
        }
    }
    back.extend(sequences_back(database).await?);
    Ok(Some(back.join("; ")))
}

/// Drops all that is in the database.
pub(super) async fn drop_everything(database: &Database) -> Result<(), Fault> {
    const SCHEMAS: &str = "SELECT CAST(quote_ident(nspname) AS TEXT) FROM pg_namespace \
         WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'";
    let mut statements = Vec::new();
    for row in database.rows(SCHEMAS, &[]).await? {
        statements.push(format!("DROP SCHEMA {} CASCADE", row.text(0)?));
    }
    statements.push("SELECT lo_unlink(oid) FROM pg_largeobject_metadata".to_owned());
    statements.push("CREATE SCHEMA public".to_owned());
    database.command(&statements.join("; ")).await
}

/// Whether there is something that rows alone do not bring back, that acts when rows are written,
/// or that leads to a table by another name, as a view does.
async fn has_more_than_tables(database: &Database) -> Result<bool, Fault> {
    let more = format!(
        "SELECT CAST(1 AS BIGINT) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE {OURS} AND (c.relkind IN ('p', 'm', 'f', 'v') OR c.relispartition) \
         UNION ALL SELECT 1 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
             WHERE {OURS} \
         UNION ALL SELECT 1 FROM pg_trigger WHERE NOT tgisinternal \
         UNION ALL SELECT 1 FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_class >= 16384 \
         UNION ALL SELECT 1 FROM pg_inherits \
         LIMIT 1"
    );
    Ok(!database.rows(&more, &[]).await?.is_empty())
}

async fn tables(database: &Database) -> Result<Vec<Table>, Fault> {
    let sql = format!(
        "SELECT CAST(c.oid AS BIGINT), \
                CAST(quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS TEXT), \
                CAST(c.relname AS TEXT) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {OURS} AND c.relkind = 'r' ORDER BY c.oid"
    );
    const COLUMNS: &str = "SELECT CAST(attname AS TEXT) FROM pg_attribute \
         WHERE CAST(attrelid AS BIGINT) = ? AND attnum > 0 AND NOT attisdropped \
           AND attgenerated = '' ORDER BY attnum";
    const PARENTS: &str = "SELECT CAST(confrelid AS BIGINT) FROM pg_constraint \
         WHERE contype = 'f' AND CAST(conrelid AS BIGINT) = ? AND confrelid <> conrelid";
    let mut tables = Vec::new();
    for row in database.rows(&sql, &[]).await? {
        let number = row.integer(0)?;
        let columns = database.rows(COLUMNS, &[number.into()]).await?;
        let parents = database.rows(PARENTS, &[number.into()]).await?;
        tables.push(Table {
            number,
            full_name: row.text(1)?,
            name: row.text(2)?,
            columns: columns
                .iter()
                .map(|it| it.text(0))
                .collect::<Result<_, _>>()?,
            parents: parents
                .iter()
                .map(|it| it.integer(0))
                .collect::<Result<_, _>>()?,
        });
    }
    Ok(tables)
}

/// The tables in an order in which their rows can be inserted. None if they refer to each other in
/// a circle.
fn parents_first(mut tables: Vec<Table>) -> Option<Vec<Table>> {
    let mut ordered: Vec<Table> = Vec::new();
    while !tables.is_empty() {
        let is_placed = |parent: &i64| ordered.iter().any(|it| it.number == *parent);
        let next = tables
            .iter()
            .position(|it| it.parents.iter().all(is_placed))?;
        ordered.push(tables.remove(next));
    }
    Some(ordered)
}

/// Sets all sequences back. None if there are none.
async fn sequences_back(database: &Database) -> Result<Option<String>, Fault> {
    let sql = format!(
        "SELECT CAST(quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS TEXT) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {OURS} AND c.relkind = 'S' ORDER BY c.oid"
    );
    let mut calls = Vec::new();
    for row in database.rows(&sql, &[]).await? {
        let name = row.text(0)?;
        let state = format!("SELECT last_value, CAST(is_called AS TEXT) FROM {name}");
        if let Some(state) = database.rows(&state, &[]).await?.first() {
            calls.push(set_sequence(&name, state)?);
        }
    }
    Ok((!calls.is_empty()).then(|| format!("SELECT {}", calls.join(", "))))
}

fn set_sequence(name: &str, state: &Row) -> Result<String, Fault> {
    let quoted = Flavour::Postgres.quoted(name);
    Ok(format!(
        "setval({quoted}, {}, {})",
        state.integer(0)?,
        state.text(1)?
    ))
}
