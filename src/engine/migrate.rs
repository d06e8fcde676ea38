//! The schema, brought up to date by whichever instance comes first, while the others wait.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{
    AssertSqlSafe, Connection as _, MySql, MySqlConnection, PgConnection, Postgres,
    SqlSafeStr as _, Sqlite,
};

use super::pool::{Pool, hang_up};
use super::schema::{self, SchemaGap};
use super::sqlite_file::what_is_foreign;
use super::{Fault, FaultKind, OpenError};

/// One engine's migrations: number, description and SQL, in order. Applied ones are never edited.
type Migrations = &'static [(i64, &'static str, &'static str)];

const MYSQL_MIGRATIONS: Migrations = &[
    (
        1,
        "deposits",
        include_str!("../../migrations/mysql/0001_deposits.sql"),
    ),
    (
        2,
        "keeper",
        include_str!("../../migrations/mysql/0002_keeper.sql"),
    ),
    (
        3,
        "cures",
        include_str!("../../migrations/mysql/0003_cures.sql"),
    ),
    (
        4,
        "changed at",
        include_str!("../../migrations/mysql/0004_changed_at.sql"),
    ),
    (
        5,
        "idempotency keys",
        include_str!("../../migrations/mysql/0005_idempotency_keys.sql"),
    ),
    (
        6,
        "orders",
        include_str!("../../migrations/mysql/0006_orders.sql"),
    ),
    (
        7,
        "row numbers",
        include_str!("../../migrations/mysql/0007_row_numbers.sql"),
    ),
];

const POSTGRES_MIGRATIONS: Migrations = &[
    (
        1,
        "deposits",
        include_str!("../../migrations/postgres/0001_deposits.sql"),
    ),
    (
        2,
        "keeper",
        include_str!("../../migrations/postgres/0002_keeper.sql"),
    ),
    (
        3,
        "cures",
        include_str!("../../migrations/postgres/0003_cures.sql"),
    ),
    (
        4,
        "changed at",
        include_str!("../../migrations/postgres/0004_changed_at.sql"),
    ),
    (
        5,
        "idempotency keys",
        include_str!("../../migrations/postgres/0005_idempotency_keys.sql"),
    ),
    (
        6,
        "orders",
        include_str!("../../migrations/postgres/0006_orders.sql"),
    ),
    (
        7,
        "row numbers",
        include_str!("../../migrations/postgres/0007_row_numbers.sql"),
    ),
];

const SQLITE_MIGRATIONS: Migrations = &[
    (
        1,
        "deposits",
        include_str!("../../migrations/sqlite/0001_deposits.sql"),
    ),
    (
        2,
        "keeper",
        include_str!("../../migrations/sqlite/0002_keeper.sql"),
    ),
    (
        3,
        "cures",
        include_str!("../../migrations/sqlite/0003_cures.sql"),
    ),
    (
        4,
        "changed at",
        include_str!("../../migrations/sqlite/0004_changed_at.sql"),
    ),
    (
        5,
        "idempotency keys",
        include_str!("../../migrations/sqlite/0005_idempotency_keys.sql"),
    ),
    (
        6,
        "orders",
        include_str!("../../migrations/sqlite/0006_orders.sql"),
    ),
    (
        7,
        "row numbers",
        include_str!("../../migrations/sqlite/0007_row_numbers.sql"),
    ),
];

/// MySQL's migration that makes tables without a primary key. Servers that want one refuse it,
/// unless [`KEYED_TABLES`] has made the same tables before, with a key. It stays as it was applied
/// elsewhere.
const KEYLESS_MIGRATION: i64 = 6;

const KEYED_TABLES: &str = include_str!("../../migrations/mysql/before_0006.sql");

/// What lies between the schema and what this program works on.
pub(super) async fn mysql_gap(pool: &Pool<MySql>) -> Result<Option<SchemaGap>, OpenError> {
    let mut connection = pool.acquire().await?;
    let noted = schema::noted_on_mysql(connection.get()?).await?;
    connection.give_back();
    Ok(schema::gap(&migrations(MYSQL_MIGRATIONS), &noted))
}

