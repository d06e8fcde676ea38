//! The schema of the copies, with a small table that says when, by which process and of which
//! tables they were taken, so that the next run can use or drop what a killed one has left behind.

use serde::{Deserialize, Serialize};

use super::Kept;
use crate::engine::Fault;
use crate::engine::connection::Connection;
use crate::engine::copies::head::Head;
use crate::engine::copies::texts::texts;

/// What the note holds, as JSON.
#[derive(Serialize, Deserialize)]
struct Note<K> {
    head: Head,
    kept: K,
}

/// Makes the schema. Nobody else may have made one of that name.
pub(super) async fn make_room(connection: &mut Connection) -> Result<(), Fault> {
    connection.command("CREATE SCHEMA racy_copy").await
}

/// Notes what was copied, and by whom.
pub(super) async fn write(connection: &mut Connection, kept: &Kept) -> Result<(), Fault> {
    const NOW: &str = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), \
         CAST(current_user AS TEXT)";
    let now = texts(connection, NOW, &[]).await?.into_iter().next();
    let [taken_at, user] = now.unwrap_or_default();
    let head = Head {
        taken_at,
        process: std::process::id(),
        user,
    };
    let note = serde_json::to_string(&Note { head, kept });
    let note = note.map_err(|error| Fault::other(error.to_string()))?;
    connection
        .command("CREATE TABLE racy_copy.note (entry TEXT NOT NULL)")
        .await?;
    let insert = "INSERT INTO racy_copy.note VALUES ($1)";
    connection.execute(insert, [note.as_str()]).await?;
    Ok(())
}

/// The note in this database. None if there is none.
pub(super) async fn read(connection: &mut Connection) -> Result<Option<(Head, Kept)>, Fault> {
    const IS_THERE: &str = "SELECT CAST(c.relname AS TEXT) FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'racy_copy' AND c.relname = 'note'";
    const NOTE: &str = "SELECT entry FROM racy_copy.note";
    let found: Vec<[String; 1]> = texts(connection, IS_THERE, &[]).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let note = texts(connection, NOTE, &[]).await?.into_iter().next();
    let [note] = note.unwrap_or_default();
    let note: Note<Kept> = serde_json::from_str(&note)
        .map_err(|error| Fault::other(format!("racy_copy.note is damaged: {error}")))?;
    Ok(Some((note.head, note.kept)))
}

/// Drops all copies with the note.
pub(super) async fn drop_all(connection: &mut Connection) -> Result<(), Fault> {
    let drop = "BEGIN; SET LOCAL lock_timeout = '1s'; SET LOCAL client_min_messages = warning; \
                DROP SCHEMA IF EXISTS racy_copy CASCADE; COMMIT";
    connection.command(drop).await
}
