//! A schedule that is stepped through, made of a finding and one of its examples.

use super::state::State;
use super::{Highlight, SteppedClient, SteppedRun, VERSION, loss, replay, source};
use crate::explore::Client;
use crate::explore::report::{ExampleData, FindingData};

/// The example as a schedule that is stepped through.
pub fn of(finding: &FindingData, example: &ExampleData) -> SteppedRun {
    let source = source::of(finding, example);
    let mut state = State::before(finding.clients, example);
    let start = state.start();
    let steps = example.steps.iter().enumerate();
    let steps = steps.map(|(index, _)| state.after(finding, example, index, source.as_ref()));
    let inspect = example.inspect_sql.as_deref();
    SteppedRun {
        version: VERSION,
        kind: "schedule",
        strategy: finding.strategy.clone(),
        title: title(finding, example),
        engine: finding.engine.to_string(),
        schedule: example.schedule.to_string(),
        verdict: finding.verdict.clone(),
        safe: !example.verdict.is_anomaly(),
        clients: clients(finding),
        setup_sql: finding.setup_sql.to_string(),
        inspect_sql: inspect.unwrap_or(&finding.inspect_sql).to_owned(),
        replay: replay::command(finding, example),
        start,
        steps: steps.collect(),
        highlight: example.highlight.as_ref().map(|it| Highlight {
            index: it.index,
            words: it.words.clone(),
        }),
        loss: loss::of(example),
        source,
    }
}

fn clients(finding: &FindingData) -> Vec<SteppedClient> {
    let clients = Client::first(finding.clients);
    clients
        .map(|client| SteppedClient {
            letter: client.to_string(),
            name: finding
                .scenario_clients
                .get(client.index())
                .and_then(|it| it.name.clone()),
        })
        .collect()
}

/// What the example is an example of.
fn title(finding: &FindingData, example: &ExampleData) -> String {
    if finding.policy == "replay" {
        return "The schedule that was asked for".to_owned();
    }
    finding.example_of(example)
}
