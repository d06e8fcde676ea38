//! A strategy that is compiled in, beside the same one as a scenario.

use std::collections::BTreeSet;

use racy::engine::FaultKind;
use racy::explore::Finding;
use racy::scenarios::Options;
use racy::verdict::Verdict;

use super::{explored_on, subject};
use crate::support::TestEngine;
use crate::support::explored::everything;

on_engines!(
    every: racy_djangos_strategies_end_alike_compiled_and_as_scenarios;
);

/// racy-django's strategies, and the files that say the same.
const STRATEGIES: [(&str, &str); 5] = [
    (
        "non_atomic_no_delay",
        include_str!("../../scenarios/racy-django/non_atomic.toml"),
    ),
    (
        "non_atomic_long_delay",
        include_str!("../../scenarios/racy-django/non_atomic_long_delay.toml"),
    ),
    (
        "atomic_no_delay",
        include_str!("../../scenarios/racy-django/atomic.toml"),
    ),
    (
        "atomic_long_delay",
        include_str!("../../scenarios/racy-django/atomic_long_delay.toml"),
    ),
    (
        "row_locking_atomic_long_delay",
        include_str!("../../scenarios/racy-django/for_update.toml"),
    ),
];

/// What a run can end with, whatever the anomaly is called.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Anomaly,
    Refused(FaultKind),
    Declined,
    Safe,
}

fn kinds(finding: &Finding) -> BTreeSet<Kind> {
    let kind = |verdict: &Verdict| match verdict {
        Verdict::Anomaly(_) => Kind::Anomaly,
        Verdict::Refused(fault) => Kind::Refused(*fault),
        Verdict::Declined => Kind::Declined,
        Verdict::Safe => Kind::Safe,
    };
    finding.tally.verdicts.keys().map(kind).collect()
}

async fn racy_djangos_strategies_end_alike_compiled_and_as_scenarios(engine: TestEngine) {
    let compiled = everything(engine).await;
    for settings in engine.modes_and_levels() {
        let lab = engine.lab_with(racy::explore::settings(&settings)).await;
        let files = STRATEGIES.map(|(_, text)| subject(text, Options::default()));
        let explored = explored_on(&lab.database, files.into()).await;
        assert!(explored.broken.is_empty(), "{:?}", explored.broken);
        for ((name, _), scenario) in STRATEGIES.iter().zip(&explored.findings) {
            let is_it = |it: &&Finding| {
                it.about.name == *name && it.engine == scenario.engine && it.plan.instances == 1
            };
            let compiled = compiled.iter().find(is_it).unwrap();
            must_be_alike(name, compiled, scenario);
        }
        lab.database.close().await;
    }
}

fn must_be_alike(name: &str, compiled: &Finding, scenario: &Finding) {
    let place = &scenario.engine;
    assert_eq!(kinds(compiled), kinds(scenario), "{name} on {place}");
    // A refused statement's rollback has a letter in a scenario alone.
    if compiled.tally.refused.is_empty() {
        let counts = |it: &Finding| (it.tally.schedules, it.tally.anomalies(), it.tally.waited);
        assert_eq!(counts(compiled), counts(scenario), "{name} on {place}");
    }
}
