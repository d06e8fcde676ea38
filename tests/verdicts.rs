//! Each strategy's verdict on each engine, under schedules that are forced step by step.

use std::sync::Arc;

use racy::engine::local::{Folder, LocalServer};
use racy::engine::{Fault, FaultKind, Isolation, Settings};
use racy::exhibits::deposits::{
    Failure, LOST_UPDATE, Place, Receipt, Refusal, STRATEGIES, Strategy,
};
use racy::verdict::{Outcome, Verdict};

use crate::support::lab::{Fresh, run_at};
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    every:
        both_read_before_either_writes,
        one_after_the_other_is_safe,
        autocommit_loses_at_the_default_level,
        an_atomic_deposit_meets_one_that_has_written,
        who_is_overtaken_begins_again,
        who_is_overtaken_each_time_gives_up,
        no_level_helps_autocommit,
        a_retry_in_the_same_snapshot_never_gets_through,
        a_lock_in_the_process_makes_this_instances_clients_wait,
        a_lock_in_the_process_is_nothing_to_another_instance,
    ;
    servers:
        the_row_lock_makes_the_second_client_wait,
        the_named_lock_makes_the_second_client_wait,
        the_row_lock_comes_too_late_for_what_was_read,
        a_time_that_has_changed_turns_the_second_client_away,
    ;
    innodb:
        the_weaker_levels_lose_atomic_deposits,
        serializable_refuses_atomic_deposits,
        two_atomic_deposits_deadlock,
        the_row_lock_holds_at_every_level,
        a_record_made_first_deadlocks_and_one_made_last_does_not,
        a_deadlocks_victim_begins_again,
        a_statement_retried_after_a_deadlock_is_in_no_transaction,
        a_statement_retried_after_a_timeout_is_still_in_its_transaction,
    ;
    postgres:
        the_foreign_key_makes_nobody_wait,
        the_higher_levels_refuse_the_later_atomic_deposit,
        the_higher_levels_refuse_who_has_waited_for_the_row_lock,
        a_statement_retried_in_a_refused_transaction_is_refused_for_that,
);

fn strategy(name: &str) -> &'static Strategy {
    Strategy::named(name).unwrap()
}

fn assert_expected(lab: &Lab, strategy: &Strategy, verdict: Verdict) {
    let engine = lab.database.engine();
    let expected = strategy.card.expected_on(engine).unwrap();
    assert!(
        expected.includes(verdict),
        "{} on {engine}: {verdict}, but its card expects {:?}",
        strategy.name,
        expected.verdicts
    );
}

/// A's first step that is not safe to take before B has read.
const AFTER_READING: &str = "insert transaction";

/// The schedule of the race: both read, then A runs to its end, then B.
async fn race(lab: &Lab, strategy: &'static Strategy) -> Vec<Result<Receipt, Failure>> {
    let mut a = Client::start(&lab.database, strategy).await;
    let mut b = Client::start(&lab.database, strategy).await;
    a.go_to(AFTER_READING).await;
    b.go_to(AFTER_READING).await;
    vec![a.finish().await, b.finish().await]
}

async fn both_read_before_either_writes(engine: TestEngine) {
    for name in [
        "non_atomic_no_delay",
        "non_atomic_long_delay",
        "atomic_no_delay",
        "atomic_long_delay",
        "lock_without_transaction",
    ] {
        let (lab, strategy) = (engine.lab().await, strategy(name));
        let results = race(&lab, strategy).await;
        let verdict = lab.verdict(&results).await;
        assert_expected(&lab, strategy, verdict);

        let atomic = name.starts_with("atomic");
        let refuses = engine == TestEngine::Sqlite || lab.database.engine().snapshot_isolation;
        let expected = match atomic && refuses {
            true => Verdict::Refused(FaultKind::SnapshotConflict),
            false => Verdict::Anomaly(&LOST_UPDATE),
        };
        assert_eq!(verdict, expected, "{name}");
        assert_eq!(lab.account().await.balance, 100);
    }
}

async fn one_after_the_other_is_safe(engine: TestEngine) {
    for strategy in &STRATEGIES {
        let lab = engine.lab().await;
        let mut results = Vec::new();
        for _ in 0..2 {
            let client = Client::start(&lab.database, strategy).await;
            results.push(client.finish().await);
        }
        assert_eq!(lab.verdict(&results).await, Verdict::Safe);
        let receipt = match strategy.name {
            "append_only" | "partitioned" => Receipt::without_a_balance(),
            "batched" => Receipt {
                batch: Some(Place { number: 1, of: 1 }),
                ..Receipt::at_first_try(100, 200)
            },
            _ => Receipt::at_first_try(100, 200),
        };
        assert_eq!(results[1], Ok(receipt), "{}", strategy.name);
    }
}

