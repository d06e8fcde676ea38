//! MySQL and MariaDB: what they are told and asked when a connection is opened.

use std::sync::Arc;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions as _, MySqlConnection};

use super::pool::{Pool, hang_up};
use super::{Address, Database, Engine, Fault, Flavour, OpenError, Pools, Settings};

pub(super) async fn connect(
    address: &MySqlConnectOptions,
    settings: &Settings,
) -> Result<Database, OpenError> {
    // A statement that waits for a lock is the lesson, and the timeline shows it: no warning in the log.
    let options = address.clone().disable_statement_logging();
    if settings.snapshot_isolation.is_some() {
        // Before a connection is told to switch what it may not have.
        let mut connection = options.connect().await?;
        let known = snapshot_isolation(&mut connection).await?;
        hang_up(connection).await;
        known.ok_or(OpenError::SnapshotIsolation)?;
    }
    let pool = Pool::new(
        options,
        greeting(settings),
        settings.connections,
        settings.acquire_timeout,
    );
    let mut connection = pool.acquire().await?;
    let engine = ask(connection.get()?).await?;
    let most_connections = sqlx::query_scalar("SELECT CAST(@@max_connections AS SIGNED)")
        .fetch_one(connection.get()?)
        .await?;
    connection.give_back();
    Ok(Database {
        address: Address::MySql(Box::new(address.clone())),
        settings: *settings,
        engine,
        pools: Pools::MySql(pool),
        most_connections: Some(most_connections),
        looks: Arc::default(),
    })
}

/// What every new connection is told, in one round trip. Set for the session and not for each
/// transaction, so that it holds for strategies in autocommit as well.
fn greeting(settings: &Settings) -> String {
    let mut statements = Vec::new();
    if let Some(level) = settings.isolation {
        let level = level.sql();
        statements.push(format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"));
    }
    if let Some(seconds) = settings.lock_wait_timeout {
        statements.push(format!("SET SESSION innodb_lock_wait_timeout = {seconds}"));
    }
    if let Some(on) = settings.snapshot_isolation {
        statements.push(format!("SET SESSION innodb_snapshot_isolation = {on}"));
    }
    statements.join("; ")
}

async fn ask(connection: &mut MySqlConnection) -> Result<Engine, OpenError> {
    let version: String = sqlx::query_scalar("SELECT VERSION()")
        .fetch_one(&mut *connection)
        .await?;
    let flavour = if version.contains("MariaDB") {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    };
    // MariaDB before 11.1 knows only the older name of the variable.
    let isolation: String = sqlx::query_scalar(match flavour {
        Flavour::MariaDb => "SELECT @@tx_isolation",
        _ => "SELECT @@transaction_isolation",
    })
    .fetch_one(&mut *connection)
    .await?;
    let rolls_back_on_timeout: i64 =
        sqlx::query_scalar("SELECT CAST(@@innodb_rollback_on_timeout AS SIGNED)")
            .fetch_one(&mut *connection)
            .await?;
    let snapshot_isolation = snapshot_isolation(connection).await?;
    Ok(Engine {
        flavour,
        version,
        isolation: isolation
            .parse()
            .map_err(|message: String| Fault::other(message))?,
        snapshot_isolation: snapshot_isolation == Some(true),
        rolls_back_on_timeout: rolls_back_on_timeout == 1,
        can_switch_snapshot_isolation: snapshot_isolation.is_some(),
        journal: None,
    })
}

/// MariaDB's `innodb_snapshot_isolation`; none where the server does not know it.
async fn snapshot_isolation(connection: &mut MySqlConnection) -> sqlx::Result<Option<bool>> {
    let found: Option<(String, String)> =
        sqlx::query_as("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'")
            .fetch_optional(connection)
            .await?;
    Ok(found.map(|(_, value)| value == "ON"))
}
