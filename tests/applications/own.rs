//! Racy's own service as an application: started by Racy, with its statements through the proxy.

use std::collections::BTreeSet;
use std::path::Path;

use racy::engine::{FaultKind, Settings};
use racy::explore::{self, Finding};
use racy::verdict::Verdict;

use super::stage::subject_at;
use crate::support::TestEngine;
use crate::support::explored::{ALL, explored, found_by_default, plan};

on_engines!(
    servers: racys_own_strategies_end_alike_through_the_proxy;
);

const STRATEGIES: [&str; 5] = [
    "non_atomic_no_delay",
    "non_atomic_long_delay",
    "atomic_no_delay",
    "atomic_long_delay",
    "row_locking_atomic_long_delay",
];

fn file(strategy: &str, data: &Path) -> String {
    format!(
        r#"
title = "Racy's own service"
engines = ["mysql", "mariadb", "postgres"]

[application]
command = [
  "{}", "serve", "--listen", "127.0.0.1:{{app_port}}", "--long-delay", "0",
]
env = {{ RACY_DATA_DIR = "{}", DATABASE_URL = "{{db_url}}" }}
ready = "/health/ready"

[[client]]
count = 2
request = {{ method = "POST", path = "/demo/{strategy}/", form = {{ account = "1", amount = "100" }} }}

[[invariant]]
name = "the balance is the sum of the acknowledged deposits"
sql = "SELECT balance = 100 * :acknowledged FROM accounts WHERE id = 1"
"#,
        env!("CARGO_BIN_EXE_racy"),
        data.display()
    )
}

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

async fn racys_own_strategies_end_alike_through_the_proxy(engine: TestEngine) {
    let data = tempfile::tempdir().unwrap();
    for strategy in STRATEGIES {
        let settings = Settings {
            connections: 12,
            ..Settings::default()
        };
        let lab = engine.lab_with(explore::settings(&settings)).await;
        let subjects = vec![subject_at("own.toml", &file(strategy, data.path()))];
        let through = explored(&lab.database, subjects, plan(ALL, 2)).await;
        assert!(through.broken.is_empty(), "{:?}", through.broken);
        assert!(through.error.is_none(), "{:?}", through.error);
        let through = &through.findings[0];
        let compiled = found_by_default(engine, strategy).await;
        assert_eq!(kinds(through), kinds(&compiled[0]), "{strategy}");
        assert_eq!(through.diverged, 0, "{through:?}");
        // A refused statement's rollback has a letter in an application alone.
        if compiled[0].tally.refused.is_empty() {
            let counts = |it: &Finding| (it.tally.schedules, it.tally.anomalies());
            assert_eq!(counts(through), counts(&compiled[0]), "{strategy}");
        }
    }
}
