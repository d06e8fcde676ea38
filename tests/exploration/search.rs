//! Searches that are not every schedule: reduced, drawn at random, cut off; and what each leaves.

use racy::accounts::{self, Page};
use racy::exhibits::deposits::{LOST_UPDATE, STRATEGIES};
use racy::explore::{Event, PARALLEL, Schedules, report};
use racy::verdict::Verdict;

use super::{
    READ_AND_WRITE, expected_of, finding, found, report_of, schedule, strategy, text, verdict,
};
use crate::support::TestEngine;
use crate::support::explored::{ALL, REDUCED, found_by_default, job, plan, subject};
use crate::support::lab::left_by_explorers;

on_engines!(
    every:
        leaving_out_what_ends_alike_changes_no_verdict,
        a_sample_is_the_same_for_the_same_seed,
        a_sample_is_never_called_safe,
        a_search_with_a_limit_says_how_far_it_came,
        a_bound_of_preemptions_is_part_of_the_verdict,
        a_search_that_is_stopped_ends_with_the_runs_under_way,
        nothing_is_left_behind,
        a_lock_in_the_process_holds_for_one_instance_alone,
        a_wait_for_a_lock_in_the_process_is_shown;
    postgres:
        no_lane_is_left_behind;
);

/// Another test compares what all schedules lead to with the cards.
async fn leaving_out_what_ends_alike_changes_no_verdict(engine: TestEngine) {
    let lab = engine.lab().await;
    for strategy in &STRATEGIES {
        let reduced = found(&lab.database, &[subject(strategy)], REDUCED, 2)
            .await
            .findings;
        assert_eq!(reduced.len(), strategy.setting().instances(2).len());
        for reduced in &reduced {
            let all = expected_of(reduced).verdicts;
            let mut verdicts: Vec<_> = all.iter().map(|count| count.verdict).collect();
            verdicts.sort();
            let found: Vec<_> = reduced.tally.verdicts.keys().copied().collect();
            assert_eq!(found, verdicts, "{}", strategy.name);
            // Two clients that do the same differ in name alone, which halves them.
            let schedules: u64 = all.iter().map(|count| count.schedules).sum();
            assert!(2 * reduced.tally.schedules <= schedules);
            assert!(verdict(reduced).contains("(one for all that must end alike)"));
        }
    }
}

async fn a_sample_is_the_same_for_the_same_seed(engine: TestEngine) {
    let lab = engine.lab().await;
    let sample = |seed| Schedules::Sample { seed, runs: 40 };
    let mut counts = Vec::new();
    for _ in 0..2 {
        let finding = finding(&lab.database, &READ_AND_WRITE, sample(7), 3).await;
        assert_eq!(finding.tally.schedules, 40);
        assert!(finding.tally.count(Verdict::Anomaly(&LOST_UPDATE)) > 0);
        let (_, simplest) = finding.simplest(Verdict::is_anomaly).unwrap();
        let simplest = simplest.schedule.clone();
        counts.push((finding.tally.verdicts, simplest));
    }
    assert_eq!(counts[0], counts[1]);
}

async fn a_sample_is_never_called_safe(engine: TestEngine) {
    let lab = engine.lab().await;
    let locking = strategy("row_locking_atomic_long_delay");
    let sample = Schedules::Sample { seed: 7, runs: 40 };
    let finding = finding(&lab.database, locking, sample, 2).await;
    assert!(!finding.is_exhaustive());
    let verdict = verdict(&finding);
    assert!(!verdict.contains("safe"), "{verdict}");
    let drawn = "40 schedules of 2 clients drawn at random (seed 7)";
    assert!(verdict.contains(drawn), "{verdict}");
    let bound = "95 % confidence, fewer than 7.22 %";
    assert!(verdict.contains(bound), "{verdict}");
}

/// Two clients of three statements: 2 schedules without a preemption, 4 with one, 20 in all.
async fn a_bound_of_preemptions_is_part_of_the_verdict(engine: TestEngine) {
    let lab = engine.lab().await;
    let bounded = |most| Schedules::All {
        preemptions: Some(most),
    };
    let one = finding(&lab.database, &READ_AND_WRITE, bounded(1), 2).await;
    assert!(one.complete && !one.is_exhaustive());
    assert_eq!((one.tally.schedules, one.complete_up_to()), (6, Some(1)));
    let said = verdict(&one);
    let all = "loses an update in 2 of all 6 schedules of 2 clients with at most 1 preemption";
    assert!(said.starts_with(all), "{said}");
    let shown = text(&one);
    let simplest = "The simplest schedule that loses an update: A A B B B A (1 preemption)";
    assert!(shown.contains(simplest), "{shown}");

    let none = finding(&lab.database, &READ_AND_WRITE, bounded(0), 2).await;
    let said = verdict(&none);
    let all = "goes wrong in none of all 2 schedules of 2 clients without a preemption";
    assert_eq!(said, all);

    // No schedule has more than four.
    let four = finding(&lab.database, &READ_AND_WRITE, bounded(4), 2).await;
    assert!(four.is_exhaustive());
    assert_eq!(four.tally.schedules, 20);
    assert!(!verdict(&four).contains("preemption"));
}

