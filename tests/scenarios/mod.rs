//! Scenarios: what a user brings to the explorer.

mod command;
mod compiled;
mod corpus;
mod ends;
mod expectations;
mod footprints;
mod generated;
mod literals;
mod once_missed;
mod outcomes;
mod places;
mod random;
mod rules;
mod scripts;
mod serial;
mod spec;
mod spec_command;
mod splitting;
mod waits;

use std::sync::Arc;

use racy::engine::{Database, Settings};
use racy::explore::report::FindingData;
use racy::explore::{self, Exploration, Finding, Subject};
use racy::scenarios::{Options, Scenario};

use crate::support::TestEngine;
use crate::support::explored::{ALL, explored, plan};

/// A scenario's subject.
fn subject(text: &str, options: Options) -> Arc<Subject> {
    let scenario = Scenario::parse("test.toml", text).unwrap_or_else(|error| panic!("{error}"));
    let subject = scenario.into_subject(options);
    Arc::new(subject.unwrap_or_else(|error| panic!("{error}")))
}

/// What exploring a scenario at the engine's own level leads to.
async fn exploration(engine: TestEngine, text: &str, options: Options) -> Exploration {
    let lab = engine.lab_with(explore::settings(&settings())).await;
    explored_on(&lab.database, vec![subject(text, options)]).await
}

fn settings() -> Settings {
    Settings {
        // Enough for some lanes.
        connections: 20,
        ..Settings::default()
    }
}

async fn explored_on(database: &Database, subjects: Vec<Arc<Subject>>) -> Exploration {
    explored(database, subjects, plan(ALL, 2)).await
}

/// The only finding of a scenario that came to its end.
async fn finding(engine: TestEngine, text: &str) -> Finding {
    finding_with(engine, text, Options::default()).await
}

async fn finding_with(engine: TestEngine, text: &str, options: Options) -> Finding {
    only_finding(exploration(engine, text, options).await)
}

async fn finding_on(database: &Database, text: &str, options: Options) -> Finding {
    only_finding(explored_on(database, vec![subject(text, options)]).await)
}

fn only_finding(mut exploration: Exploration) -> Finding {
    assert!(exploration.broken.is_empty(), "{:?}", exploration.broken);
    assert!(exploration.error.is_none(), "{:?}", exploration.error);
    let finding = exploration.findings.remove(0);
    assert_eq!(finding.diverged, 0, "{finding:?}");
    finding
}

/// What was said of a scenario that could not be explored.
async fn broken(engine: TestEngine, text: &str) -> String {
    let exploration = exploration(engine, text, Options::default()).await;
    assert!(exploration.error.is_none(), "{:?}", exploration.error);
    exploration.broken.join("\n")
}

/// The verdict in words.
fn verdict(finding: &Finding) -> String {
    FindingData::of(finding).verdict
}