/// What lies between the schema and what this program works on.
pub(super) async fn postgres_gap(pool: &Pool<Postgres>) -> Result<Option<SchemaGap>, OpenError> {
    let mut connection = pool.acquire().await?;
    let noted = schema::noted_on_postgres(connection.get()?).await?;
    connection.give_back();
    Ok(schema::gap(&migrations(POSTGRES_MIGRATIONS), &noted))
}

/// What lies between the schema and what this program works on.
pub(super) async fn sqlite_gap(pool: &Pool<Sqlite>) -> Result<Option<SchemaGap>, OpenError> {
    let mut connection = pool.acquire().await?;
    let noted = schema::noted_on_sqlite(connection.get()?).await?;
    connection.give_back();
    Ok(schema::gap(&migrations(SQLITE_MIGRATIONS), &noted))
}

// All of these use `run_direct`, because the bounds of `run` keep the future from being `Send`.

/// One instance migrates and the others wait, by a named lock. sqlx's own waits for ever, which it
/// spells in a way that MariaDB takes for "not at all".
pub(super) async fn mysql(pool: &Pool<MySql>) -> Result<(), OpenError> {
    // Not one of the pool's any more: whatever happens, the lock goes when the connection does.
    let mut connection = pool.acquire().await?.detach()?;
    // A lock's name is the server's, not the database's, and at most 64 characters long.
    let locked: Option<i64> = sqlx::query_scalar(
        "SELECT CAST(GET_LOCK(CONCAT('racy ', SHA2(DATABASE(), 224)), ?) AS SIGNED)",
    )
    .bind(MIGRATION_LOCK_SECONDS)
    .fetch_one(&mut connection)
    .await?;
    if locked != Some(1) {
        return Err(others_take_too_long());
    }
    forget_half_a_migration(&mut connection).await?;
    let mut migrations = migrations(MYSQL_MIGRATIONS);
    let migrations = migrations.set_locking(false);
    let before = Some(KEYLESS_MIGRATION - 1);
    migrations
        .run_direct(before, &mut connection, false)
        .await?;
    sqlx::raw_sql(KEYED_TABLES).execute(&mut connection).await?;
    migrations.run_direct(None, &mut connection, false).await?;
    hang_up(connection).await;
    Ok(())
}

/// How long an instance waits for another one that migrates.
const MIGRATION_LOCK_SECONDS: i64 = 60;

fn others_take_too_long() -> OpenError {
    OpenError::Migrate(format!(
        "another instance has been at it for {MIGRATION_LOCK_SECONDS} seconds"
    ))
}

/// InnoDB commits every CREATE TABLE by itself, so that a migration can be cut off half way, by a
/// signal or a crash. Ours can be repeated: the note that one was begun is removed, and it is run
/// again. Tables that were there before any note are somebody else's, and are left alone.
async fn forget_half_a_migration(connection: &mut MySqlConnection) -> Result<(), OpenError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
         WHERE table_schema = DATABASE() \
         AND table_name IN ('_sqlx_migrations', 'accounts', 'transactions')",
    )
    .fetch_all(&mut *connection)
    .await?;
    if tables.iter().any(|table| table == "_sqlx_migrations") {
        for ours in migrations(MYSQL_MIGRATIONS).iter() {
            sqlx::query(
                "DELETE FROM _sqlx_migrations \
                 WHERE success = FALSE AND version = ? AND checksum = ?",
            )
            .bind(ours.version)
            .bind(ours.checksum.as_ref())
            .execute(&mut *connection)
            .await?;
        }
        return Ok(());
    }
    refuse_somebody_elses(&tables)
}

/// `tables` are those of our names in a database in which no migration was ever noted.
fn refuse_somebody_elses(tables: &[String]) -> Result<(), OpenError> {
    match tables.first() {
        None => Ok(()),
        Some(table) => Err(OpenError::Migrate(format!(
            "it has a table {table} that Racy did not make; give Racy a database of its own"
        ))),
    }
}