async fn a_search_with_a_limit_says_how_far_it_came(engine: TestEngine) {
    let lab = engine.lab().await;
    let locking = subject(strategy("row_locking_atomic_long_delay"));
    let mut job = job(&lab.database, vec![locking], plan(ALL, 2));
    job.plan.limit = Some(5);
    let exploration = job.run(&|_| ()).await;
    let [finding] = &exploration.findings[..] else {
        panic!("{exploration:?}");
    };
    assert_eq!(finding.tally.schedules, 5);
    assert!(!finding.is_exhaustive());
    let said = verdict(finding);
    let words = "5 schedules of 2 clients (all 2 without a preemption, and 3 with 1), which are not \
                 all there are";
    assert!(said.contains(words), "{said}");
}

async fn a_search_that_is_stopped_ends_with_the_runs_under_way(engine: TestEngine) {
    let lab = engine.lab().await;
    let locking = subject(strategy("row_locking_atomic_long_delay"));
    let job = job(&lab.database, vec![locking], plan(ALL, 2));
    let stop_at_the_third = |event| {
        if let Event::Progress { schedules: 3, .. } = event {
            job.stop.stop();
        }
    };
    let exploration = job.run(&stop_at_the_third).await;
    let [finding] = &exploration.findings[..] else {
        panic!("{exploration:?}");
    };
    assert!((3..3 + PARALLEL as u64).contains(&finding.tally.schedules));
    assert!(!finding.is_exhaustive() && exploration.error.is_none());
}

async fn nothing_is_left_behind(engine: TestEngine) {
    let lab = engine.lab().await;
    finding(&lab.database, strategy("atomic_no_delay"), ALL, 2).await;
    let page = Page {
        after: 0,
        limit: 10,
    };
    let accounts = accounts::list(&lab.database, page).await.unwrap();
    assert_eq!(accounts.len(), 1, "only the first account: {accounts:?}");
    lab.until_nothing_is_open().await;
}

/// PostgreSQL's lanes are schemas of the database. MySQL's are databases, and are counted where a
/// server has no other explorer.
async fn no_lane_is_left_behind(engine: TestEngine) {
    let lab = engine.lab().await;
    finding(&lab.database, strategy("atomic_no_delay"), ALL, 2).await;
    assert_eq!(left_by_explorers(&lab.address).await, [""; 0]);
}

async fn a_lock_in_the_process_holds_for_one_instance_alone(engine: TestEngine) {
    let found = found_by_default(engine, "mutex_in_process").await;
    let [one, two] = &found[..] else {
        panic!("one finding for each number of instances");
    };
    assert_eq!((one.plan.instances, two.plan.instances), (1, 2));
    assert!(verdict(one).starts_with("safe in all"));
    // Of all but the two in which one client comes after the other.
    assert_eq!(one.tally.waited, one.tally.schedules - 2);
    assert!(two.tally.count(Verdict::Safe) < two.tally.schedules);
    let report = report_of(&found);
    let text = report::text(&report);
    assert!(text.contains("mutex_in_process, 2 instances on"), "{text}");
    let table = report::matrix::markdown(&report);
    let row = "| `mutex_in_process`, 2 instances |";
    assert!(table.contains(row), "{table}");
}

/// B waits for A: its step is let go, and goes on once A has given the lock up.
async fn a_wait_for_a_lock_in_the_process_is_shown(engine: TestEngine) {
    let lab = engine.lab().await;
    let waiting = schedule("A B A A A A A B B B B B");
    let mutex = strategy("mutex_in_process");
    let waiting = finding(&lab.database, mutex, waiting, 2).await;
    let tally = &waiting.tally;
    assert_eq!((tally.waited, tally.count(Verdict::Safe)), (1, 1));
    let shown = text(&waiting);
    let waits = "lock in process … waits for a lock";
    assert!(shown.contains(waits), "{shown}");
    assert!(shown.contains("… 2 goes on"), "{shown}");
}
