//! How far a database's schema is, asked without writing anything. So a user who may not change the
//! schema can work on one that is up to date.

use std::fmt;

use sqlx::migrate::Migrator;
use sqlx::{MySqlConnection, PgConnection, SqliteConnection};

/// A migration that the database notes as begun or done: number, checksum, whether it was done.
pub(super) type Noted = (i64, Vec<u8>, bool);

/// Why a schema is not the one that this program works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaGap {
    /// Migrations that were not applied, or not to their end: number and description.
    Missing(Vec<(i64, String)>),
    /// Applied migrations that this program does not know: a newer one has been here.
    Newer(Vec<i64>),
    /// Migrations that were applied in another wording.
    Changed(Vec<i64>),
}

impl fmt::Display for SchemaGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(migrations) => {
                let names = migrations.iter();
                let names = names.map(|(number, description)| format!("{number} ({description})"));
                let names = names.collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "its schema is not up to date, and lacks: {names}. racy migrate applies them"
                )
            }
            Self::Newer(numbers) => write!(
                f,
                "its schema is not this program's: a newer one, or another, has applied {}. Run that one, \
                 or give Racy a database of its own",
                listed(numbers)
            ),
            Self::Changed(numbers) => write!(
                f,
                "its schema is not this program's: another has applied {} in another wording. Run that one, \
                 or give Racy a database of its own",
                listed(numbers)
            ),
        }
    }
}

fn listed(migrations: &[i64]) -> String {
    let names = migrations
        .iter()
        .map(|number| format!("migration {number}"));
    names.collect::<Vec<_>>().join(", ")
}

/// How the migrations that the database has noted differ from the program's; None if they do not. A
/// difference that migrating cannot mend comes first.
pub(super) fn gap(known: &Migrator, noted: &[Noted]) -> Option<SchemaGap> {
    let newer = noted.iter().map(|(number, ..)| *number);
    let newer: Vec<_> = newer
        .filter(|number| !known.version_exists(*number))
        .collect();
    if !newer.is_empty() {
        return Some(SchemaGap::Newer(newer));
    }
    let (mut changed, mut missing) = (Vec::new(), Vec::new());
    for ours in known.iter() {
        match noted.iter().find(|(number, ..)| *number == ours.version) {
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

/// What is noted in the database; nothing if it has no notes yet.
pub(super) async fn noted_on_mysql(connection: &mut MySqlConnection) -> sqlx::Result<Vec<Noted>> {
    let has_notes: i64 = sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = '_sqlx_migrations'",
    )
    .fetch_one(&mut *connection)
    .await?;
    match has_notes {
        0 => Ok(Vec::new()),
        _ => sqlx::query_as(NOTES).fetch_all(connection).await,
    }
}

/// What is noted in the schema in which the migrations would put their tables.
pub(super) async fn noted_on_postgres(connection: &mut PgConnection) -> sqlx::Result<Vec<Noted>> {
    let has_notes: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_tables \
         WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations')",
    )
    .fetch_one(&mut *connection)
    .await?;
    match has_notes {
        false => Ok(Vec::new()),
        true => sqlx::query_as(NOTES).fetch_all(connection).await,
    }
}

/// What is noted in the file.
pub(super) async fn noted_on_sqlite(connection: &mut SqliteConnection) -> sqlx::Result<Vec<Noted>> {
    let has_notes: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    match has_notes {
        0 => Ok(Vec::new()),
        _ => sqlx::query_as(NOTES).fetch_all(connection).await,
    }
}

const NOTES: &str = "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version";
