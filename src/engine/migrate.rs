//! Brings the schema up to date. Of several instances, the first one migrates while the others
//! wait.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Connection as _, MySql, MySqlConnection, PgConnection, Postgres, Sqlite,
    Transaction,
};
use tokio::time::{Instant, sleep};

use super::connection::answered;
use super::migrations::{self, KEYED_TABLES, KEYLESS, NOTES, foreign_table, migrator};
use super::pool::{Pool, hang_up};
use super::schema::{self, SchemaGap};
use super::sqlite_file::what_is_foreign;
use super::{Fault, FaultKind, OpenError};

/// How long an instance waits for another one that migrates.
const LOCK_SECONDS: i64 = 60;

/// How long the lock and the checks before a migration may take. The migrations themselves have no
/// limit, because a change to a large table may take long.
const CHECKS_WITHIN: Duration = Duration::from_secs(LOCK_SECONDS.cast_unsigned() + 10);

/// How the schema differs from the one that this program works on.
pub(super) async fn mysql_gap(pool: &Pool<MySql>) -> Result<Option<SchemaGap>, OpenError> {
    let mut connection = pool.acquire().await?;
    let applied = schema::applied_on_mysql(connection.get()?).await?;
    connection.give_back();
    Ok(schema::gap(&migrator(migrations::MYSQL), &applied))
}

/// How the schema differs from the one that this program works on.
pub(super) async fn postgres_gap(pool: &Pool<Postgres>) -> Result<Option<SchemaGap>, OpenError> {
    let mut connection = pool.acquire().await?;
    let applied = schema::applied_on_postgres(connection.get()?).await?;
    connection.give_back();
    Ok(schema::gap(&migrator(migrations::POSTGRES), &applied))
}

/// The pause before SQLite is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// How the schema differs from the one that this program works on.
pub(super) async fn sqlite_gap(pool: &Pool<Sqlite>) -> Result<Option<SchemaGap>, OpenError> {
    let mut connection = pool.acquire().await?;
    let deadline = Instant::now() + CHECKS_WITHIN;
    let applied = loop {
        let applied = schema::applied_on_sqlite(connection.get()?).await;
        match applied.map_err(Fault::from) {
            Ok(applied) => break applied,
            // Another instance migrates, or closes the file as its last user.
            Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                sleep(PAUSE).await;
            }
            Err(fault) => return Err(fault.into()),
        }
    };
    connection.give_back();
    Ok(schema::gap(&migrator(migrations::SQLITE), &applied))
}

// All of these use `run_direct`, because the bounds of `run` keep the future from being `Send`.

/// Migrates under a named lock. sqlx has a lock of its own, which is not used: it waits without
/// limit, which it spells in a way that MariaDB understands as "not at all".
pub(super) async fn mysql(pool: &Pool<MySql>) -> Result<(), OpenError> {
    // Detached from the pool, so that the lock ends with the connection, whatever happens.
    let mut connection = pool.acquire().await?.detach()?;
    answered(Some(CHECKS_WITHIN), async {
        lock_mysql(&mut connection).await?;
        forget_half_a_migration(&mut connection).await
    })
    .await?;
    let mut migrations = migrator(migrations::MYSQL);
    let migrations = migrations.set_locking(false);
    let before = Some(KEYLESS - 1);
    migrations
        .run_direct(before, &mut connection, false)
        .await?;
    sqlx::raw_sql(KEYED_TABLES).execute(&mut connection).await?;
    migrations.run_direct(None, &mut connection, false).await?;
    hang_up(connection).await;
    Ok(())
}

async fn lock_mysql(connection: &mut MySqlConnection) -> Result<(), OpenError> {
    // The name of a lock holds for the whole server, not for the database. It has at most 64
    // characters.
    let locked: Option<i64> = sqlx::query_scalar(
        "SELECT CAST(GET_LOCK(CONCAT('racy ', SHA2(DATABASE(), 224)), ?) AS SIGNED)",
    )
    .bind(LOCK_SECONDS)
    .fetch_one(connection)
    .await?;
    if locked == Some(1) {
        Ok(())
    } else {
        Err(another_instance_takes_too_long())
    }
}

fn another_instance_takes_too_long() -> OpenError {
    OpenError::Migrate(format!(
        "another instance has been migrating it for {LOCK_SECONDS} seconds"
    ))
}