/// Another losing schedule than the race's: B's whole deposit fits into A's window.
async fn autocommit_loses_at_the_default_level(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut a = Client::start(&lab.database, strategy("non_atomic_no_delay")).await;
    a.go_to("write balance").await;
    let b = Client::start(&lab.database, strategy("non_atomic_no_delay")).await;
    let b = b.finish().await;
    let results = [a.finish().await, b];
    assert_eq!(lab.verdict(&results).await, Verdict::Anomaly(&LOST_UPDATE));
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.expected, account.lost),
        (100, 200, 100)
    );
}

/// A has written but not committed when B wants to insert. InnoDB makes B wait for A's lock on the
/// account's row, PostgreSQL only when B wants to write it too, SQLite refuses at once.
async fn an_atomic_deposit_meets_one_that_has_written(engine: TestEngine) {
    let lab = engine.lab().await;
    let atomic = strategy("atomic_no_delay");
    let mut a = Client::start(&lab.database, atomic).await;
    let mut b = Client::start(&lab.database, atomic).await;
    a.go_to(AFTER_READING).await;
    b.go_to(AFTER_READING).await;
    a.go_to("commit").await;
    let results = match engine {
        TestEngine::Sqlite => {
            let b = b.finish().await;
            vec![a.finish().await, b]
        }
        TestEngine::MySql | TestEngine::MariaDb | TestEngine::Postgres => {
            if engine == TestEngine::Postgres {
                b.go_to("write balance").await;
            }
            b.go_and_wait_for_lock().await;
            vec![a.finish().await, b.finish().await]
        }
    };
    let verdict = lab.verdict(&results).await;
    assert_expected(&lab, atomic, verdict);
    let expected = match engine {
        TestEngine::Sqlite => Verdict::Refused(FaultKind::Busy),
        _ if lab.database.engine().snapshot_isolation => {
            Verdict::Refused(FaultKind::SnapshotConflict)
        }
        _ => Verdict::Anomaly(&LOST_UPDATE),
    };
    assert_eq!(verdict, expected);
}

/// B has read when A deposits: B's version is old, on engines that look at it, or its snapshot is.
async fn who_is_overtaken_begins_again(engine: TestEngine) {
    let lab = engine.lab().await;
    let optimistic = strategy("optimistic_retry");
    let mut b = Client::start(&lab.database, optimistic).await;
    b.go_to("compare and swap").await;
    let a = Client::start(&lab.database, optimistic).await;
    let results = [a.finish().await, b.finish().await];
    assert_eq!(lab.verdict(&results).await, Verdict::Safe);
    let second = Receipt {
        attempts: 2,
        ..Receipt::at_first_try(100, 200)
    };
    assert_eq!(results[1], Ok(second));
    assert_eq!(lab.account().await.version, 2);
}

async fn who_is_overtaken_each_time_gives_up(engine: TestEngine) {
    let lab = engine.lab().await;
    let optimistic = strategy("optimistic_retry");
    let mut b = Client::start(&lab.database, optimistic).await;
    for _ in 0..6 {
        b.go_to("compare and swap").await;
        let a = Client::start(&lab.database, optimistic).await;
        a.finish().await.unwrap();
        b.go().await;
    }
    let gave_up = Failure {
        refusal: Refusal::GaveUp { attempts: 6 },
        outcome: Outcome::Refused,
    };
    assert_eq!(b.finish().await, Err(gave_up));
    let account = lab.account().await;
    assert_eq!((account.balance, account.lost), (600, 0));
    assert!(!lab.has_open_transactions().await);
}

async fn no_level_helps_autocommit(engine: TestEngine) {
    for level in engine.levels() {
        let lab = engine.lab_at(*level).await;
        assert_eq!(lab.database.engine().isolation, *level);
        let results = race(&lab, strategy("non_atomic_no_delay")).await;
        assert_eq!(
            lab.verdict(&results).await,
            Verdict::Anomaly(&LOST_UPDATE),
            "{level}"
        );
    }
}

async fn the_weaker_levels_lose_atomic_deposits(engine: TestEngine) {
    for level in [Isolation::ReadUncommitted, Isolation::ReadCommitted] {
        let lab = engine.lab_at(level).await;
        let results = race(&lab, strategy("atomic_no_delay")).await;
        assert_eq!(
            lab.verdict(&results).await,
            Verdict::Anomaly(&LOST_UPDATE),
            "{level}"
        );
    }
}

