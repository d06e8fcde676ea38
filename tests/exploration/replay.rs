//! One schedule, run again: the same steps, the same waits, and an error if it cannot be run.

use racy::engine::Isolation;
use racy::explore::{JobError, Schedules};
use racy::verdict::Verdict;
use serde_json::Value;

use super::{READ_AND_WRITE, finding, found, report_of, schedule, strategy, text};
use crate::support::TestEngine;
use crate::support::described::has_schema_named;
use crate::support::explored::{found_by_default, subject};

on_engines!(
    every:
        a_schedule_runs_the_same_twice,
        a_replay_that_diverges_says_where;
    servers:
        a_wait_is_seen_and_shown;
    innodb:
        a_write_that_matches_no_row_is_shown;
);

async fn a_schedule_runs_the_same_twice(engine: TestEngine) {
    let lab = engine.lab().await;
    let atomic = strategy("atomic_long_delay");
    let found = found_by_default(engine, atomic.name).await.remove(0);
    for example in found.tally.examples.values() {
        let again = Schedules::One(example.schedule.clone());
        let first = finding(&lab.database, atomic, again.clone(), 2).await;
        let second = finding(&lab.database, atomic, again, 2).await;
        assert_eq!(text(&first), text(&second));
        assert!(text(&first).contains(&example.schedule.to_string()));
    }
}

/// The client that comes too late swaps three times, and the timeline says that it swapped nothing.
async fn a_write_that_matches_no_row_is_shown(engine: TestEngine) {
    let lab = engine.lab().await;
    if lab.database.engine().snapshot_isolation {
        // There the first of them is refused.
        return;
    }
    let too_late = schedule("A A B B B B B A A A A A");
    let found = finding(&lab.database, strategy("retry_same_snapshot"), too_late, 2).await;
    let drawn = text(&found);
    let words: Vec<_> = drawn.split_whitespace().collect();
    let in_the_timeline_and_in_sql = words.join(" ").matches("→ no row").count();
    assert_eq!(in_the_timeline_and_in_sql, 3 + 3, "{drawn}");
}

/// Schedules that cannot be run, and what is said of each.
const DIVERGING: [(&str, &str); 3] = [
    (
        "A A B",
        "at step 4: the schedule ends, but not all clients are done: next could be \
         A (write balance) or B (read balance)",
    ),
    (
        "A A A A B B B",
        "at step 4: it is A's turn, but A waits or is done: next could be B (insert transaction)",
    ),
    (
        "A A A B B B A",
        "at step 7: it is A's turn, but all clients are done",
    ),
];

async fn a_replay_that_diverges_says_where(engine: TestEngine) {
    let lab = engine.lab().await;
    for (text, where_and_why) in DIVERGING {
        let found = found(
            &lab.database,
            &[subject(&READ_AND_WRITE)],
            schedule(text),
            2,
        )
        .await;
        let Some(JobError::Run(_, error)) = found.error else {
            panic!("{text} did not diverge");
        };
        assert!(error.to_string().contains(where_and_why), "{text}: {error}");
    }
}

async fn a_wait_is_seen_and_shown(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::ReadCommitted).await;
    let locking = strategy("row_locking_atomic_long_delay");
    let one = schedule("A A B B A A A B B B");
    let finding = finding(&lab.database, locking, one, 2).await;
    assert_eq!(
        (finding.tally.waited, finding.tally.count(Verdict::Safe)),
        (1, 1)
    );
    let shown = text(&finding);
    assert!(shown.contains("… waits for a lock"), "{shown}");
    assert!(shown.contains("… 4 goes on → 100"), "{shown}");

    let report = serde_json::to_value(report_of(std::slice::from_ref(&finding))).unwrap();
    has_schema_named("Report", &report).unwrap();
    let json = &report["findings"][0];
    assert_eq!(json["counterexample"], Value::Null);
    assert_eq!(
        (&json["policy"], &json["exhaustive"]),
        (&"replay".into(), &false.into())
    );
}
