//! Compares a database's schema with the program's, without writing. So a user who may not change
//! the schema can work on one that is up to date.

use std::fmt;

use sqlx::migrate::Migrator;
use sqlx::{MySqlConnection, PgConnection, SqliteConnection};

/// A migration that is noted in the database: its number, its checksum, and whether it was applied
/// to its end.
pub(super) type AppliedMigration = (i64, Vec<u8>, bool);

/// Why a schema is not the one that this program works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaGap {
    /// These migrations were not applied, or not to their end: number and description.
    Missing(Vec<(i64, String)>),
    /// A newer program has applied migrations that this one does not know: their numbers.
    Newer(Vec<i64>),
    /// These migrations were applied in another wording: their numbers.
    Changed(Vec<i64>),
}

impl fmt::Display for SchemaGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(migrations) => {
                let names: Vec<_> = migrations
                    .iter()
                    .map(|(number, description)| format!("{number} ({description})"))
                    .collect();
                write!(
                    f,
                    "its schema is not up to date, and lacks: {}. racy migrate applies them",
                    names.join(", ")
                )
            }
            Self::Newer(numbers) => write!(
                f,
                "its schema is not this program's: a newer version or another program has applied \
                 {}. Run that one, or give Racy a database of its own",
                listed(numbers)
            ),
            Self::Changed(numbers) => write!(
                f,
                "its schema is not this program's: another program has applied {} in another \
                 wording. Run that one, or give Racy a database of its own",
                listed(numbers)
            ),
        }
    }
}

fn listed(migrations: &[i64]) -> String {
    let names: Vec<_> = migrations
        .iter()
        .map(|number| format!("migration {number}"))
        .collect();
    names.join(", ")
}

/// How the migrations noted in the database differ from the program's. None if they do not. Of
/// several differences, one that migrating cannot mend comes first.
pub(super) fn gap(known: &Migrator, applied: &[AppliedMigration]) -> Option<SchemaGap> {
    let newer: Vec<_> = applied
        .iter()
        .map(|(number, ..)| *number)
        .filter(|number| !known.version_exists(*number))
        .collect();
    if !newer.is_empty() {
        return Some(SchemaGap::Newer(newer));
    }
    let (mut changed, mut missing) = (Vec::new(), Vec::new());
    for ours in known.iter() {
        match applied.iter().find(|(number, ..)| *number == ours.version) {
            Some((number, checksum, _)) if checksum != ours.checksum.as_ref() => {
                changed.push(*number);
            }
            Some((.., true)) => {}
            Some((.., false)) | None => {
                missing.push((ours.version, ours.description.clone().into_owned()));
            }
        }
    }
    if !changed.is_empty() {
        return Some(SchemaGap::Changed(changed));
    }
    (!missing.is_empty()).then_some(SchemaGap::Missing(missing))
}

/// The migrations noted in the database. Empty if it has no notes yet.
pub(super) async fn applied_on_mysql(
    connection: &mut MySqlConnection,
) -> sqlx::Result<Vec<AppliedMigration>> {
    let has_notes: i64 = sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = '_sqlx_migrations'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if has_notes == 0 {
        return Ok(Vec::new());
    }
    sqlx::query_as(READ_NOTES).fetch_all(connection).await
}

/// The migrations noted in the schema in which the migrations would make their tables.
pub(super) async fn applied_on_postgres(
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<AppliedMigration>> {
    let has_notes: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_tables \
         WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !has_notes {
        return Ok(Vec::new());
    }
    sqlx::query_as(READ_NOTES).fetch_all(connection).await
}

/// The migrations noted in the file.
pub(super) async fn applied_on_sqlite(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Vec<AppliedMigration>> {
    let has_notes: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    if has_notes == 0 {
        return Ok(Vec::new());
    }
    sqlx::query_as(READ_NOTES).fetch_all(connection).await
}

/// Reads the notes.
const READ_NOTES: &str = "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version";
