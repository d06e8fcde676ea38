//! Runs in which the clock ticks: they are run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use racy::engine::{Database, Fault, LaneKind};
use racy::exhibits::AccountFixtures;
use racy::exhibits::deposits::LOST_UPDATE;
use racy::explore::{self, Finding, Fixtures, Pending, Rows, RunError, Schedules, Stop, Subject};
use racy::verdict::Verdict;

use super::{READ_AND_WRITE, schedule};
use crate::support::TestEngine;
use crate::support::explored::{ALL, plan, subject};

on_engines!(
    every:
        a_run_in_which_the_clock_ticks_is_run_again,
        a_clock_that_ticks_in_every_run_is_an_error;
);

/// Accounts, beside a clock of the test's own.
#[derive(Debug)]
struct BesideAClock {
    accounts: AccountFixtures,
    /// Whether the clock ticks before the look with this number.
    ticks: fn(u64) -> bool,
    looks: AtomicU64,
    opened: AtomicU64,
}

impl BesideAClock {
    fn that_ticks_before(ticks: fn(u64) -> bool) -> Arc<Self> {
        Arc::new(Self {
            accounts: AccountFixtures::default(),
            ticks,
            looks: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        })
    }

    /// The planted race, on these accounts.
    async fn explored(
        self: &Arc<Self>,
        database: &Database,
        schedules: Schedules,
    ) -> (Finding, Result<(), RunError>) {
        let race = Arc::new(Subject {
            fixtures: Fixtures::Rows(self.clone()),
            ..Subject::clone(&subject(&READ_AND_WRITE))
        });
        let plan = plan(schedules, 2);
        let lanes = database.lanes(2, 1, LaneKind::Rows).await.unwrap();
        let stop = Stop::default();
        let explored = explore::explore(&lanes.lanes, &race, &plan, &stop, &|_, _| ()).await;
        lanes.close().await.unwrap();
        explored
    }
}

impl Rows for BesideAClock {
    fn make<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        self.opened.fetch_add(count as u64, Ordering::Relaxed);
        self.accounts.make(database, count)
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        ids: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        self.accounts.remove(database, ids)
    }

    fn id_is_unambiguous(&self, _id: i64) -> bool {
        true
    }

    fn clock_second<'a>(
        &'a self,
        _database: &'a Database,
    ) -> Option<Pending<'a, Result<i64, Fault>>> {
        Some(Box::pin(async {
            let looks = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
            let ticked = (1..=looks).filter(|look| (self.ticks)(*look)).count();
            Ok(ticked as i64)
        }))
    }
}

/// It ticks in the third run and in the one that repeats it, and in no other.
async fn a_run_in_which_the_clock_ticks_is_run_again(engine: TestEngine) {
    let lab = engine.lab().await;
    let accounts = BesideAClock::that_ticks_before(|look| look == 6 || look == 8);
    let (finding, ended) = accounts.explored(&lab.database, ALL).await;
    ended.unwrap();
    assert!(finding.is_exhaustive());
    assert_eq!(finding.tally.schedules, 20);
    assert_eq!(finding.tally.count(Verdict::Anomaly(&LOST_UPDATE)), 12);
    // An account for each run, for each of the two that do not count, and for the example, which is
    // run once more to be looked at.
    assert_eq!(accounts.opened.load(Ordering::Relaxed), 23);
}

async fn a_clock_that_ticks_in_every_run_is_an_error(engine: TestEngine) {
    let lab = engine.lab().await;
    let accounts = BesideAClock::that_ticks_before(|_| true);
    for schedules in [ALL, schedule("A A A B B B")] {
        let (finding, ended) = accounts.explored(&lab.database, schedules).await;
        assert!(matches!(ended, Err(RunError::CrossedASecond)), "{ended:?}");
        assert_eq!(finding.tally.schedules, 0);
        assert!(!finding.is_exhaustive());
    }
}
