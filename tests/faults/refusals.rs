//! Deposits that the engine refuses: nothing of them is kept, or it is said what is.

use std::time::Duration;

use racy::accounts;
use racy::engine::{Address, Database, FaultKind, Settings};
use racy::exhibits::deposits::{Deposit, Failure, Memory, Pace, Refusal, STRATEGIES, Strategy};
use racy::step::Unobserved;
use racy::verdict::Outcome;

use super::{engine_fault, impatient};
use crate::support::{Client, TestEngine};

on_engines!(
    every:
        overflow_is_refused_and_keeps_nothing,
        an_unknown_account_is_refused_and_keeps_nothing,
        a_lock_timeout_is_refused_and_the_next_deposit_works,
        autocommit_that_fails_half_way_says_so;
    servers:
        an_exhausted_pool_is_unavailable;
    innodb:
        a_refusal_to_write_is_no_doubt;
    postgres:
        a_standby_that_only_reads_is_no_doubt;
);

async fn overflow_is_refused_and_keeps_nothing(engine: TestEngine) {
    let lab = engine.lab().await;
    let balance = i64::MAX - 99;
    let account = accounts::open(&lab.database, balance).await.unwrap();
    for strategy in &STRATEGIES {
        let deposit = Deposit {
            account,
            amount: 100,
            claim: None,
        };
        let result = strategy
            .perform(
                &lab.database,
                &deposit,
                &Memory::default(),
                Pace::default(),
                &Unobserved,
            )
            .await;
        assert_eq!(
            result,
            Err(Failure {
                refusal: Refusal::Overflow {
                    balance: balance.into()
                },
                outcome: Outcome::Refused
            })
        );
    }
    let audit = accounts::find(&lab.database, account)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (audit.balance, audit.transactions, audit.lost),
        (balance.into(), 0, 0)
    );
    lab.until_nothing_is_open().await;
}

async fn an_unknown_account_is_refused_and_keeps_nothing(engine: TestEngine) {
    let lab = engine.lab().await;
    for strategy in &STRATEGIES {
        for account in [0, 2, i64::MAX] {
            let deposit = Deposit {
                account,
                amount: 1,
                claim: None,
            };
            let result = strategy
                .perform(
                    &lab.database,
                    &deposit,
                    &Memory::default(),
                    Pace::default(),
                    &Unobserved,
                )
                .await;
            assert_eq!(
                result,
                Err(Failure {
                    refusal: Refusal::UnknownAccount,
                    outcome: Outcome::Refused
                })
            );
        }
    }
    lab.until_nothing_is_open().await;
}

/// InnoDB gives up the statement and leaves the transaction open: the session has to roll it back.
async fn a_lock_timeout_is_refused_and_the_next_deposit_works(engine: TestEngine) {
    let lab = engine.lab_with(impatient()).await;
    let locking = Strategy::named("row_locking_atomic_long_delay").unwrap();
    let mut a = Client::start(&lab.database, locking).await;
    a.go_to("insert transaction").await;

    let b = Client::start(&lab.database, locking).await;
    let failure = b.finish().await.unwrap_err();
    let expected = match engine {
        TestEngine::Sqlite => FaultKind::Busy,
        TestEngine::MySql | TestEngine::MariaDb | TestEngine::Postgres => FaultKind::LockTimeout,
    };
    assert_eq!(engine_fault(&failure), expected);
    assert_eq!(failure.outcome, Outcome::Refused);

    a.finish().await.unwrap();
    lab.until_nothing_is_open().await;
    let c = Client::start(&lab.database, locking).await;
    c.finish().await.unwrap();
    let account = lab.account().await;
    assert_eq!((account.balance, account.lost), (200, 0));
}

async fn autocommit_that_fails_half_way_says_so(engine: TestEngine) {
    let lab = engine.lab_with(impatient()).await;
    let non_atomic = Strategy::named("non_atomic_no_delay").unwrap();
    let locking = Strategy::named("row_locking_atomic_long_delay").unwrap();
    let mut a = Client::start(&lab.database, non_atomic).await;
    a.go_to("write balance").await;
    let mut b = Client::start(&lab.database, locking).await;
    b.go_to("insert transaction").await;

    let failure = a.finish().await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Partial, "{failure:?}");
    b.finish().await.unwrap();
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.transactions, account.lost),
        (100, 2, 100)
    );
}

/// The server says that it cannot write now: it is certain that nothing was kept.
async fn a_refusal_to_write_is_no_doubt(engine: TestEngine) {
    // A server of its own: the switch is for all connections but the administrator's.
    let (server, lab) = engine.lab_alone(Settings::default()).await;
    lab.run_outside_the_pool(
        "CREATE USER reader@localhost; GRANT SELECT, INSERT, UPDATE ON *.* TO reader@localhost; \
         SET GLOBAL read_only = ON"
            .to_owned(),
    )
    .await;
    let strategy = Strategy::named("non_atomic_no_delay").unwrap();
    let Address::MySql(options) = &lab.address else {
        panic!("not MySQL");
    };
    let as_reader = Address::MySql(Box::new(options.as_ref().clone().username("reader")));
    let database = Database::connect(&as_reader, &Settings::default())
        .await
        .unwrap();
    let failure = Client::start(&database, strategy)
        .await
        .finish()
        .await
        .unwrap_err();
    assert_eq!(engine_fault(&failure), FaultKind::ReadOnly, "{failure:?}");
    assert_eq!(failure.outcome, Outcome::Refused, "{failure:?}");
    let not_ready = database
        .could_write(&accounts::WRITE_PROBE)
        .await
        .unwrap_err();
    assert_eq!(not_ready.kind, FaultKind::ReadOnly, "{not_ready}");
    database.close().await;
    lab.database.close().await;
    server.stop().await.unwrap();
}

/// The same on PostgreSQL, where each database can be told so.
async fn a_standby_that_only_reads_is_no_doubt(engine: TestEngine) {
    let lab = engine.lab().await;
    lab.run_in_database(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', \
         current_database()); END $$",
    )
    .await;
    let database = Database::connect(&lab.address, &Settings::default()).await;
    let database = database.unwrap();
    let strategy = Strategy::named("non_atomic_no_delay").unwrap();
    let client = Client::start(&database, strategy).await;
    let failure = client.finish().await.unwrap_err();
    assert_eq!(engine_fault(&failure), FaultKind::ReadOnly, "{failure:?}");
    assert_eq!(failure.outcome, Outcome::Refused, "{failure:?}");
    let not_ready = database
        .could_write(&accounts::WRITE_PROBE)
        .await
        .unwrap_err();
    assert_eq!(not_ready.kind, FaultKind::ReadOnly, "{not_ready}");
}

async fn an_exhausted_pool_is_unavailable(engine: TestEngine) {
    let lab = engine
        .lab_with(Settings {
            connections: 1,
            acquire_timeout: Duration::from_millis(500),
            ..Settings::default()
        })
        .await;
    assert!(!lab.database.is_exhausted());
    let session = lab.database.session(&Unobserved).await.unwrap();
    assert!(lab.database.is_exhausted());
    let fault = lab.database.session(&Unobserved).await.unwrap_err();
    assert_eq!(fault.message, "all 1 database connections are in use");
    assert_eq!(fault.kind, FaultKind::Unavailable);
    session.end().await;
    assert!(!lab.database.is_exhausted());
}