/// At SERIALIZABLE a read takes a shared lock: A cannot write while B has read, nor B while A has.
async fn serializable_refuses_atomic_deposits(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::Serializable).await;
    let atomic = strategy("atomic_no_delay");
    let mut a = Client::start(&lab.database, atomic).await;
    let mut b = Client::start(&lab.database, atomic).await;
    a.go_to(AFTER_READING).await;
    b.go_to(AFTER_READING).await;
    a.go_to("write balance").await;
    a.go_and_wait_for_lock().await;
    let results = [b.finish().await, a.finish().await];
    let verdict = lab.verdict(&results).await;
    assert_eq!(verdict, Verdict::Refused(FaultKind::Deadlock));
    assert_expected(&lab, atomic, verdict);
}

/// The foreign key's doing: both have inserted, so both hold a shared lock on the account's row,
/// and each wants the exclusive one.
async fn two_atomic_deposits_deadlock(engine: TestEngine) {
    let lab = engine.lab().await;
    let atomic = strategy("atomic_no_delay");
    let mut a = Client::start(&lab.database, atomic).await;
    let mut b = Client::start(&lab.database, atomic).await;
    a.go_to("write balance").await;
    b.go_to("write balance").await;
    a.go_and_wait_for_lock().await;
    let results = [b.finish().await, a.finish().await];

    let refused: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).collect();
    let [
        Failure {
            refusal: Refusal::Engine(Fault { kind, code, .. }),
            outcome,
        },
    ] = &refused[..]
    else {
        panic!("one of the two is the victim: {results:?}");
    };
    assert_eq!(*kind, FaultKind::Deadlock);
    assert_eq!(code.as_deref(), Some("1213"));
    assert_eq!(*outcome, Outcome::Refused);
    assert_eq!(
        lab.verdict(&results).await,
        Verdict::Refused(FaultKind::Deadlock)
    );
}

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
        // B's snapshot, if it has one, is as old as can be.
        b.go_to("lock and read balance").await;
        a.go_to(AFTER_READING).await;
        b.go_and_wait_for_lock().await;
        let results = [a.finish().await, b.finish().await];
        let verdict = lab.verdict(&results).await;
        assert_eq!(verdict, Verdict::Safe, "{level}");
        assert_expected(&lab, locking, verdict);
    }
}

/// The same three statements, whose order decides: a shared lock for the foreign key is in the way of the
/// other client's exclusive one, unless somebody had the exclusive one first.
async fn a_record_made_first_deadlocks_and_one_made_last_does_not(engine: TestEngine) {
    let lab = engine.lab().await;
    let insert_first = strategy("atomic_update_insert_first");
    let mut a = Client::start(&lab.database, insert_first).await;
    let mut b = Client::start(&lab.database, insert_first).await;
    a.go_to("add to balance").await;
    b.go_to("add to balance").await;
    a.go_and_wait_for_lock().await;
    let results = [b.finish().await, a.finish().await];
    let verdict = lab.verdict(&results).await;
    assert_eq!(verdict, Verdict::Refused(FaultKind::Deadlock));
    assert_expected(&lab, insert_first, verdict);

    let lab = engine.lab().await;
    let write_first = strategy("atomic_update");
    let mut a = Client::start(&lab.database, write_first).await;
    let mut b = Client::start(&lab.database, write_first).await;
    a.go_to("insert transaction").await;
    b.go_to("add to balance").await;
    b.go_and_wait_for_lock().await;
    let results = [a.finish().await, b.finish().await];
    assert_eq!(lab.verdict(&results).await, Verdict::Safe);
    assert_eq!(results[1], Ok(Receipt::at_first_try(100, 200)));
}

/// At SERIALIZABLE whatever the session's level: both have read, and each is in the way of the other's write.
async fn a_deadlocks_victim_begins_again(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::ReadCommitted).await;
    let serializable = strategy("serializable_retry");
    let mut a = Client::start(&lab.database, serializable).await;
    let mut b = Client::start(&lab.database, serializable).await;
    a.go_to("write balance").await;
    b.go_to("write balance").await;
    a.go_and_wait_for_lock().await;
    b.go().await;
    let a = tokio::spawn(a.finish());
    let results = [b.finish().await, a.await.unwrap()];
    assert_eq!(lab.verdict(&results).await, Verdict::Safe);
    let mut attempts: Vec<_> = results.iter().flatten().map(|it| it.attempts).collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2]);
}

