//! Deposits that lock: on rows, by name, in the process.

use std::sync::Arc;

use racy::engine::{FaultKind, Isolation, Settings};
use racy::exhibits::deposits::{LOST_UPDATE, Receipt};
use racy::verdict::Verdict;

use super::{AFTER_READING, assert_expected, assert_one_serialization_failure, race, strategy};
use crate::support::{Client, TestEngine};

on_engines!(
    every:
        a_lock_in_the_process_makes_this_instances_clients_wait,
        a_lock_in_the_process_is_nothing_to_another_instance;
    servers:
        the_row_lock_makes_the_second_client_wait,
        the_named_lock_makes_the_second_client_wait,
        the_row_lock_comes_too_late_for_what_was_read;
    innodb:
        the_row_lock_holds_at_every_level;
    postgres:
        the_higher_levels_refuse_a_client_that_has_waited_for_the_row_lock;
    sqlite:
        begin_immediate_keeps_the_second_client_out;
);

async fn the_row_lock_makes_the_second_client_wait(engine: TestEngine) {
    let lab = engine.lab().await;
    let locking = strategy("row_locking_atomic_long_delay");
    let mut a = Client::start(&lab.database, locking).await;
    let mut b = Client::start(&lab.database, locking).await;
    a.go_to(AFTER_READING).await;
    assert!(!lab.database.waits_for_lock(a.connection()).await.unwrap());

    b.go_to("lock and read balance").await;
    b.go_and_wait_for_lock().await;

    let results = [a.finish().await, b.finish().await];
    assert_eq!(lab.verdict(&results).await, Verdict::Safe);
    assert_eq!(results[1], Ok(Receipt::at_first_try(100, 200)));
}

/// A wait that is not on a row, and is not in the engine's tables of row locks.
async fn the_named_lock_makes_the_second_client_wait(engine: TestEngine) {
    let lab = engine.lab().await;
    let locking = strategy("advisory_lock");
    let mut a = Client::start(&lab.database, locking).await;
    let mut b = Client::start(&lab.database, locking).await;
    a.go_to("read balance").await;
    assert!(!lab.database.waits_for_lock(a.connection()).await.unwrap());
    b.go_to("lock by name").await;
    b.go_and_wait_for_lock().await;
    let results = [a.finish().await, b.finish().await];
    assert_eq!(lab.verdict(&results).await, Verdict::Safe);
    assert_eq!(results[1], Ok(Receipt::at_first_try(100, 200)));
}

async fn the_row_lock_holds_at_every_level(engine: TestEngine) {
    for level in engine.levels() {
        let lab = engine.lab_at(*level).await;
        let locking = strategy("row_locking_atomic_long_delay");
        let mut a = Client::start(&lab.database, locking).await;
        let mut b = Client::start(&lab.database, locking).await;
        // B's snapshot, if it has one, is the oldest possible.
        b.go_to("lock and read balance").await;
        a.go_to(AFTER_READING).await;
        b.go_and_wait_for_lock().await;
        let results = [a.finish().await, b.finish().await];
        let verdict = lab.verdict(&results).await;
        assert_eq!(verdict, Verdict::Safe, "{level}");
        assert_expected(&lab, locking, verdict);
    }
}

/// B waits for A's lock, and its snapshot grows old meanwhile.
async fn the_higher_levels_refuse_a_client_that_has_waited_for_the_row_lock(engine: TestEngine) {
    for level in [Isolation::RepeatableRead, Isolation::Serializable] {
        let lab = engine.lab_at(level).await;
        let locking = strategy("row_locking_atomic_long_delay");
        let mut a = Client::start(&lab.database, locking).await;
        let mut b = Client::start(&lab.database, locking).await;
        a.go_to(AFTER_READING).await;
        b.go_to("lock and read balance").await;
        b.go_and_wait_for_lock().await;
        let results = [a.finish().await, b.finish().await];
        assert_one_serialization_failure(&results);
        assert_expected(&lab, locking, lab.verdict(&results).await);

        // A client that begins to read after the commit is served.
        let late = Client::start(&lab.database, locking).await;
        late.finish().await.unwrap();
        assert_eq!(lab.account().await.balance, 200, "{level}");
    }
}

/// `BEGIN IMMEDIATE` is the lock: B does not get past it while A has it. SQLite has no table in
/// which one could see B wait; but B waits a second at most, and is refused where it waited.
async fn begin_immediate_keeps_the_second_client_out(engine: TestEngine) {
    let impatient = Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    };
    let lab = engine.lab_with(impatient).await;
    let locking = strategy("row_locking_atomic_long_delay");
    let mut a = Client::start(&lab.database, locking).await;
    a.go_to(AFTER_READING).await;
    let mut b = Client::start(&lab.database, locking).await;
    assert_eq!(b.next_step().await, Some("begin"));
    b.go().await;
    assert_eq!(b.next_step().await, None, "it got past its begin");

    let results = [a.finish().await, b.finish().await];
    let verdict = lab.verdict(&results).await;
    assert_eq!(verdict, Verdict::Refused(FaultKind::Busy));
}

/// B may do whatever it wants as soon as A has the lock; but it wants the lock first.
async fn a_lock_in_the_process_makes_this_instances_clients_wait(engine: TestEngine) {
    let lab = engine.lab().await;
    let (memory, mutex) = (Arc::default(), strategy("mutex_in_process"));
    let mut a = Client::start_at(&memory, &lab.database, mutex).await;
    a.go_to("insert transaction").await;
    let b = Client::start_at(&memory, &lab.database, mutex).await;
    let b = tokio::spawn(b.finish());
    a.go_to("unlock in process").await;
    assert_eq!(lab.account().await.balance, 100);
    let results = [a.finish().await, b.await.unwrap()];
    assert_eq!(results[1], Ok(Receipt::at_first_try(100, 200)));
    assert_eq!(lab.verdict(&results).await, Verdict::Safe);
}

async fn a_lock_in_the_process_is_nothing_to_another_instance(engine: TestEngine) {
    let lab = engine.lab().await;
    let mutex = strategy("mutex_in_process");
    let results = race(&lab, mutex).await;
    let verdict = lab.verdict(&results).await;
    let expected = mutex
        .setting()
        .expected_on(lab.database.engine(), 2)
        .unwrap();
    assert!(expected.includes(verdict), "{verdict}");
    assert_ne!(verdict, Verdict::Safe);
}

/// B waits for the lock, gets it, and writes all the same what it had computed before.
async fn the_row_lock_comes_too_late_for_what_was_read(engine: TestEngine) {
    let lab = engine.lab().await;
    let late = strategy("lock_after_read");
    let mut a = Client::start(&lab.database, late).await;
    let mut b = Client::start(&lab.database, late).await;
    b.go_to("lock row").await;
    a.go_to("commit").await;
    b.go_and_wait_for_lock().await;
    let results = [a.finish().await, b.finish().await];
    let verdict = lab.verdict(&results).await;
    assert_expected(&lab, late, verdict);
    let expected = match lab.database.engine().snapshot_isolation {
        true => Verdict::Refused(FaultKind::SnapshotConflict),
        false => Verdict::Anomaly(&LOST_UPDATE),
    };
    assert_eq!(verdict, expected);
    assert_eq!(lab.account().await.balance, 100);
}
