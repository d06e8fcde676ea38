//! SQLite.

use super::list;
use super::mentions::{Mentions, Writes};
use crate::engine::{Database, Fault, Flavour};

/// Copies the rows of the tables that clients can write to. Returns the statements that bring them
/// back, or None if rows are not all that there is.
pub(super) async fn rows(
    database: &Database,
    mentions: &Mentions,
) -> Result<Option<String>, Fault> {
    const MORE: &str = "SELECT 1 FROM sqlite_master WHERE type IN ('trigger', 'view') \
         OR (type = 'table' AND sql LIKE 'CREATE VIRTUAL%') LIMIT 1";
    if !database.rows(MORE, &[]).await?.is_empty() {
        return Ok(None);
    }
    // A foreign key may act on another table.
    let acts = "SELECT 1 FROM sqlite_master WHERE sql LIKE '% ON DELETE %' \
                OR sql LIKE '% ON UPDATE %' LIMIT 1";
    let acts_by_itself = !database.rows(acts, &[]).await?.is_empty();
    let mut back = Vec::new();
    for (number, table) in tables(database).await?.into_iter().enumerate() {
        if mentions.writes(&table, &[]) == Writes::Never && !acts_by_itself {
            continue;
        }
        let (name, copy) = (
            Flavour::Sqlite.quoted_name(&table),
            format!("racy_beginning_{number}"),
        );
        let columns = list(&columns(database, &table).await?, Flavour::Sqlite);
        let made = format!("CREATE TABLE {copy} AS SELECT {columns} FROM {name}");
        database.command(&made).await?;
        back.push(format!("DELETE FROM {name}"));
        back.push(format!(
            "INSERT INTO {name} ({columns}) SELECT {columns} FROM {copy} ORDER BY rowid"
        ));
    }
    if back.is_empty() {
        return Ok(Some(String::new()));
    }
    let counters = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'";
    if !database.rows(counters, &[]).await?.is_empty() {
        let made = "CREATE TABLE racy_beginning_counters AS SELECT name, seq FROM sqlite_sequence";
        database.command(made).await?;
        back.push("DELETE FROM sqlite_sequence".to_owned());
        back.push(
            "INSERT INTO sqlite_sequence (name, seq) SELECT name, seq FROM racy_beginning_counters"
                .to_owned(),
        );
    }
    Ok(Some(format!(
        "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE; {}; COMMIT",
        back.join("; ")
    )))
}

/// Drops all that is in the database.
pub(super) async fn drop_everything(database: &Database) -> Result<(), Fault> {
    const OBJECTS: &str = "SELECT 'DROP ' || type || ' \"' || replace(name, '\"', '\"\"') || '\"' \
         FROM sqlite_master WHERE type IN ('view', 'table') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         ORDER BY type DESC";
    let rows = database.rows(OBJECTS, &[]).await?;
    let drops: Vec<_> = rows.iter().map(|it| it.text(0)).collect::<Result<_, _>>()?;
    if drops.is_empty() {
        return Ok(());
    }
    let drops = drops.join("; ");
    database
        .command(&format!(
            "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE; {drops}; COMMIT"
        ))
        .await
}

async fn tables(database: &Database) -> Result<Vec<String>, Fault> {
    const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let rows = database.rows(TABLES, &[]).await?;
    rows.iter().map(|it| it.text(0)).collect()
}

/// The columns that can be written.
async fn columns(database: &Database, table: &str) -> Result<Vec<String>, Fault> {
    const COLUMNS: &str =
        "SELECT name FROM pragma_table_xinfo(?) WHERE hidden NOT IN (2, 3) ORDER BY cid";
    let rows = database.rows(COLUMNS, &[table.into()]).await?;
    rows.iter().map(|it| it.text(0)).collect()
}
