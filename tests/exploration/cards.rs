//! The cards in the strategies' files against what the explorer finds.

use racy::exhibits::card::Count;
use racy::explore::Finding;

use super::expected_of;
use crate::support::TestEngine;
use crate::support::explored::everything;

on_engines!(
    every:
        every_card_says_what_is_found;
);

async fn every_card_says_what_is_found(engine: TestEngine) {
    for finding in everything(engine).await {
        assert_agrees_with_its_card(finding);
    }
}

fn assert_agrees_with_its_card(finding: &Finding) {
    let (name, engine) = (&finding.about.name, &finding.engine);
    let mut expected: Vec<Count> = expected_of(finding).verdicts.to_vec();
    expected.sort_by_key(|count| count.verdict);
    let verdicts = finding.tally.verdicts.iter();
    let found: Vec<Count> = verdicts
        .map(|(verdict, schedules)| Count {
            verdict: *verdict,
            schedules: *schedules,
        })
        .collect();
    assert_eq!(found, expected, "{name} on {engine}");
}
