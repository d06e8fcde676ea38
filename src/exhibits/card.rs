//! The card of a strategy: its explanation, its source, and what it is expected to do, engine by
//! engine.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{Engine, FaultKind, Flavour, Isolation, Journal};
use crate::verdict::{Anomaly, Verdict};

/// An engine in one of the modes in which it behaves differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub enum Mode {
    /// MySQL, and MariaDB without `innodb_snapshot_isolation`.
    #[serde(rename = "innodb")]
    InnoDb,
    /// MariaDB with `innodb_snapshot_isolation`, the default since 11.6.2.
    #[serde(rename = "innodb_snapshot_isolation")]
    InnoDbSnapshot,
    /// PostgreSQL.
    #[serde(rename = "postgres")]
    Postgres,
    /// SQLite in WAL mode.
    #[serde(rename = "sqlite_wal")]
    SqliteWal,
    /// SQLite with its rollback journal.
    #[serde(rename = "sqlite_rollback")]
    SqliteRollback,
}

impl Mode {
    fn of(engine: &Engine) -> Self {
        match engine.flavour {
            Flavour::Postgres => Self::Postgres,
            Flavour::Sqlite if engine.journal == Some(Journal::Rollback) => Self::SqliteRollback,
            Flavour::Sqlite => Self::SqliteWal,
            Flavour::MySql | Flavour::MariaDb if engine.snapshot_isolation => Self::InnoDbSnapshot,
            Flavour::MySql | Flavour::MariaDb => Self::InnoDb,
        }
    }
}

/// What all schedules of two clients lead to on an engine at some isolation levels: these verdicts,
/// and no others. It holds if no client waits for a lock longer than the engine allows. The
/// explorer finds the same, or a test fails.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Expectation {
    /// The engine.
    pub engine: Mode,
    /// The isolation levels.
    pub isolation: &'static [Isolation],
    /// The verdicts, the worst first.
    pub verdicts: &'static [Count],
}

/// A verdict, and the number of schedules of two clients that end with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Count {
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The number of schedules.
    pub schedules: u64,
}

/// The number of schedules that end with an anomaly. Each exhibit has a word for each of its own.
pub const fn anomalous(anomaly: &'static Anomaly, schedules: u64) -> Count {
    Count {
        verdict: Verdict::Anomaly(anomaly),
        schedules,
    }
}

/// The number of schedules without an anomaly in which a client is refused with this fault.
pub const fn refused(fault: FaultKind, schedules: u64) -> Count {
    Count {
        verdict: Verdict::Refused(fault),
        schedules,
    }
}

/// The number of schedules without an anomaly in which a client is a deadlock's victim.
pub const fn deadlock(schedules: u64) -> Count {
    refused(FaultKind::Deadlock, schedules)
}

/// The number of schedules without an anomaly in which MariaDB's snapshot isolation refuses a
/// client.
pub const fn conflict(schedules: u64) -> Count {
    refused(FaultKind::SnapshotConflict, schedules)
}

/// The number of schedules without an anomaly in which PostgreSQL refuses a client with 40001.
pub const fn serialization(schedules: u64) -> Count {
    refused(FaultKind::SerializationFailure, schedules)
}

/// The number of schedules without an anomaly in which SQLite answers a client that it is busy.
pub const fn busy(schedules: u64) -> Count {
    refused(FaultKind::Busy, schedules)
}

/// The number of schedules without an anomaly in which the strategy itself turns a client away.
pub const fn declined(schedules: u64) -> Count {
    Count {
        verdict: Verdict::Declined,
        schedules,
    }
}

/// The number of schedules in which every client is served, without an anomaly.
pub const fn safe(schedules: u64) -> Count {
    Count {
        verdict: Verdict::Safe,
        schedules,
    }
}

/// The same on every engine at every level.
pub const fn on_every_engine(verdicts: &'static [Count]) -> [Expectation; 5] {
    [
        on(Mode::InnoDb, EVERY_LEVEL, verdicts),
        on(Mode::InnoDbSnapshot, EVERY_LEVEL, verdicts),
        on(Mode::Postgres, POSTGRES_LEVELS, verdicts),
        on(Mode::SqliteWal, SQLITE_LEVEL, verdicts),
        on(Mode::SqliteRollback, SQLITE_LEVEL, verdicts),
    ]
}

