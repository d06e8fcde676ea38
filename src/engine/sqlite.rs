//! SQLite: how its file is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::time::{Instant, sleep};

use super::greeting::Greeting;
use super::pool::Pool;
use super::{
    Address, Database, Engine, Fault, FaultKind, Flavour, Isolation, Journal, OpenError, Pools,
    SessionsOf, Settings, sqlite_file,
};

pub(super) async fn connect(
    address: &SqliteConnectOptions,
    settings: &Settings,
) -> Result<Database, OpenError> {
    settings.check(Flavour::Sqlite)?;
    let path = sqlite_file::checked(address.get_filename()).await?;
    let address = address.clone().filename(&path);
    let options = address
        .clone()
        .create_if_missing(true)
        .foreign_keys(settings.sessions == SessionsOf::TheLab)
        // The session does the waiting.
        .busy_timeout(Duration::ZERO)
        .disable_statement_logging();
    let opened = open(&options, settings.journal).await;
    let version = opened.map_err(|fault| not_writable(&path, fault))?;
    sqlite_file::prepare_lock(&path)?;
    let (most, patience) = (settings.connections, settings.acquire_timeout);
    let pool = Pool::new(options, Greeting::default(), most, patience);
    Ok(Database {
        address: Address::Sqlite(Box::new(address)),
        settings: *settings,
        engine: engine(version, settings.journal),
        pools: Pools::Sqlite(pool),
        most_connections: None,
        choices: Vec::new(),
        place: None,
        is_pooled: false,
        deadlock_timeout: Duration::ZERO,
        wait_reports: Arc::default(),
    })
}

fn engine(version: String, journal: Journal) -> Engine {
    Engine {
        flavour: Flavour::Sqlite,
        version,
        isolation: Isolation::Serializable,
        snapshot_isolation: false,
        rolls_back_on_timeout: false,
        can_switch_snapshot_isolation: false,
        journal: Some(journal),
    }
}

/// Switches the file to a journal mode, which is stored in it, and reads SQLite's version.
///
/// It waits for what no busy timeout covers: all but one of several instances that open a new file
/// at the same time are refused. So is an instance that opens it while the last other one closes
/// it.
async fn open(options: &SqliteConnectOptions, journal: Journal) -> Result<String, Fault> {
    const PATIENCE: Duration = Duration::from_secs(10);
    const PAUSE: Duration = Duration::from_millis(20);

    let options = options.clone().journal_mode(journal.mode());
    let deadline = Instant::now() + PATIENCE;
    loop {
        match try_to_open(&options).await {
            Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                sleep(PAUSE).await;
            }
            opened => return opened,
        }
    }
}

async fn try_to_open(options: &SqliteConnectOptions) -> Result<String, Fault> {
    let mut connection = options.connect().await?;
    // SQLite opens a file that it may not write, and refuses only the first write. So one is tried
    // and rolled back.
    let a_write = "BEGIN IMMEDIATE; PRAGMA user_version = 0; ROLLBACK";
    let may_write = connection.execute(a_write).await;
    let version = sqlx::query_scalar("SELECT sqlite_version()");
    let version = version.fetch_one(&mut connection).await;
    connection.close().await?;
    match may_write.map_err(Fault::from) {
        // If another client is writing, the file can be written.
        Err(fault) if fault.kind != FaultKind::Busy => Err(fault),
        _ => Ok(version?),
    }
}

/// SQLite's refusal to write a file, in the reader's words.
fn not_writable(path: &Path, fault: Fault) -> OpenError {
    const READ_ONLY: u32 = 8;
    let code = fault.code.as_deref().and_then(|it| it.parse::<u32>().ok());
    match code {
        Some(code) if code & 0xff == READ_ONLY => OpenError::File(format!(
            "{} may not be written by this user ({fault})",
            path.display()
        )),
        _ => fault.into(),
    }
}