/// One transaction around all migrations, so that none can be cut off half way, and an advisory lock
/// that goes with it.
pub(super) async fn postgres(pool: &Pool<Postgres>) -> Result<(), OpenError> {
    let is_pooled = pool.greeting().is_pooled();
    let beginning = pool.greeting().behind_a_pooler.clone();
    let mut connection = pool.acquire().await?.detach()?;
    // READ COMMITTED, because a snapshot would be taken before the lock is there, and would not show
    // what another instance has migrated in the meantime.
    const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    let begin = match beginning.filter(|_| is_pooled) {
        // sqlx prepares statements under names that another client may have left there.
        Some(beginning) => format!("{}; DEALLOCATE ALL", beginning.spell(BEGIN)),
        None => BEGIN.to_owned(),
    };
    let mut transaction = connection.begin_with(AssertSqlSafe(begin)).await?;
    wait_for_other_instances(&mut transaction).await?;
    look_for_somebody_elses_tables(&mut transaction).await?;
    migrations(POSTGRES_MIGRATIONS)
        .set_locking(false)
        .run_direct(None, &mut *transaction, false)
        .await?;
    if is_pooled {
        sqlx::raw_sql("DEALLOCATE ALL")
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    hang_up(connection).await;
    Ok(())
}

async fn wait_for_other_instances(connection: &mut PgConnection) -> Result<(), OpenError> {
    // The session's own lock timeout is about rows.
    sqlx::query("SELECT set_config('lock_timeout', $1, true)")
        .bind(format!("{MIGRATION_LOCK_SECONDS}s"))
        .execute(&mut *connection)
        .await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(connection)
        .await
        .map_err(|error| match Fault::from(error) {
            fault if fault.kind == FaultKind::LockTimeout => others_take_too_long(),
            fault => fault.into(),
        })?;
    Ok(())
}

/// A lock's number is the database's. This one spells "racy" in ASCII.
const MIGRATION_LOCK: i64 = 0x7261_6379;

/// Looks where the migrations would put theirs: into the first schema of the search path.
async fn look_for_somebody_elses_tables(connection: &mut PgConnection) -> Result<(), OpenError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema() \
         AND tablename IN ('_sqlx_migrations', 'accounts', 'transactions')",
    )
    .fetch_all(connection)
    .await?;
    if tables.iter().any(|table| table == "_sqlx_migrations") {
        return Ok(());
    }
    refuse_somebody_elses(&tables)
}

/// SQLite has no named locks: there a transaction around all migrations does the same.
pub(super) async fn sqlite(pool: &Pool<Sqlite>) -> Result<(), OpenError> {
    let mut connection = pool.acquire().await?.detach()?;
    let patience = format!("PRAGMA busy_timeout = {}", 1000 * MIGRATION_LOCK_SECONDS);
    sqlx::raw_sql(AssertSqlSafe(patience))
        .execute(&mut connection)
        .await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another program may have come since the file was opened.
    if let Some(why) = what_is_foreign(&mut transaction).await? {
        return Err(OpenError::Migrate(format!(
            "{why}; give Racy a database of its own"
        )));
    }
    migrations(SQLITE_MIGRATIONS)
        .run_direct(None, &mut *transaction, false)
        .await?;
    transaction.commit().await?;
    hang_up(connection).await;
    Ok(())
}

/// Whether the migrations that a SQLite database notes begin with ours. One that notes none is no
/// other program's, and counts as ours.
pub(super) fn is_ours(applied: &[(i64, Vec<u8>)]) -> bool {
    let ours = migrations(SQLITE_MIGRATIONS);
    let is_ours = |(version, checksum): &(i64, Vec<u8>)| {
        let mut ours = ours.iter();
        ours.any(|it| it.version == *version && it.checksum.as_ref() == checksum.as_slice())
    };
    applied.first().is_none_or(is_ours)
}

fn migrations(migrations: Migrations) -> Migrator {
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
