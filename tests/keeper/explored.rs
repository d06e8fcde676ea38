//! The keeper beside one deposit, in every schedule that there is: what load finds only with luck.

use std::sync::Arc;

use racy::engine::{Database, Settings};
use racy::exhibits::deposits::Strategy;
use racy::explore::{self, Finding, Subject};
use racy::keeper::explored::{Change, subject};

use crate::support::TestEngine;
use crate::support::explored::{REDUCED, job, plan};

on_engines!(
    every:
        a_change_beside_a_safe_deposit_is_right_in_every_schedule;
    servers:
        a_change_in_another_process_does_not_know_this_ones_locks;
);

/// A change to run beside the strategies that rely on different things, each once. Deleting differs
/// from resetting in what it writes, and deleting one from deleting all in what it moves.
const PAIRS: [(Change, &[&str]); 3] = [
    (
        Change::Reset,
        &[
            "row_locking_atomic_long_delay",
            "atomic_update_insert_first",
            "optimistic_retry",
            "serializable_retry",
            "append_only",
            "partitioned",
            "advisory_lock",
            "mutex_in_process",
        ],
    ),
    (
        Change::DeleteTransactions,
        &["optimistic_retry", "advisory_lock", "mutex_in_process"],
    ),
    (Change::DeleteTransaction, &["append_only"]),
];

async fn a_change_beside_a_safe_deposit_is_right_in_every_schedule(engine: TestEngine) {
    let lab = engine
        .lab_with(explore::settings(&Settings::default()))
        .await;
    let pairs = PAIRS.iter().flat_map(|(change, strategies)| {
        let strategies = strategies.iter();
        strategies.map(|name| subject(*change, Strategy::named(name).unwrap()))
    });
    for found in findings(&lab.database, pairs.collect(), 1).await {
        let (name, tally) = (&found.about.name, &found.tally);
        assert!(found.complete && tally.schedules > 1, "{name}");
        assert_eq!(tally.anomalies(), 0, "{name}: {tally:?}");
    }
}

/// The strategy relies on the process alone. The pages and the commands say so.
async fn a_change_in_another_process_does_not_know_this_ones_locks(engine: TestEngine) {
    let lab = engine
        .lab_with(explore::settings(&Settings::default()))
        .await;
    let mutex = Strategy::named("mutex_in_process").unwrap();
    let pair = vec![subject(Change::Reset, mutex)];
    for found in findings(&lab.database, pair, 2).await {
        let is_weak = !lab.database.engine().snapshot_isolation;
        assert_eq!(found.tally.anomalies() > 0, is_weak, "{:?}", found.tally);
    }
}

async fn findings(database: &Database, pairs: Vec<Subject>, instances: usize) -> Vec<Finding> {
    let pairs = pairs.into_iter().map(Arc::new).collect();
    let mut job = job(database, pairs, plan(REDUCED, 2));
    job.instances = Some(instances);
    let exploration = job.run(&|_| ()).await;
    assert!(exploration.error.is_none(), "{:?}", exploration.error);
    exploration.findings
}
