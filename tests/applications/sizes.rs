//! Requests as long as those of real applications.

use racy::explore::{Job, Schedules};
use racy::verdict::Verdict;

use super::checkout::{INVARIANT, setup};
use super::stage::Stage;
use crate::support::TestEngine;

on_engines!(
    mysql:
        a_lost_update_among_60_statements_is_found_with_one_preemption;
);

/// Two clients of 60 statements have 2 schedules without a preemption, and at most 59 each with
/// one. Those are left out in which a preemption can be put off.
async fn a_lost_update_among_60_statements_is_found_with_one_preemption(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let file = |path: &str| {
        let text = stage.file(&format!(
            "[[client]]\ncount = 2\n\
             request = {{ method = \"POST\", path = \"{path}?client={{n}}\" }}\n{INVARIANT}"
        ));
        let begin = "CREATE TABLE account";
        text.replacen(begin, &format!("{}{begin}", setup()), 1)
    };
    let found = async |path: &str, schedules| {
        let job = Job {
            are_all_asked: schedules != ALL,
            ..stage.job(&[&file(path)], schedules)
        };
        let mut exploration = job.run(&|_| ()).await;
        assert!(exploration.broken.is_empty(), "{:?}", exploration.broken);
        let finding = exploration.findings.remove(0);
        assert_eq!(finding.diverged, 0, "{finding:?}");
        finding
    };
    let first = found("/checkout/lost", ALL).await;
    assert!(first.ended_early && first.complete, "{first:?}");
    assert_eq!(first.plan.schedules.bound(), Some(1));
    let (_, simplest) = first.simplest(Verdict::is_anomaly).unwrap();
    assert_eq!((simplest.preemptions, simplest.schedule.0.len()), (1, 120));

    let bound = Schedules::All {
        preemptions: Some(1),
    };
    let all = found("/checkout/lost", bound.clone()).await;
    assert_eq!(all.tally.schedules, 120);
    assert_eq!(first.tally.anomalies() > 0, all.tally.anomalies() > 0);
    assert!(first.tally.schedules < all.tally.schedules);
    assert_eq!(
        first.tally.verdicts.keys().collect::<Vec<_>>(),
        all.tally.verdicts.keys().collect::<Vec<_>>()
    );

    let none = found("/checkout/holds", bound).await;
    assert_eq!((none.tally.schedules, none.tally.anomalies()), (120, 0));
}

const ALL: Schedules = Schedules::All { preemptions: None };
