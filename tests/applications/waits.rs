//! Requests that wait for something that is not the database: they hang nothing, and it is told.

use super::shop::Habits;
use super::stage::{Runs, Stage};
use crate::support::TestEngine;

on_engines!(
    servers:
        a_lock_in_the_process_is_a_wait_and_keeps_what_it_protects,
        an_application_that_serves_one_request_at_a_time_is_told_as_that,
        a_pool_of_one_connection_lets_one_transaction_in_at_a_time,
        a_pool_of_one_connection_that_is_shared_between_statements_has_no_verdict;
);

const ONE_AT_A_TIME: &str = "the application serves one request at a time";

async fn runs_of(engine: TestEngine, habits: Habits, path: &str) -> Runs {
    let stage = Stage::set_with(engine, habits).await;
    let runs = stage.every_run(&stage.two_clients(path)).await;
    runs.must_be_given_to_their_clients();
    runs
}

async fn a_lock_in_the_process_is_a_wait_and_keeps_what_it_protects(engine: TestEngine) {
    let runs = runs_of(engine, Habits::default(), "/mutex?").await;
    // The lock goes to the client whose INSERT comes first. The other's comes at any later time.
    assert_eq!(runs.counts(), [0, 0, 0, 6]);
    assert!(!runs.say(ONE_AT_A_TIME), "{:?}", runs.remarks);
}

async fn an_application_that_serves_one_request_at_a_time_is_told_as_that(engine: TestEngine) {
    let runs = runs_of(engine, Habits::default(), "/one-at-a-time?").await;
    assert_eq!(runs.counts(), [0, 0, 0, 1]);
    assert!(runs.say(ONE_AT_A_TIME), "{:?}", runs.remarks);
}

const ONE_CONNECTION: Habits = Habits {
    connections: 1,
    has_a_heartbeat: false,
};

async fn a_pool_of_one_connection_lets_one_transaction_in_at_a_time(engine: TestEngine) {
    let runs = runs_of(engine, ONE_CONNECTION, "/transaction?").await;
    assert_eq!(runs.counts(), [0, 0, 0, 1]);
    assert!(runs.say(ONE_AT_A_TIME), "{:?}", runs.remarks);
}

/// Both send the same statements, so nothing tells whose the next one is. That is no verdict.
async fn a_pool_of_one_connection_that_is_shared_between_statements_has_no_verdict(
    engine: TestEngine,
) {
    let stage = Stage::set_with(engine, ONE_CONNECTION).await;
    let exploration = stage.explore(&stage.two_clients("/autocommit?")).await;
    assert!(exploration.error.is_none(), "{:?}", exploration.error);
    assert!(exploration.broken.is_empty(), "{:?}", exploration.broken);
    let found = &exploration.findings[0];
    assert!(found.tally.verdicts.is_empty(), "{:?}", found.tally);
    assert!(found.diverged == 1 && !found.is_exhaustive(), "{found:?}");
    let told = |it: &String| it.contains("such as a pool's only connection");
    assert!(found.not_compared.iter().any(told), "{found:?}");
}