/// The same on every engine at every level, except at READ UNCOMMITTED, which InnoDB alone has.
pub const fn on_every_engine_but_dirty(
    dirty: &'static [Count],
    verdicts: &'static [Count],
) -> [Expectation; 7] {
    [
        on(Mode::InnoDb, RU, dirty),
        on(Mode::InnoDb, FROM_RC, verdicts),
        on(Mode::InnoDbSnapshot, RU, dirty),
        on(Mode::InnoDbSnapshot, FROM_RC, verdicts),
        on(Mode::Postgres, POSTGRES_LEVELS, verdicts),
        on(Mode::SqliteWal, SQLITE_LEVEL, verdicts),
        on(Mode::SqliteRollback, SQLITE_LEVEL, verdicts),
    ]
}

/// The verdicts of two clients on an engine at these isolation levels.
pub const fn on(
    engine: Mode,
    isolation: &'static [Isolation],
    verdicts: &'static [Count],
) -> Expectation {
    Expectation {
        engine,
        isolation,
        verdicts,
    }
}

impl Expectation {
    /// Of these, the one about this engine at its isolation level.
    pub fn on<'e>(engine: &Engine, all: &'e [Self]) -> Option<&'e Self> {
        all.iter()
            .find(|it| it.engine == Mode::of(engine) && it.isolation.contains(&engine.isolation))
    }

    /// Whether no schedule has an anomaly.
    pub fn is_safe(&self) -> bool {
        self.verdicts.iter().all(|it| !it.verdict.is_anomaly())
    }

    /// Whether some schedule leads to this verdict.
    pub fn includes(&self, verdict: Verdict) -> bool {
        self.verdicts.iter().any(|count| count.verdict == verdict)
    }
}

/// READ UNCOMMITTED, which InnoDB alone has.
pub const RU: &[Isolation] = &[Isolation::ReadUncommitted];

/// READ COMMITTED.
pub const RC: &[Isolation] = &[Isolation::ReadCommitted];

/// REPEATABLE READ.
pub const RR: &[Isolation] = &[Isolation::RepeatableRead];

/// SERIALIZABLE.
pub const SER: &[Isolation] = &[Isolation::Serializable];

/// READ UNCOMMITTED and READ COMMITTED.
pub const RU_RC: &[Isolation] = &[Isolation::ReadUncommitted, Isolation::ReadCommitted];

/// READ COMMITTED and REPEATABLE READ.
pub const RC_RR: &[Isolation] = &[Isolation::ReadCommitted, Isolation::RepeatableRead];

/// REPEATABLE READ and SERIALIZABLE.
pub const RR_SER: &[Isolation] = &[Isolation::RepeatableRead, Isolation::Serializable];

/// All levels below SERIALIZABLE.
pub const UP_TO_RR: &[Isolation] = &[
    Isolation::ReadUncommitted,
    Isolation::ReadCommitted,
    Isolation::RepeatableRead,
];

/// All levels above READ UNCOMMITTED.
pub const FROM_RC: &[Isolation] = &[
    Isolation::ReadCommitted,
    Isolation::RepeatableRead,
    Isolation::Serializable,
];

/// All levels of InnoDB.
pub const EVERY_LEVEL: &[Isolation] = &[
    Isolation::ReadUncommitted,
    Isolation::ReadCommitted,
    Isolation::RepeatableRead,
    Isolation::Serializable,
];

/// All levels of PostgreSQL, which runs READ UNCOMMITTED as READ COMMITTED.
pub const POSTGRES_LEVELS: &[Isolation] = FROM_RC;

/// The only level of SQLite.
pub const SQLITE_LEVEL: &[Isolation] = SER;

/// What a strategy file says about itself.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    /// A headline.
    pub title: &'static str,
    /// What it is expected to do, engine by engine.
    pub expected: &'static [Expectation],
    /// The file's path, by which steps name the line that runs them.
    pub file: &'static str,
    /// The file's own text, so that what is shown is what runs.
    pub source: &'static str,
}

impl Card {
    /// The explanation: the documentation at the head of the file.
    pub fn explanation(&self) -> String {
        let lines = self.source.lines();
        let docs = lines.map_while(|line| line.strip_prefix("//!"));
        let docs: Vec<_> = docs
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        docs.join("\n")
    }

    /// What is expected on this engine at its isolation level. None if the card does not say.
    pub fn expected_on(&self, engine: &Engine) -> Option<&'static Expectation> {
        Expectation::on(engine, self.expected)
    }
}
