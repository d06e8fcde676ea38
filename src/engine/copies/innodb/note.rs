//! The small table that says when, by which process and of which tables copies were taken, so that
//! the next run can use or drop what a killed one has left behind.
//!
//! Its comment says when and by whom: it is there from the beginning. Its rows are added while the
//! copies are taken, and the last one says that they are complete.

use serde::{Deserialize, Serialize};

use super::table::Table;
use super::triggers::Trigger;
use crate::engine::connection::Connection;
use crate::engine::copies::head::Head;
use crate::engine::copies::texts::texts;
use crate::engine::{Fault, Flavour};

/// The table's name.
const NAME: &str = "racy_copy_note";

/// What a note holds.
#[derive(Debug, Clone)]
pub(super) struct Note {
    /// None if the comment was not written by this program.
    pub(super) head: Option<Head>,
    pub(super) tables: Vec<Table>,
    pub(super) triggers: Vec<Trigger>,
    pub(super) is_complete: bool,
}

/// One row of the note, as JSON.
#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    Table(Table),
    Trigger(Trigger),
    Complete,
}

/// Makes a note that says who begins to take copies now.
pub(super) async fn begin(connection: &mut Connection) -> Result<(), Fault> {
    const NOW: &str = "SELECT CAST(UTC_TIMESTAMP() AS CHAR), CAST(USER() AS CHAR)";
    let now = texts(connection, NOW, &[]).await?.into_iter().next();
    let [taken_at, user] = now.unwrap_or_default();
    let head = Head {
        taken_at,
        process: std::process::id(),
        user,
    };
    let made = format!(
        "CREATE TABLE {NAME} (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
             entry LONGTEXT CHARACTER SET utf8mb4 NOT NULL) ENGINE = InnoDB COMMENT = {}",
        Flavour::MySql.quoted(&written(&head)?)
    );
    connection.command(&made).await
}

/// Notes a trigger, before it is made again.
pub(super) async fn add_trigger(
    connection: &mut Connection,
    trigger: &Trigger,
) -> Result<(), Fault> {
    add(connection, &Entry::Trigger(trigger.clone())).await
}

/// Notes a table whose copy is complete.
pub(super) async fn add_table(connection: &mut Connection, table: &Table) -> Result<(), Fault> {
    add(connection, &Entry::Table(table.clone())).await
}

/// Notes that all copies are complete.
pub(super) async fn complete(connection: &mut Connection) -> Result<(), Fault> {
    add(connection, &Entry::Complete).await
}

/// The note in this database. None if there is none.
pub(super) async fn read(connection: &mut Connection) -> Result<Option<Note>, Fault> {
    const COMMENT: &str = "SELECT CAST(table_comment AS CHAR) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = ?";
    let Some([comment]) = texts(connection, COMMENT, &[NAME])
        .await?
        .into_iter()
        .next()
    else {
        return Ok(None);
    };
    let mut note = Note {
        head: serde_json::from_str(&comment).ok(),
        tables: Vec::new(),
        triggers: Vec::new(),
        is_complete: false,
    };
    let entries = format!("SELECT CAST(entry AS CHAR) FROM {NAME} ORDER BY id");
    for [entry] in texts(connection, &entries, &[]).await? {
        let entry = serde_json::from_str(&entry);
        let entry = entry.map_err(|error| Fault::other(format!("{NAME} is damaged: {error}")))?;
        match entry {
            Entry::Table(table) => note.tables.push(table),
            Entry::Trigger(trigger) => note.triggers.push(trigger),
            Entry::Complete => note.is_complete = true,
        }
    }
    Ok(Some(note))
}

/// Drops all copies, and the note after them.
pub(super) async fn drop_all(connection: &mut Connection) -> Result<(), Fault> {
    const COPIES: &str = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name LIKE 'racy\\_copy\\_of\\_%'";
    for [copy] in texts(connection, COPIES, &[]).await? {
        let drop = format!("DROP TABLE IF EXISTS {}", Flavour::MySql.quoted_name(&copy));
        connection.command(&drop).await?;
    }
    let drop = format!("DROP TABLE IF EXISTS {NAME}");
    connection.command(&drop).await
}

async fn add(connection: &mut Connection, entry: &Entry) -> Result<(), Fault> {
    let added = format!("INSERT INTO {NAME} (entry) VALUES (?)");
    let entry = written(entry)?;
    connection.execute(&added, [entry.as_str()]).await?;
    Ok(())
}

fn written(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::other(error.to_string()))
}
