//! SQLite: how its file is opened.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, sleep};

use super::pool::Pool;
use super::{
    Address, Database, Engine, Fault, FaultKind, Flavour, Isolation, Journal, OpenError, Pools,
    Settings, check,
};

pub(super) async fn connect(
    address: &SqliteConnectOptions,
    settings: &Settings,
) -> Result<Database, OpenError> {
    check(Flavour::Sqlite, settings)?;
    let options = address
        .clone()
        .create_if_missing(true)
        .foreign_keys(true)
        // The session waits, see there.
        .busy_timeout(Duration::ZERO)
        .disable_statement_logging();
    choose_journal(&options, settings.journal).await?;
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
        rolls_back_on_timeout: false,
        can_switch_snapshot_isolation: false,
        journal: Some(settings.journal),
    };
    Ok(Database {
        address: Address::Sqlite(Box::new(address.clone())),
        settings: *settings,
        engine,
        pools: Pools::Sqlite(pool),
        most_connections: None,
        looks: Arc::default(),
    })
}

/// Switches the file to a journal mode, in which it then stays. The one thing in SQLite that no busy
/// timeout covers: where several instances open a new file at once, all but one are refused.
async fn choose_journal(options: &SqliteConnectOptions, journal: Journal) -> Result<(), Fault> {
    const PATIENCE: Duration = Duration::from_secs(10);
    const PAUSE: Duration = Duration::from_millis(20);

    let options = options.clone().journal_mode(journal.mode());
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
