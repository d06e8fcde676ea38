//! Lanes: places in which several runs can go on at once without meeting.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;

use super::{Address, Database, Fault, OpenError};

/// A place for one run at a time.
#[derive(Debug)]
pub struct Lane {
    /// Where the run happens.
    pub database: Database,
    own: Own,
}

/// What was made for a lane, and goes with it.
#[derive(Debug)]
enum Own {
    Nothing,
    Folder(TempDir),
    Schema(Box<PgConnectOptions>, String),
}

impl Lane {
    /// Whether everything in it goes with it, so that nobody need tidy up.
    pub fn is_private(&self) -> bool {
        !matches!(self.own, Own::Nothing)
    }

    /// Removes what was made for it.
    ///
    /// # Errors
    /// As the engine refuses, or the file system.
    pub async fn close(self) -> Result<(), OpenError> {
        if self.is_private() {
            self.database.close().await;
        }
        self.own.remove().await
    }
}

impl Own {
    async fn remove(self) -> Result<(), OpenError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Folder(folder) => {
                let removed = folder.close();
                Ok(removed.map_err(|error| Fault::unavailable(error.to_string()))?)
            }
            Self::Schema(options, name) => {
                run(&options, format!("DROP SCHEMA {name} CASCADE")).await
            }
        }
    }
}

impl Database {
    /// So many lanes on this engine, with the same settings.
    ///
    /// - InnoDB: all are this very database, since runs that race for different rows do not meet.
    /// - PostgreSQL: each is a schema of its own. At SERIALIZABLE it remembers what a transaction has
    ///   read by the page or, of a small table, as a whole, and would take runs on different rows
    ///   for conflicting ones.
    /// - SQLite: each is a file of its own, because a lock is one on the whole file.
    ///
    /// # Errors
    /// As the engine refuses. PostgreSQL's user needs the right to create schemas.
    pub async fn lanes(&self, count: usize) -> Result<Vec<Lane>, OpenError> {
        let mut lanes = Vec::new();
        for _ in 0..count {
            lanes.push(match &self.address {
                Address::MySql(_) => Lane {
                    database: self.clone(),
                    own: Own::Nothing,
                },
                Address::Postgres(options) => self.schema(options).await?,
                Address::Sqlite(_) => self.file().await?,
            });
        }
        Ok(lanes)
    }

    async fn schema(&self, options: &PgConnectOptions) -> Result<Lane, OpenError> {
        let name = format!("racy_lane_{:016x}", fastrand::u64(..));
        run(options, format!("CREATE SCHEMA {name}")).await?;
        let within = options.clone().options([("search_path", name.as_str())]);
        let address = Address::Postgres(Box::new(within));
        let own = Own::Schema(Box::new(options.clone()), name);
        self.lane_at(&address, own).await
    }

    async fn file(&self) -> Result<Lane, OpenError> {
        let folder = tempfile::Builder::new()
            .prefix("racy-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| Fault::unavailable(format!("no temporary folder: {error}")))?;
        let options = SqliteConnectOptions::new().filename(folder.path().join("lane.sqlite"));
        self.lane_at(&Address::Sqlite(Box::new(options)), Own::Folder(folder))
            .await
    }

    async fn lane_at(&self, address: &Address, own: Own) -> Result<Lane, OpenError> {
        let opened = async {
            let database = Self::connect(address, &self.settings).await?;
            database.migrate().await?;
            Ok(database)
        };
        match opened.await {
            Ok(database) => Ok(Lane { database, own }),
            Err(error) => {
                // What went wrong first is what is worth telling.
                let _ = own.remove().await;
                Err(error)
            }
        }
    }
}

async fn run(options: &PgConnectOptions, sql: String) -> Result<(), OpenError> {
    let mut connection = options
        .clone()
        .disable_statement_logging()
        .connect()
        .await?;
    connection.execute(AssertSqlSafe(sql)).await?;
    Ok(connection.close().await?)
}
