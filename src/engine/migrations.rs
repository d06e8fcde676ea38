//! The migrations of each engine, as plain data. Applied ones are never edited.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// One engine's migrations in order: number, description and SQL.
pub(super) type Migrations = &'static [(i64, &'static str, &'static str)];

/// The migrations in the folder of one engine. All engines have the same numbers.
macro_rules! migrations_of {
    ($engine:literal) => {
        &[
            migration_of!($engine, 1, "deposits", "/0001_deposits.sql"),
            migration_of!($engine, 2, "keeper", "/0002_keeper.sql"),
            migration_of!($engine, 3, "cures", "/0003_cures.sql"),
            migration_of!($engine, 4, "changed at", "/0004_changed_at.sql"),
            migration_of!($engine, 5, "idempotency keys", "/0005_idempotency_keys.sql"),
            migration_of!($engine, 6, "orders", "/0006_orders.sql"),
            migration_of!($engine, 7, "row numbers", "/0007_row_numbers.sql"),
            migration_of!($engine, 8, "console records", "/0008_console_records.sql"),
        ]
    };
}

macro_rules! migration_of {
    ($engine:literal, $number:literal, $description:literal, $file:literal) => {
        (
            $number,
            $description,
            include_str!(concat!("../../migrations/", $engine, $file)),
        )
    };
}

pub(super) const MYSQL: Migrations = migrations_of!("mysql");
pub(super) const POSTGRES: Migrations = migrations_of!("postgres");
pub(super) const SQLITE: Migrations = migrations_of!("sqlite");

/// The number of MySQL's migration that makes tables without a primary key. A server that demands
/// keys refuses it, unless [`KEYED_TABLES`] has made the same tables before, with a key. The
/// migration stays as it is, because it was applied elsewhere.
pub(super) const KEYLESS: i64 = 6;

/// Makes the tables of migration [`KEYLESS`] with a primary key.
pub(super) const KEYED_TABLES: &str = include_str!("../../migrations/mysql/before_0006.sql");

/// The table in which sqlx notes the migrations that were applied.
pub(super) const NOTES: &str = "_sqlx_migrations";

/// The migrations as sqlx takes them.
pub(super) fn migrator(migrations: Migrations) -> Migrator {
    let migrations = migrations.iter().map(|(number, description, sql)| {
        Migration::new(
            *number,
            (*description).into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

/// The first of these tables that the migrations would make. In a database without notes of
/// migrations, such a table is another program's.
pub(super) fn foreign_table(migrations: Migrations, tables: &[String]) -> Option<&'static str> {
    migrations
        .iter()
        .flat_map(|(.., sql)| tables_made_by(sql))
        .find(|made| tables.iter().any(|table| table == made))
}

/// The names of the tables that a migration creates. Each statement begins on a line of its own.
fn tables_made_by(sql: &'static str) -> impl Iterator<Item = &'static str> {
    sql.lines().filter_map(|line| {
        let name = line.strip_prefix("CREATE TABLE ")?;
        let name = name.strip_prefix("IF NOT EXISTS ").unwrap_or(name);
        name.split_whitespace().next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_any_migration_would_make_is_recognised() {
        for migrations in [MYSQL, POSTGRES, SQLITE] {
            for name in ["accounts", "users", "orders", "shipments"] {
                let tables = ["posts".to_owned(), name.to_owned()];
                assert_eq!(foreign_table(migrations, &tables), Some(name));
            }
            assert_eq!(foreign_table(migrations, &["posts".to_owned()]), None);
        }
    }
}
