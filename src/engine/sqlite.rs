//! SQLite: how its file is opened.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, sleep};

use super::pool::Pool;
use super::{
    Database, Engine, Fault, FaultKind, Flavour, Isolation, OpenError, Pools, Settings,
    check_isolation,
};

/// What InnoDB does by default, so that the engines wait alike.
const SQLITE_LOCK_WAIT_SECONDS: u32 = 50;

pub(super) async fn connect(
    options: &SqliteConnectOptions,
    settings: &Settings,
) -> Result<Database, OpenError> {
    check_isolation(Flavour::Sqlite, settings)?;
    let wait = settings
        .lock_wait_timeout
        .unwrap_or(SQLITE_LOCK_WAIT_SECONDS);
    let options = options
        .clone()
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(wait.into()))
        .disable_statement_logging();
    switch_to_wal(&options).await?;
    let pool = Pool::new(
        options,
        String::new(),
        settings.connections,
        settings.acquire_timeout,
    );
    let mut connection = pool.acquire().await?;
    let version = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection.get()?)
        .await?;
    connection.give_back();
    let engine = Engine {
        flavour: Flavour::Sqlite,
        version,
        isolation: Isolation::Serializable,
        snapshot_isolation: false,
    };
    Ok(Database {
        engine,
        pools: Pools::Sqlite(pool),
        connections: settings.connections,
        most_connections: None,
    })
}

/// Switches the file to WAL mode, in which it then stays. The one thing in SQLite that the busy
/// timeout does not cover: where several instances open a new file at once, all but one are refused.
async fn switch_to_wal(options: &SqliteConnectOptions) -> Result<(), Fault> {
    const PATIENCE: Duration = Duration::from_secs(10);
    const PAUSE: Duration = Duration::from_millis(20);

    let options = options.clone().journal_mode(SqliteJournalMode::Wal);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match options.connect().await.map_err(Fault::from) {
            Ok(connection) => return Ok(connection.close().await?),
            Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                sleep(PAUSE).await;
            }
            Err(fault) => return Err(fault),
        }
    }
}
