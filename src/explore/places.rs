//! The engines, modes and levels that a job explores, and the settings that it needs.

use std::time::Duration;

use crate::engine::choice::DatabaseUrl;
use crate::engine::local::ServerKind;
use crate::engine::{Database, Journal, Settings};

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
