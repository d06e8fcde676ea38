//! `racy explore`: which strategies are explored on which engines, and what is found.

use std::fmt;
use std::time::Duration;

use crate::engine::choice::{self, ChoiceError, DatabaseUrl, Lifetime, Opened};
use crate::engine::local::{self, Wanted};
use crate::engine::{BESIDE_THE_CLIENTS, Database, Flavour, Journal, OpenError, Scratch, Settings};
use crate::exhibits::deposits::STRATEGIES;
use crate::exhibits::exports::EXPLORED;
use crate::exhibits::orders;
use crate::exhibits::statements::READERS;
use crate::explore::{self, Finding, Plan, RunError, Schedules, Stop, Subject, Tally};

/// What to explore.
#[derive(Debug)]
pub struct Survey<'s> {
    /// Which strategies, of whatever exhibit.
    pub strategies: Vec<&'static dyn Subject>,
    /// Under which schedules; but by as many instances as the next says.
    pub plan: Plan,
    /// By how many instances of the service; by as many as make a difference where none is named.
    pub instances: Option<usize>,
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

impl Found {
    /// Whether nothing was explored.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    fn nothing_because(trouble: Trouble) -> Self {
        Self {
            trouble: Some(trouble),
            ..Self::default()
        }
    }
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
        /// Of how many clients.
        clients: usize,
        /// Why there are not more.
        because: String,
    },
    /// A run did not come to its end.
    Run(&'static str, RunError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::TooFewConnections { clients, because } => write!(
                f,
                "{clients} clients need {} connections, one each and two to watch them: {because}",
                clients + BESIDE_THE_CLIENTS
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

/// Tells a person one line.
type Say<'s> = &'s (dyn Fn(&str) + Sync);

/// So many runs at once unless told otherwise: enough for them to share the engine's commits.
pub const PARALLEL: usize = 8;

impl Survey<'_> {
    /// Explores the strategies on one database, which nobody else should be working in.
    pub async fn on(&self, database: &Database, progress: Progress<'_>) -> Found {
        self.on_telling(database, &|_| (), progress).await
    }

    async fn on_telling(&self, database: &Database, say: Say<'_>, progress: Progress<'_>) -> Found {
        let mut found = Found::default();
        let mut told = None;
        found.trouble = self
            .explore(database, (say, &mut told), progress, &mut found.findings)
            .await
            .err();
        found
    }

    /// Explores the strategies on the database that was opened, or beside it where it is somebody
    /// else's.
    pub async fn beside(
        &self,
        opened: &Opened,
        say: &(dyn Fn(&str) + Sync),
        progress: Progress<'_>,
    ) -> Found {
        let scratch = match scratch(opened, say).await {
            Ok(scratch) => scratch,
            Err(error) => return Found::nothing_because(error.into()),
        };
        let ground = scratch.as_ref().map_or(&opened.database, |it| &it.database);
        let mut found = self.on_telling(ground, say, progress).await;
        if let Some(scratch) = scratch {
            let closed = scratch.close().await;
            let result = found.trouble.take().map_or(Ok(()), Err);
            found.trouble = and_closed(result, closed, say).err();
        }
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
            let opened = choice::open_as_it_is(Some(&url), Lifetime::Temporary, &place, say).await;
            match self
                .in_every_mode(opened, settings, say, progress, &mut found.findings)
                .await
            {
                Ok(()) => {}
                Err(Trouble::Engine(ChoiceError::Local(error @ local::Error::NotFound { .. }))) => {
                    found.missing.push(format!("{url}: {error}"));
                }
                // The other engines have nothing to do with it.
                Err(trouble) => {
                    found.missing.push(format!("{url}: {trouble}"));
                    found.trouble.get_or_insert(trouble);
                }
            }
        }
        found
    }

    async fn in_every_mode(
        &self,
        opened: Result<Opened, ChoiceError>,
        asked: &Settings,
        say: &(dyn Fn(&str) + Sync),
        progress: Progress<'_>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Trouble> {
        let opened = opened?;
        let scratch = scratch(&opened, say).await?;
        let ground = scratch.as_ref().map_or(&opened.database, |it| &it.database);
        let mut result = Ok(());
        let mut told = None;
        for settings in modes(ground, asked) {
            if result.is_err() || self.stop.is_stopped() {
                break;
            }
            result = match ground.with(&settings).await {
                Ok(database) => {
                    let exploring = self.explore(&database, (say, &mut told), progress, findings);
                    let explored = exploring.await;
                    database.close().await;
                    explored
                }
                Err(error) => Err(error.into()),
            };
        }
        if let Some(scratch) = scratch {
            let closed = scratch.close().await;
            result = and_closed(result, closed, say);
        }
        // A private server that has ended says why, and that is the better explanation.
        opened.close().await?;
        result
    }

    /// What is said of the lanes is said once, and kept in `told`.
    async fn explore(
        &self,
        database: &Database,
        (say, told): (Say<'_>, &mut Option<String>),
        progress: Progress<'_>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Trouble> {
        let clients = self.plan.clients;
        let lanes = database.lanes(clients, self.parallel).await?;
        let count = lanes.lanes.len();
        if let Some(because) = &lanes.fewer_because {
            if count == 0 {
                return Err(Trouble::TooFewConnections {
                    clients,
                    because: because.clone(),
                });
            }
            let line = format!(
                "{count} instead of {} runs at once: {because}",
                self.parallel
            );
            if told.is_none() {
                say(&line);
                *told = Some(line);
            }
        }
        let mut result = lanes.must_show_waits(clients).await.map_err(Trouble::from);
        for strategy in &self.strategies {
            if result.is_err() || self.stop.is_stopped() {
                break;
            }
            let progress = |tally: &Tally| progress(strategy.name(), database, tally);
            for plan in self.plans(*strategy) {
                let (finding, ended) =
                    explore::explore(&lanes.lanes, *strategy, &plan, self.stop, &progress).await;
                findings.push(finding);
                result = result.and(ended.map_err(|error| Trouble::Run(strategy.name(), error)));
            }
        }
        let closed = lanes.close().await;
        and_closed(result, closed, say)
    }

    /// One for each number of instances.
    fn plans(&self, strategy: &dyn Subject) -> Vec<Plan> {
        let instances = match (self.instances, &self.plan.schedules) {
            (Some(instances), _) => vec![instances],
            // It is a schedule of one or of the others.
            (None, Schedules::One(_)) => vec![1],
            (None, _) => strategy.instances(self.plan.clients),
        };
        let plan = |instances| Plan {
            instances,
            ..self.plan.clone()
        };
        instances.into_iter().map(plan).collect()
    }
}