/// The refusal of a run in which one client was served and one was not, with PostgreSQL's code.
fn assert_one_serialization_failure(results: &[Result<Receipt, Failure>]) {
    let refused: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).collect();
    let [
        Failure {
            refusal: Refusal::Engine(Fault { kind, code, .. }),
            outcome,
        },
    ] = &refused[..]
    else {
        panic!("one of the two is refused: {results:?}");
    };
    assert_eq!(*kind, FaultKind::SerializationFailure);
    assert_eq!(code.as_deref(), Some("40001"));
    assert_eq!(*outcome, Outcome::Refused);
}

/// Both have inserted, which on InnoDB is the way into a deadlock: here nobody even waits.
async fn the_foreign_key_makes_nobody_wait(engine: TestEngine) {
    let lab = engine.lab().await;
    let atomic = strategy("atomic_no_delay");
    let mut a = Client::start(&lab.database, atomic).await;
    let mut b = Client::start(&lab.database, atomic).await;
    a.go_to("write balance").await;
    b.go_to("write balance").await;
    a.go_to("commit").await;
    assert!(!lab.database.waits_for_lock(a.connection()).await.unwrap());
    let results = [a.finish().await, b.finish().await];
    assert_eq!(lab.verdict(&results).await, Verdict::Anomaly(&LOST_UPDATE));
}

async fn the_higher_levels_refuse_the_later_atomic_deposit(engine: TestEngine) {
    for level in [Isolation::RepeatableRead, Isolation::Serializable] {
        let lab = engine.lab_at(level).await;
        assert_eq!(lab.database.engine().isolation, level);
        let atomic = strategy("atomic_no_delay");
        let results = race(&lab, atomic).await;
        assert_one_serialization_failure(&results);
        assert_expected(&lab, atomic, lab.verdict(&results).await);
        assert_eq!(lab.account().await.balance, 100, "{level}");
    }
}

/// B waits for A's lock, and its snapshot grows old meanwhile.
async fn the_higher_levels_refuse_who_has_waited_for_the_row_lock(engine: TestEngine) {
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

        // Whoever begins to read after the commit is served.
        let late = Client::start(&lab.database, locking).await;
        late.finish().await.unwrap();
        assert_eq!(lab.account().await.balance, 200, "{level}");
    }
}

mod sqlite_alone {
    use super::*;

    /// `BEGIN IMMEDIATE` is the lock: B does not get past it while A has it. SQLite has no table in
    /// which one could see B wait; but B waits a second at most, and is refused where it waited.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn begin_immediate_keeps_the_second_client_out() {
        let impatient = Settings {
            lock_wait_timeout: Some(1),
            ..Settings::default()
        };
        let lab = TestEngine::Sqlite.lab_with(impatient).await;
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
}

/// What MariaDB does by default since 11.6.2, switched on where it is not yet the default.
mod snapshot_isolation {
    use super::*;

    mod mariadb {
        use super::*;

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn refuses_atomic_deposits_at_repeatable_read_and_loses_them_below() {
            // A server of its own: the switch is for all connections.
            let binary = TestEngine::MariaDb.binary();
            let server = LocalServer::start(&binary, Folder::Temporary)
                .await
                .unwrap();
            switch_on(&server).await;
            let atomic = strategy("atomic_no_delay");
            for (level, expected) in [
                (Isolation::ReadUncommitted, Verdict::Anomaly(&LOST_UPDATE)),
                (Isolation::ReadCommitted, Verdict::Anomaly(&LOST_UPDATE)),
                (
                    Isolation::RepeatableRead,
                    Verdict::Refused(FaultKind::SnapshotConflict),
                ),
            ] {
                let settings = Settings {
                    isolation: Some(level),
                    ..Settings::default()
                };
                let lab = Lab::at(Fresh::on(&server).await, settings).await;
                assert!(lab.database.engine().snapshot_isolation);
                let results = race(&lab, atomic).await;
                let verdict = lab.verdict(&results).await;
                assert_eq!(verdict, expected, "{level}");
                assert_expected(&lab, atomic, verdict);
                lab.database.close().await;
            }
            server.stop().await.unwrap();
        }

        async fn switch_on(server: &LocalServer) {
            let switch = "SET GLOBAL innodb_snapshot_isolation = ON";
            run_at(&server.address(), switch).await;
        }
    }
}

