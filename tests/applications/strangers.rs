//! Statements that could be given to the wrong client: those of nobody, those after an answer, and
//! several at once.

use super::shop::Habits;
use super::stage::Stage;
use crate::support::TestEngine;

on_engines!(
    protocols:
        a_heartbeat_passes_and_is_listed,
        what_comes_after_the_answer_is_the_clients,
        two_statements_at_once_are_one_clients,
        an_answer_that_is_too_long_to_be_held_is_told;
);

async fn a_heartbeat_passes_and_is_listed(engine: TestEngine) {
    let habits = Habits {
        has_a_heartbeat: true,
        ..Habits::default()
    };
    let stage = Stage::set_with(engine, habits).await;
    let runs = stage.every_run(&stage.two_clients("/autocommit?")).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.counts(), [18, 0, 0, 2]);
    let listed = |it: &String| {
        it.starts_with("passed without being held, because they belong to no request: ")
            && it.contains("UPDATE worker SET beats = beats + ? WHERE id = ? (")
    };
    assert!(runs.remarks.iter().any(listed), "{:?}", runs.remarks);
}

async fn what_comes_after_the_answer_is_the_clients(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let runs = stage.every_run(&stage.two_clients("/after?")).await;
    runs.must_be_given_to_their_clients();
    for run in &runs.runs {
        let inserts = run
            .trace
            .rows
            .iter()
            .filter(|row| row.step.label == "INSERT");
        assert_eq!(inserts.count(), 2, "{run:#?}");
    }
    // Safe: one client's UPDATE comes before the other's SELECT, and an INSERT comes anywhere.
    assert_eq!(runs.counts(), [12, 0, 0, 8]);
}

async fn two_statements_at_once_are_one_clients(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let runs = stage.every_run(&stage.two_clients("/both-at-once?")).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.runs.len(), 20);
}

async fn an_answer_that_is_too_long_to_be_held_is_told(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let runs = stage.every_run(&stage.two_clients("/long?")).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.counts(), [0, 0, 0, 6]);
    assert!(runs.say("too long to be held"), "{:?}", runs.remarks);
}