/// What went wrong first is the trouble. What was left behind after it is said all the same.
fn and_closed(
    result: Result<(), Trouble>,
    closed: Result<(), OpenError>,
    say: &(dyn Fn(&str) + Sync),
) -> Result<(), Trouble> {
    if let (Err(_), Err(left)) = (&result, &closed) {
        say(&left.to_string());
    }
    result.and(closed.map_err(Trouble::from))
}

/// A database beside the one that was opened, where that one is somebody else's.
async fn scratch(
    opened: &Opened,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Option<Scratch>, OpenError> {
    opened.database.must_be_direct()?;
    let is_innodb = matches!(
        opened.database.engine().flavour,
        Flavour::MySql | Flavour::MariaDb
    );
    if !is_innodb {
        // Each lane brings its own tables.
        return Ok(None);
    }
    if opened.is_private() {
        opened.database.migrate().await?;
        return Ok(None);
    }
    let scratch = opened.database.scratch().await?;
    say(&format!(
        "exploring in a database of its own: {}",
        scratch.name()
    ));
    Ok(Some(scratch))
}

/// All strategies that can be explored: those of the deposits, then those that read them; then those of the orders,
/// each with two who write, and then beside the consumer; then those that export.
pub fn subjects() -> impl Iterator<Item = &'static dyn Subject> {
    let deposits = STRATEGIES.iter().map(|it| it as &dyn Subject);
    let readers = READERS.iter().map(|it| it as &dyn Subject);
    let orders = orders::STRATEGIES.iter().map(|it| it as &dyn Subject);
    let consumed = orders::BESIDE_THE_CONSUMER.iter();
    let consumed = consumed.map(|it| it as &dyn Subject);
    let orders = orders.chain(consumed);
    let exports = EXPLORED.iter().map(|it| it as &dyn Subject);
    deposits.chain(readers).chain(orders).chain(exports)
}

/// The names by which strategies are asked for. One may stand for several subjects: see [`is_named`].
pub fn names() -> impl Iterator<Item = &'static str> {
    let names = subjects().map(|it| it.name());
    names.filter(|name| !name.contains(", "))
}

/// Whether a subject is asked for by this name, be it the strategy itself or the strategy beside somebody
/// (`orders/NAME, consumer`).
pub fn is_named(subject: &dyn Subject, name: &str) -> bool {
    let rest = subject.name().strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(", "))
}

/// Whether a strategy showed an anomaly where its card promises that it never does.
pub fn broke_a_promise(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| {
        let promised = finding
            .subject
            .promises_safety(&finding.engine, finding.instances());
        promised && finding.tally.anomalies() > 0
    })
}

/// What the explorer adds to the settings that were asked for: nobody should wait long for what cannot
/// end in any other way.
pub fn settings(asked: &Settings) -> Settings {
    /// Far more than a run takes. Some deadlocks of three clients InnoDB does not see.
    const LOCK_WAIT_SECONDS: u32 = 5;
    /// No statement of a run takes that long but by waiting for a lock.
    const BEYOND_A_LOCK: Duration = Duration::from_secs(30);
    /// PostgreSQL looks for a deadlock only after this time.
    const DEADLOCK_TIMEOUT: Duration = Duration::from_millis(10);

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
fn places(url: Option<&DatabaseUrl>, settings: &Settings) -> Vec<(DatabaseUrl, Settings)> {
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
        None => [Wanted::MySql, Wanted::MariaDb, Wanted::Postgres]
            .map(server)
            .into_iter()
            .chain(sqlite)
            .collect(),
    }
}

/// Every mode and level of an engine; but only those that were asked for, where any were.
fn modes(database: &Database, asked: &Settings) -> Vec<Settings> {
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
