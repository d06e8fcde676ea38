//! A session that is dropped anywhere leaves nothing behind: no open transaction, no connection that
//! would surprise the next client.

use racy::engine::Settings;
use racy::exhibits::deposits::{Deposit, Memory, Pace, Refusal, Strategy};
use racy::step::Unobserved;

use crate::support::{Client, TestEngine, until};

on_engines!(
    every:
        a_session_dropped_at_any_step_leaves_a_clean_pool,
        a_named_lock_is_given_up_on_every_path,
    ;
    innodb:
);

async fn a_session_dropped_at_any_step_leaves_a_clean_pool(engine: TestEngine) {
    let lab = engine
        .lab_with(Settings {
            connections: 1,
            ..Settings::default()
        })
        .await;
    let atomic = Strategy::named("atomic_no_delay").unwrap();
    let steps = [
        "begin",
        "read balance",
        "insert transaction",
        "write balance",
        "commit",
    ];
    for label in steps {
        let mut client = Client::start(&lab.database, atomic).await;
        client.go_to(label).await;
        client.drop_here().await;
        until("nothing is left open", || async {
            !lab.has_open_transactions().await
        })
        .await;
        let account = lab.account().await;
        assert_eq!(
            (account.balance, account.transactions),
            (0, 0),
            "dropped before {label}"
        );
    }
    let client = Client::start(&lab.database, atomic).await;
    client.finish().await.unwrap();
    assert_eq!(lab.account().await.balance, 100);
}

/// InnoDB's belongs to the connection: with a pool of one, whoever comes next would have it already, and
/// nobody else ever again.
async fn a_named_lock_is_given_up_on_every_path(engine: TestEngine) {
    let impatient = Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    };
    let lab = engine.lab_with(impatient).await;
    let one_connection = Settings {
        connections: 1,
        ..impatient
    };
    let other_instance = lab.database.with(&one_connection).await.unwrap();
    let locking = Strategy::named("advisory_lock").unwrap();
    let expect_it_free = async |after: &str| {
        let client = Client::start(&lab.database, locking).await;
        let result = client.finish().await;
        assert!(result.is_ok(), "after {after}: {result:?}");
    };

    for label in ["read balance", "write balance", "commit"] {
        let mut client = Client::start(&other_instance, locking).await;
        client.go_to(label).await;
        client.drop_here().await;
        until("nothing is left open", || async {
            !lab.has_open_transactions().await
        })
        .await;
        expect_it_free(label).await;
    }
    assert_eq!(lab.account().await.lost, 0);

    // Refused while it has the lock, on a connection that goes back to the pool.
    let too_much = Deposit {
        account: 1,
        amount: i64::MAX,
        claim: None,
    };
    let memory = Memory::default();
    let refused = locking.perform(
        &other_instance,
        &too_much,
        &memory,
        Pace::default(),
        &Unobserved,
    );
    let refusal = refused.await.unwrap_err().refusal;
    assert!(matches!(refusal, Refusal::Overflow { .. }), "{refusal:?}");
    expect_it_free("a refusal").await;

    // And while somebody has it, nobody else gets it.
    let mut holder = Client::start(&other_instance, locking).await;
    holder.go_to("read balance").await;
    let client = Client::start(&lab.database, locking).await;
    let failure = client.finish().await.unwrap_err();
    assert!(matches!(failure.refusal, Refusal::Engine(_)), "{failure:?}");
    holder.finish().await.unwrap();
    expect_it_free("a receipt").await;
    other_instance.close().await;
}
