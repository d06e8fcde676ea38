//! A schedule that is stepped through, made of a finding and one of its examples.

use std::collections::BTreeMap;

use super::{StateBefore, SteppedClient, SteppedRun, VERSION};
use crate::explore::Client;
use crate::explore::report::{ExampleData, FindingData};

/// The example as a schedule that is stepped through.
pub fn of(finding: &FindingData, example: &ExampleData) -> SteppedRun {
    let clients = Client::first(finding.clients);
    let letters = || clients.clone().map(|it| it.to_string());
    SteppedRun {
        version: VERSION,
        kind: "schedule",
        strategy: finding.strategy.clone(),
        title: String::new(),
        engine: finding.engine.to_string(),
        schedule: example.schedule.to_string(),
        verdict: finding.verdict.clone(),
        safe: !example.verdict.is_anomaly(),
        clients: letters()
            .map(|letter| SteppedClient { letter, name: None })
            .collect(),
        source: None,
        setup_sql: finding.setup_sql.to_string(),
        inspect_sql: finding.inspect_sql.to_string(),
        replay: String::new(),
        start: StateBefore {
            row: Vec::new(),
            hands: letters().map(|it| (it, None)).collect::<BTreeMap<_, _>>(),
        },
        steps: Vec::new(),
        highlight: None,
        loss: None,
    }
}
