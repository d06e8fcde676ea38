//! `racy explore`: which strategies are explored on which engines, and what is found.

use std::fmt;
use std::time::Duration;

use crate::deposits::Strategy;
use crate::engine::choice::{self, ChoiceError, DatabaseUrl, Lifetime, Opened};
use crate::engine::local::{self, Wanted};
use crate::engine::{Database, Flavour, Isolation, Journal, OpenError, Settings};
use crate::explore::{self, Finding, Plan, RunError, Stop, Tally};

/// What to explore.
#[derive(Debug)]
pub struct Survey<'s> {
    /// Which strategies.
    pub strategies: Vec<&'static Strategy>,
    /// Under which schedules.
    pub plan: Plan,
    /// At most so many runs at once.
    pub parallel: usize,
    /// Ends it early.
    pub stop: &'s Stop,
}

/// What was found, also where it ended early.
#[derive(Debug, Default)]
pub struct Found {
    /// One for each strategy, engine and level.
    pub findings: Vec<Finding>,
    /// The engines that are not here, and why.
    pub missing: Vec<String>,
    /// What ended it early, unless it was stopped.
    pub trouble: Option<Trouble>,
}

/// Why a survey ended early.
#[derive(Debug)]
pub enum Trouble {
    /// The engine could not be had.
    Engine(ChoiceError),
    /// It could be had, but not as it was wanted.
    Open(OpenError),
    /// Fewer connections than a run needs.
    TooFewConnections {
        /// How many there are.
        connections: u32,
        /// How many there have to be.
        needed: usize,
    },
    /// A run did not come to its end.
    Run(&'static str, RunError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::TooFewConnections {
                connections,
                needed,
            } => write!(
                f,
                "--db-connections is {connections}, but so many clients need {needed}: one each, and \
                 two to watch them"
            ),
            Self::Run(strategy, error) => write!(f, "{strategy}: {error}"),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<ChoiceError> for Trouble {
    fn from(error: ChoiceError) -> Self {
        Self::Engine(error)
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

/// Sees how far it is: the strategy, the engine, and what was found of it so far.
pub type Progress<'p> = &'p (dyn Fn(&'static str, &Database, &Tally) + Sync);

/// So many runs at once unless told otherwise: enough for them to share the engine's commits.
pub const PARALLEL: usize = 8;

/// Connections that serve no client: one looks who waits, one sets up and judges.
const CONNECTIONS_BESIDE: usize = 2;

impl Survey<'_> {
    /// Explores the strategies on one database.
    pub async fn on(&self, database: &Database, progress: Progress<'_>) -> Found {
        let mut found = Found::default();
        found.trouble = self
            .explore(database, progress, &mut found.findings)
            .await
            .err();
        found
    }

    /// Explores the strategies on every engine, in every mode and at every level of it. Where a
    /// database is named, on its engine alone; where `settings` name a level, at that one alone.
    pub async fn everywhere(
        &self,
        url: Option<&DatabaseUrl>,
        settings: &Settings,
        say: &(dyn Fn(&str) + Sync),
        progress: Progress<'_>,
    ) -> Found {
        let mut found = Found::default();
        for (url, place) in places(url, settings) {
            if self.stop.is_stopped() {
                break;
            }
            let opened = choice::open(Some(&url), Lifetime::Temporary, &place, say).await;
            match self
                .in_every_mode(opened, settings.isolation, progress, &mut found.findings)
                .await
            {
                Ok(()) => {}
                Err(Trouble::Engine(ChoiceError::Local(error @ local::Error::NotFound { .. }))) => {
                    found.missing.push(format!("{url}: {error}"));
                }
                Err(trouble) => {
                    found.trouble = Some(trouble);
                    break;
                }
            }
        }
        found
    }

    async fn in_every_mode(
        &self,
        opened: Result<Opened, ChoiceError>,
        level: Option<Isolation>,
        progress: Progress<'_>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Trouble> {
        let opened = opened?;
        let mut result = Ok(());
        for settings in modes(&opened.database, level) {
            if result.is_err() || self.stop.is_stopped() {
                break;
            }
            result = match opened.database.with(&settings).await {
                Ok(database) => {
                    let explored = self.explore(&database, progress, findings).await;
                    database.close().await;
                    explored
                }
                Err(error) => Err(error.into()),
            };
        }
        // A private server that has ended says why, and that is the better explanation.
        opened.close().await?;
        result
    }

    async fn explore(
        &self,
        database: &Database,
        progress: Progress<'_>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Trouble> {
        let lanes = database.lanes(self.lanes(database)?).await?;
        let mut result = Ok(());
        for strategy in &self.strategies {
            if result.is_err() || self.stop.is_stopped() {
                break;
            }
            let progress = |tally: &Tally| progress(strategy.name, database, tally);
            let (finding, ended) =
                explore::explore(&lanes, *strategy, &self.plan, self.stop, &progress).await;
            findings.push(finding);
            result = ended.map_err(|error| Trouble::Run(strategy.name, error));
        }
        for lane in lanes {
            let closed = lane.close().await;
            result = result.and(closed.map_err(Trouble::from));
        }
        result
    }

    /// As many as the connections allow.
    fn lanes(&self, database: &Database) -> Result<usize, Trouble> {
        let connections = database.connections();
        let for_clients = (connections as usize).saturating_sub(CONNECTIONS_BESIDE);
        match for_clients / self.plan.clients {
            0 => Err(Trouble::TooFewConnections {
                connections,
                needed: self.plan.clients + CONNECTIONS_BESIDE,
            }),
            lanes => Ok(lanes.min(self.parallel)),
        }
    }
}

/// Whether a strategy lost something where its card promises that it never does.
pub fn broke_a_promise(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| {
        let strategy = Strategy::named(finding.strategy());
        strategy.is_some_and(|it| it.card.must_be_safe_on(&finding.engine))
            && finding.tally.anomalies() > 0
    })
}

/// What the explorer adds to the settings that were asked for: nobody should wait long for what cannot
/// end in any other way.
pub fn settings(asked: &Settings) -> Settings {
    /// Far more than a run takes. Some deadlocks of three clients InnoDB does not see.
    const LOCK_WAIT_SECONDS: u32 = 5;
    /// PostgreSQL looks for a deadlock only after this time.
    const DEADLOCK_TIMEOUT: Duration = Duration::from_millis(10);

    Settings {
        lock_wait_timeout: asked.lock_wait_timeout.or(Some(LOCK_WAIT_SECONDS)),
        deadlock_timeout: asked.deadlock_timeout.or(Some(DEADLOCK_TIMEOUT)),
        ..*asked
    }
}

/// Which engines to open: all that Racy can start by itself, unless one was named. SQLite's journal
/// belongs to its file, so that each mode has one of its own.
fn places(url: Option<&DatabaseUrl>, settings: &Settings) -> Vec<(DatabaseUrl, Settings)> {
    let with_any_level = Settings {
        isolation: None,
        ..*settings
    };
    let sqlite = [Journal::Wal, Journal::Rollback].map(|journal| {
        let settings = Settings {
            journal,
            ..with_any_level
        };
        (DatabaseUrl::SqliteTemporary, settings)
    });
    match url {
        Some(DatabaseUrl::SqliteFile(_) | DatabaseUrl::SqliteTemporary) => sqlite.into(),
        Some(url) => vec![(url.clone(), with_any_level)],
        None => [Wanted::MySql, Wanted::MariaDb, Wanted::Postgres]
            .map(|server| (DatabaseUrl::Local(server), with_any_level))
            .into_iter()
            .chain(sqlite)
            .collect(),
    }
}

/// Every mode and level of an engine; of its levels only `wanted`, where one is.
fn modes(database: &Database, wanted: Option<Isolation>) -> Vec<Settings> {
    let flavour = database.engine().flavour;
    let levels = flavour.isolation_levels().iter().copied();
    let levels: Vec<_> = levels
        .filter(|it| wanted.is_none_or(|wanted| wanted == *it))
        .collect();
    let snapshot_isolation = match flavour {
        Flavour::MariaDb if database.settings().snapshot_isolation.is_none() => {
            vec![Some(false), Some(true)]
        }
        _ => vec![database.settings().snapshot_isolation],
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
