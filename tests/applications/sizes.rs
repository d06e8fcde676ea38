//! Requests as long as those of real applications.

use racy::explore::{Job, Schedules};
use racy::verdict::Verdict;

use super::checkout::{INVARIANT, setup};
use super::stage::{Stage, two};
use crate::support::TestEngine;

on_engines!(
    protocols:
        a_lost_update_among_60_statements_is_found_with_one_preemption;
);

/// Two clients of 60 statements have 2 schedules without a preemption, and at most 59 each with
/// one. Those are left out in which a preemption can be put off.
///
/// That a checkout which holds is not accused is shown by `examples/applications`.
async fn a_lost_update_among_60_statements_is_found_with_one_preemption(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let file = stage.file(&format!("{}{INVARIANT}", two("/checkout?")));
    let begin = "CREATE TABLE account";
    let file = file.replacen(begin, &format!("{}{begin}", setup()), 1);
    let found = async |schedules| {
        let job = Job {
            are_all_asked: schedules != ALL,
            ..stage.job(&[&file], schedules)
        };
        let mut exploration = job.run(&|_| ()).await;
        assert!(exploration.broken.is_empty(), "{:?}", exploration.broken);
        let finding = exploration.findings.remove(0);
        assert_eq!(finding.diverged, 0, "{finding:?}");
        finding
    };
    let first = found(ALL).await;
    assert!(first.ended_early && first.complete, "{first:?}");
    assert_eq!(first.plan.schedules.bound(), Some(1));
    let (_, simplest) = first.simplest(Verdict::is_anomaly).unwrap();
    assert_eq!((simplest.preemptions, simplest.schedule.0.len()), (1, 120));

    let bound = Schedules::All {
        preemptions: Some(1),
    };
    let all = found(bound).await;
    assert_eq!(all.tally.schedules, 120);
    assert_eq!(first.tally.anomalies() > 0, all.tally.anomalies() > 0);
    assert!(first.tally.schedules < all.tally.schedules);
    assert_eq!(
        first.tally.verdicts.keys().collect::<Vec<_>>(),
        all.tally.verdicts.keys().collect::<Vec<_>>()
    );
}

const ALL: Schedules = Schedules::All { preemptions: None };