/// Makes a migration that was cut off run again. InnoDB commits every CREATE TABLE by itself, so a
/// signal or a crash can end a migration half way. Ours can be repeated: the note that one was
/// begun is removed.
async fn forget_half_a_migration(connection: &mut MySqlConnection) -> Result<(), OpenError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(LOWER(table_name) AS CHAR) FROM information_schema.tables \
         WHERE table_schema = DATABASE()",
    )
    .fetch_all(&mut *connection)
    .await?;
    if !tables.iter().any(|table| table == NOTES) {
        return refuse_foreign_tables(migrations::MYSQL, &tables);
    }
    for ours in migrator(migrations::MYSQL).iter() {
        sqlx::query(
            "DELETE FROM _sqlx_migrations WHERE success = FALSE AND version = ? AND checksum = ?",
        )
        .bind(ours.version)
        .bind(ours.checksum.as_ref())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Refuses a database without notes of migrations that has a table by the name of one of ours: the
/// table is another program's. `tables` are all tables of the database.
fn refuse_foreign_tables(
    migrations: migrations::Migrations,
    tables: &[String],
) -> Result<(), OpenError> {
    match foreign_table(migrations, tables) {
        None => Ok(()),
        Some(table) => Err(OpenError::Migrate(format!(
            "it has a table {table} that Racy did not make; give Racy a database of its own"
        ))),
    }
}

/// Migrates in one transaction, so that no migration can be cut off half way. An advisory lock ends
/// with the transaction.
pub(super) async fn postgres(pool: &Pool<Postgres>) -> Result<(), OpenError> {
    // At another level the snapshot would be taken before the lock, and would not show what another
    // instance has migrated in the meantime.
    const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

    let is_pooled = pool.greeting().is_pooled();
    let beginning = pool.greeting().behind_a_pooler.clone();
    let mut connection = pool.acquire().await?.detach()?;
    let begin = match beginning.filter(|_| is_pooled) {
        // sqlx prepares statements under names that another client may have left there.
        Some(beginning) => format!("{}; DEALLOCATE ALL", beginning.spell(BEGIN)),
        None => BEGIN.to_owned(),
    };
    let ready = begin_and_check(&mut connection, begin);
    let mut transaction = answered(Some(CHECKS_WITHIN), ready).await?;
    migrator(migrations::POSTGRES)
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

async fn begin_and_check(
    connection: &mut PgConnection,
    begin: String,
) -> Result<Transaction<'_, Postgres>, OpenError> {
    let mut transaction = connection.begin_with(AssertSqlSafe(begin)).await?;
    lock_postgres(&mut transaction).await?;
    check_tables(&mut transaction).await?;
    Ok(transaction)
}

async fn lock_postgres(connection: &mut PgConnection) -> Result<(), OpenError> {
    // The session's own lock timeout is meant for rows.
    sqlx::query("SELECT set_config('lock_timeout', $1, true)")
        .bind(format!("{LOCK_SECONDS}s"))
        .execute(&mut *connection)
        .await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK_NUMBER)
        .execute(connection)
        .await
        .map_err(|error| match Fault::from(error) {
            fault if fault.kind == FaultKind::LockTimeout => another_instance_takes_too_long(),
            fault => fault.into(),
        })?;
    Ok(())
}

/// The number of the advisory lock, within the database. It spells "racy" in ASCII.
const LOCK_NUMBER: i64 = 0x7261_6379;

/// Checks the schema in which the migrations would make their tables: the first one of the search
/// path.
async fn check_tables(connection: &mut PgConnection) -> Result<(), OpenError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()",
    )
    .fetch_all(connection)
    .await?;
    if tables.iter().any(|table| table == NOTES) {
        return Ok(());
    }
    refuse_foreign_tables(migrations::POSTGRES, &tables)
}

/// Migrates in one transaction, which is also the lock: SQLite has no named locks.
pub(super) async fn sqlite(pool: &Pool<Sqlite>) -> Result<(), OpenError> {
    let mut connection = pool.acquire().await?.detach()?;
    let busy_timeout = format!("PRAGMA busy_timeout = {}", 1000 * LOCK_SECONDS);
    sqlx::raw_sql(AssertSqlSafe(busy_timeout))
        .execute(&mut connection)
        .await?;
    // While another instance closes the file as its last user, SQLite refuses at once: no busy
    // timeout covers that.
    let deadline = Instant::now() + Duration::from_secs(LOCK_SECONDS.cast_unsigned());
    let mut transaction = loop {
        match connection
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(Fault::from)
        {
            Ok(transaction) => break transaction,
            Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                sleep(PAUSE).await;
            }
            Err(fault) => return Err(fault.into()),
        }
    };
    // Another program may have used the file since it was opened.
    if let Some(why) = what_is_foreign(&mut transaction).await? {
        return Err(OpenError::Migrate(format!(
            "{why}; give Racy a database of its own"
        )));
    }
    migrator(migrations::SQLITE)
        .run_direct(None, &mut *transaction, false)
        .await?;
    transaction.commit().await?;
    hang_up(connection).await;
    Ok(())
}
