//! Lanes: places in which several runs can go on at once without meeting.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;

use super::{Address, Database, Fault, OpenError, Pools, Settings};

/// A place for one run at a time.
#[derive(Debug)]
pub struct Lane {
    /// Where the run happens.
    pub database: Database,
    own: Option<TempDir>,
}

impl Lane {
    /// Whether everything in it goes with it, so that nobody need tidy up.
    pub fn is_private(&self) -> bool {
        self.own.is_some()
    }

    /// Removes what was made for it.
    pub async fn close(self) {
        if self.own.is_some() {
            self.database.close().await;
        }
    }
}

impl Database {
    /// So many lanes on this engine, with the same settings.
    ///
    /// On InnoDB, runs that race for different rows do not meet, so that its lanes are all this very
    /// database. A lock of SQLite's is one on the whole file: there each lane is a file of its own.
    ///
    /// # Errors
    /// As the engine refuses.
    pub async fn lanes(&self, count: usize) -> Result<Vec<Lane>, OpenError> {
        let mut lanes = Vec::new();
        for _ in 0..count {
            lanes.push(match &self.pools {
                Pools::MySql(_) => Lane {
                    database: self.clone(),
                    own: None,
                },
                Pools::Sqlite(_) => self.sqlite_lane().await?,
            });
        }
        Ok(lanes)
    }

    async fn sqlite_lane(&self) -> Result<Lane, OpenError> {
        let folder = tempfile::Builder::new()
            .prefix("racy-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| Fault::unavailable(format!("no temporary folder: {error}")))?;
        let options = SqliteConnectOptions::new().filename(folder.path().join("lane.sqlite"));
        let settings = Settings {
            journal: self.engine.journal.unwrap_or_default(),
            ..Settings::default()
        };
        let database = Self::connect(&Address::Sqlite(Box::new(options)), &settings).await?;
        database.migrate().await?;
        Ok(Lane {
            database,
            own: Some(folder),
        })
    }
}
