//! Explorations in tests. That of everything on an engine is made once, for all tests that ask.

use std::sync::Arc;

use racy::engine::{Database, Journal, Settings};
use racy::exhibits::{self, Specimen};
use racy::explore::{self, Exploration, Finding, Job, Place, Plan, Reduction, Schedules, Subject};
use tokio::sync::OnceCell;

use super::TestEngine;

pub const ALL: Schedules = Schedules::All { preemptions: None };

pub const REDUCED: Schedules = Schedules::Reduced(Reduction { without: None });

/// The strategy among clients of its own.
pub fn subject(strategy: &'static dyn Specimen) -> Arc<Subject> {
    Arc::new(strategy.subject(&strategy.settings()[0]))
}

pub fn plan(schedules: Schedules, clients: usize) -> Plan {
    Plan {
        schedules,
        clients,
        instances: 1,
        limit: None,
        counterexample_first: false,
    }
}

pub fn job(database: &Database, subjects: Vec<Arc<Subject>>, plan: Plan) -> Job {
    Job {
        subjects,
        place: Place::On(database.clone()),
        plan,
        is_reduction_asked: false,
        are_all_asked: true,
        instances: None,
        parallel: None,
        in_place: false,
        stop: Arc::default(),
    }
}

pub async fn explored(database: &Database, subjects: Vec<Arc<Subject>>, plan: Plan) -> Exploration {
    job(database, subjects, plan).run(&|_| ()).await
}

/// The only finding of an exploration that came to its end.
pub async fn finding(database: &Database, subject: Arc<Subject>, plan: Plan) -> Finding {
    let mut exploration = explored(database, vec![subject], plan).await;
    if let Some(error) = exploration.error {
        panic!("{error}");
    }
    exploration.findings.remove(0)
}

/// What every schedule of two clients of everything leads to on an engine, in each of its modes and
/// at each of its levels. It is explored once in this process; tests that ask meanwhile wait.
pub async fn everything(engine: TestEngine) -> &'static [Finding] {
    static MYSQL: OnceCell<Vec<Finding>> = OnceCell::const_new();
    static MARIADB: OnceCell<Vec<Finding>> = OnceCell::const_new();
    static POSTGRES: OnceCell<Vec<Finding>> = OnceCell::const_new();
    static SQLITE: OnceCell<Vec<Finding>> = OnceCell::const_new();
    let once = match engine {
        TestEngine::MySql => &MYSQL,
        TestEngine::MariaDb => &MARIADB,
        TestEngine::Postgres => &POSTGRES,
        TestEngine::Sqlite => &SQLITE,
    };
    once.get_or_init(|| explore_everything(engine)).await
}

/// What every schedule of two clients of a strategy leads to on an engine as it is by default: one
/// finding for each number of instances.
pub async fn found_by_default(engine: TestEngine, full_name: &str) -> Vec<Finding> {
    let settings = explore::settings(&Settings::default());
    let lab = engine.lab_with(settings).await;
    let subject = subject(exhibits::specimen(full_name).unwrap());
    let found = explored(&lab.database, vec![subject], plan(ALL, 2)).await;
    assert!(found.error.is_none(), "{:?}", found.error);
    found.findings
}

async fn explore_everything(engine: TestEngine) -> Vec<Finding> {
    let mut findings = Vec::new();
    for settings in engine.modes_and_levels() {
        let lab = engine.lab_with(explore::settings(&settings)).await;
        let found = explored(&lab.database, exhibits::subjects(), plan(ALL, 2)).await;
        assert!(found.error.is_none(), "{:?}", found.error);
        findings.extend(found.findings);
        lab.database.close().await;
    }
    findings
}

impl TestEngine {
    /// Every mode and level of the engine.
    pub fn modes_and_levels(self) -> Vec<Settings> {
        let engine = self;
        let modes = match engine {
            TestEngine::MariaDb => [false, true]
                .map(|on| Settings {
                    snapshot_isolation: Some(on),
                    ..Settings::default()
                })
                .to_vec(),
            TestEngine::Sqlite => [Journal::Wal, Journal::Rollback]
                .map(|journal| Settings {
                    journal,
                    ..Settings::default()
                })
                .to_vec(),
            TestEngine::MySql | TestEngine::Postgres => vec![Settings::default()],
        };
        let at_every_level = |mode: Settings| {
            engine.levels().iter().map(move |level| Settings {
                isolation: Some(*level),
                // Enough for some lanes.
                connections: 20,
                ..mode
            })
        };
        modes.into_iter().flat_map(at_every_level).collect()
    }
}
