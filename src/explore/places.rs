//! The engines, modes and levels that a job explores, and the settings that it needs.

use std::time::Duration;

use crate::engine::choice::{DatabaseUrl, Wanted};
use crate::engine::local::ServerKind;
use crate::engine::{Database, Journal, Settings};

/// Where subjects are explored.
#[derive(Debug, Clone)]
pub enum Place {
    /// On this database, which must have no other user.
    On(Database),
    /// On one engine: the one that is wanted. The job writes nothing into a database that has other
    /// users, but makes one of its own beside it.
    OneEngine(Wanted, Settings),
    /// Beside this database, which has other users: in a database of the explorer's own on the same
    /// server, or in files of its own.
    Beside {
        /// The database of the other users.
        database: Database,
        /// How the explorer's sessions are set, its level included.
        settings: Settings,
        /// Whether every mode and level is explored, and not only that of the settings.
        every_level: bool,
    },
    /// On every engine that is found here, in every mode and at every level. If a URL is given,
    /// only on its engine; if the settings name a level, only at that one.
    EveryEngine(Option<DatabaseUrl>, Settings),
}

/// What the explorer adds to the settings that were asked for, so that no client waits long for
/// what can end in one way only.
pub fn settings(asked: &Settings) -> Settings {
    /// Far more than a run takes. Some deadlocks of three clients InnoDB does not see.
    const LOCK_WAIT_SECONDS: u32 = 5;
    /// No statement of a run takes that long but by waiting for a lock.
    const BEYOND_A_LOCK: Duration = Duration::from_secs(30);
    /// PostgreSQL looks for a deadlock only after this time. It accepts no shorter one.
    const DEADLOCK_TIMEOUT: Duration = Duration::from_millis(1);

    let lock_wait = asked.lock_wait_timeout.unwrap_or(LOCK_WAIT_SECONDS);
    Settings {
        lock_wait_timeout: Some(lock_wait),
        answer_within: Some(Duration::from_secs(lock_wait.into()) + BEYOND_A_LOCK),
        deadlock_timeout: asked.deadlock_timeout.or(Some(DEADLOCK_TIMEOUT)),
        ..*asked
    }
}

/// Which engines to open: all that Racy can start by itself, unless one was named. SQLite's journal
/// belongs to its file, so that each mode has one of its own; and only MariaDB can switch
/// `innodb_snapshot_isolation`.
pub(super) fn places(
    url: Option<&DatabaseUrl>,
    settings: &Settings,
) -> Vec<(DatabaseUrl, Settings)> {
    let plain = Settings {
        isolation: None,
        snapshot_isolation: None,
        ..*settings
    };
    let sqlite = [Journal::Wal, Journal::Rollback]
        .map(|journal| (DatabaseUrl::SqliteTemporary, Settings { journal, ..plain }));
    let server = |wanted| (DatabaseUrl::Local(wanted), plain);
    match url {
        Some(DatabaseUrl::SqliteFile(_) | DatabaseUrl::SqliteTemporary) => sqlite.into(),
        Some(url) => vec![(url.clone(), plain)],
        None => [ServerKind::MySql, ServerKind::MariaDb, ServerKind::Postgres]
            .map(server)
            .into_iter()
            .chain(sqlite)
            .collect(),
    }
}

/// Every mode and level of an engine; but only those that were asked for, where any were.
pub(super) fn modes(database: &Database, asked: &Settings) -> Vec<Settings> {
    let engine = database.engine();
    let levels = engine.flavour.isolation_levels().iter().copied();
    let levels: Vec<_> = levels
        .filter(|level| asked.isolation.is_none_or(|asked| asked == *level))
        .collect();
    let snapshot_isolation = match (
        engine.can_switch_snapshot_isolation,
        asked.snapshot_isolation,
    ) {
        (false, _) => vec![None],
        (true, Some(asked)) => vec![Some(asked)],
        (true, None) => vec![Some(false), Some(true)],
    };
    let modes = snapshot_isolation
        .into_iter()
        .flat_map(|snapshot_isolation| {
            levels.iter().map(move |level| Settings {
                isolation: Some(*level),
                snapshot_isolation,
                ..*database.settings()
            })
        });
    modes.collect()
}
