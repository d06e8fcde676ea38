//! Deposits that read before they write.

use racy::engine::local::{Folder, LocalServer};
use racy::engine::{Fault, FaultKind, Isolation, Settings};
use racy::exhibits::deposits::{Failure, LOST_UPDATE, Place, Receipt, Refusal, STRATEGIES};
use racy::verdict::{Outcome, Verdict};

use super::{AFTER_READING, assert_expected, assert_one_serialization_failure, race, strategy};
use crate::support::lab::{Fresh, run_at};
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    every:
        both_read_before_either_writes,
        one_after_the_other_is_safe,
        autocommit_loses_at_the_default_level,
        an_atomic_deposit_meets_one_that_has_written,
        no_level_helps_autocommit;
    innodb:
        the_weaker_levels_lose_atomic_deposits,
        serializable_refuses_atomic_deposits,
        two_atomic_deposits_deadlock,
        a_record_made_first_deadlocks_and_one_made_last_does_not;
    mariadb:
        snapshot_isolation_refuses_atomic_deposits_at_repeatable_read_alone;
    postgres:
        the_foreign_key_makes_no_client_wait,
        the_higher_levels_refuse_the_later_atomic_deposit;
);

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

/// The same three statements, whose order decides: a shared lock for the foreign key is in the way
/// of the other client's exclusive one, unless that client has the exclusive one already.
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

/// Both have inserted, which on InnoDB is the way into a deadlock: here neither of them waits.
async fn the_foreign_key_makes_no_client_wait(engine: TestEngine) {
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

/// What MariaDB does by default since 11.6.2, switched on where it is not yet the default.
async fn snapshot_isolation_refuses_atomic_deposits_at_repeatable_read_alone(engine: TestEngine) {
    // A server of its own: the switch is for all connections.
    let server = LocalServer::start(&engine.binary(), Folder::Temporary).await;
    let server = server.unwrap();
    let switch_on = "SET GLOBAL innodb_snapshot_isolation = ON";
    run_at(&server.address(), switch_on).await;
    let atomic = strategy("atomic_no_delay");
    let refused = Verdict::Refused(FaultKind::SnapshotConflict);
    for (level, expected) in [
        (Isolation::ReadUncommitted, Verdict::Anomaly(&LOST_UPDATE)),
        (Isolation::ReadCommitted, Verdict::Anomaly(&LOST_UPDATE)),
        (Isolation::RepeatableRead, refused),
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
