//! Explorations in tests.

use std::sync::Arc;

use racy::engine::Database;
use racy::exhibits::Specimen;
use racy::explore::{Exploration, Finding, Job, PARALLEL, Place, Plan, Schedules, Subject};

pub const ALL: Schedules = Schedules::All { reduced: false };

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
    }
}

pub fn job(database: &Database, subjects: Vec<Arc<Subject>>, plan: Plan) -> Job {
    Job {
        subjects,
        place: Place::On(database.clone()),
        plan,
        instances: None,
        parallel: PARALLEL,
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