/// B has lost its first attempt when A has committed. Whether it gets another or not, it gets nowhere.
async fn a_retry_in_the_same_snapshot_never_gets_through(engine: TestEngine) {
    let lab = engine.lab().await;
    let retry = strategy("retry_same_snapshot");
    let mut a = Client::start(&lab.database, retry).await;
    let mut b = Client::start(&lab.database, retry).await;
    a.go_to("compare and swap").await;
    b.go_to("compare and swap").await;
    assert!(a.finish().await.is_ok());
    let failure = b.finish().await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Refused);
    let engine = lab.database.engine();
    match failure.refusal {
        Refusal::GaveUp { attempts } => {
            assert_eq!(attempts, 3);
            assert_expected(&lab, retry, Verdict::Declined);
        }
        Refusal::Engine(fault) => assert_expected(&lab, retry, Verdict::Refused(fault.kind)),
        other => panic!("{other:?} on {engine}"),
    }
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.version, account.lost),
        (100, 1, 0)
    );
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
    let expected = mutex.expected_on(lab.database.engine(), 2).unwrap();
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

/// Account 1 has not been changed for long: A's change shows, and the check is right to turn B away. (In
/// the very second of another change it does not show, which the explorer arranges.)
async fn a_time_that_has_changed_turns_the_second_client_away(engine: TestEngine) {
    let lab = engine.lab().await;
    let check = strategy("timestamp_check");
    let mut a = Client::start(&lab.database, check).await;
    let mut b = Client::start(&lab.database, check).await;
    a.go_to("compare and swap").await;
    b.go_to("compare and swap").await;
    assert!(a.finish().await.is_ok());
    let failure = b.finish().await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Refused);
    match lab.database.engine().snapshot_isolation {
        true => assert!(matches!(failure.refusal, Refusal::Engine(_))),
        false => assert_eq!(failure.refusal, Refusal::GaveUp { attempts: 1 }),
    }
    assert_eq!(lab.account().await.balance, 100);
}

/// One of two is the deadlock's victim. Its statement is sent again, and is all that is left of it.
async fn a_statement_retried_after_a_deadlock_is_in_no_transaction(engine: TestEngine) {
    let lab = engine.lab().await;
    let retry = strategy("retry_only_statement");
    let mut a = Client::start(&lab.database, retry).await;
    let mut b = Client::start(&lab.database, retry).await;
    a.go_to("write balance").await;
    b.go_to("write balance").await;
    a.go_and_wait_for_lock().await;
    b.go().await;
    // The winner stands before its commit, the victim before the same statement as before.
    let next = (a.next_step().await, b.next_step().await);
    let (winner, mut victim) = match next {
        (Some("commit"), Some("write balance")) => (a, b),
        (Some("write balance"), Some("commit")) => (b, a),
        other => panic!("{other:?}"),
    };
    victim.go_and_wait_for_lock().await;
    assert!(winner.finish().await.is_ok());
    victim.go_to("commit").await;
    assert!(!lab.has_open_transactions().await);
    let receipt = victim.finish().await.unwrap();
    assert_eq!(receipt.attempts, 2, "the repeated statement is one");
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.transactions, account.lost),
        (100, 1, 0),
        "two were acknowledged, and the books agree on one"
    );
}

/// 1205 has undone the statement alone: the transaction is whole after the retry. But what is written was computed
/// before the wait.
async fn a_statement_retried_after_a_timeout_is_still_in_its_transaction(engine: TestEngine) {
    let impatient = Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    };
    let lab = engine.lab_with(impatient).await;
    let mut holder = Client::start(&lab.database, strategy("row_locking_atomic_long_delay")).await;
    let mut a = Client::start(&lab.database, strategy("retry_only_statement")).await;
    a.go_to("insert transaction").await;
    holder.go_to("commit").await;
    a.go().await;
    assert_eq!(a.next_step().await, Some("insert transaction"));
    assert!(lab.has_open_transactions().await);
    assert!(holder.finish().await.is_ok());
    a.go_to("commit").await;
    assert_eq!(lab.account().await.transactions, 1, "nothing is kept yet");
    assert!(a.finish().await.is_ok());
    let account = lab.account().await;
    assert_eq!(account.transactions, 2);
    assert_eq!(account.lost, 100, "the holder's deposit is overwritten");
}

async fn a_statement_retried_in_a_refused_transaction_is_refused_for_that(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::RepeatableRead).await;
    let retry = strategy("retry_only_statement");
    let mut results = race(&lab, retry).await;
    let failure = results.remove(1).unwrap_err();
    let Refusal::Engine(Fault { kind, code, .. }) = &failure.refusal else {
        panic!("{failure:?}");
    };
    assert_eq!(*kind, FaultKind::TransactionAborted);
    assert_eq!(code.as_deref(), Some("25P02"));
    assert_eq!(failure.outcome, Outcome::Refused);
    assert_expected(&lab, retry, Verdict::Refused(*kind));
}
