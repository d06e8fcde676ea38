//! A session that is dropped anywhere leaves nothing behind: no open transaction, no connection
//! that would surprise the next client.

use racy::engine::{Database, Settings};
use racy::exhibits::deposits::{Deposit, Memory, Pace, Refusal, Strategy};
use racy::step::Unobserved;

use crate::support::{Client, Lab, TestEngine, until};

on_engines!(
    every:
        a_session_dropped_at_any_step_leaves_a_clean_pool,
        a_named_lock_is_given_up_with_its_session,
        a_named_lock_is_given_up_after_a_refusal,
        a_named_lock_is_held_until_the_deposit_is_made;
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

/// Two instances on one database. The second has one connection, on which a lock that was not given
/// up would stay. No client waits for longer than a second.
async fn two_instances(engine: TestEngine) -> (Lab, Database) {
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
    (lab, other_instance)
}

fn locking() -> &'static Strategy {
    Strategy::named("advisory_lock").unwrap()
}

/// The server gives the lock up when it notices that the connection is gone.
async fn assert_is_free(lab: &Lab, after: &str) {
    until(&format!("the lock is free after {after}"), || async {
        let client = Client::start(&lab.database, locking()).await;
        client.finish().await.is_ok()
    })
    .await;
}

/// InnoDB's named lock belongs to the connection: the next client of a pool of one would have it
/// already, and no other client would get it any more.
async fn a_named_lock_is_given_up_with_its_session(engine: TestEngine) {
    let (lab, other_instance) = two_instances(engine).await;
    for label in ["read balance", "write balance", "commit"] {
        let mut client = Client::start(&other_instance, locking()).await;
        client.go_to(label).await;
        client.drop_here().await;
        until("nothing is left open", || async {
            !lab.has_open_transactions().await
        })
        .await;
        assert_is_free(&lab, label).await;
    }
    assert_eq!(lab.account().await.lost, 0);
    other_instance.close().await;
}

/// The connection goes back to the pool.
async fn a_named_lock_is_given_up_after_a_refusal(engine: TestEngine) {
    let (lab, other_instance) = two_instances(engine).await;
    let deposit = Client::start(&other_instance, locking()).await;
    deposit.finish().await.unwrap();
    let too_much = Deposit {
        account: 1,
        amount: i64::MAX,
        claim: None,
    };
    let (memory, pace) = (Memory::default(), Pace::default());
    let refused = locking().perform(&other_instance, &too_much, &memory, pace, &Unobserved);
    let refusal = refused.await.unwrap_err().refusal;
    assert!(matches!(refusal, Refusal::Overflow { .. }), "{refusal:?}");
    assert_is_free(&lab, "a refusal").await;
    other_instance.close().await;
}

async fn a_named_lock_is_held_until_the_deposit_is_made(engine: TestEngine) {
    let (lab, other_instance) = two_instances(engine).await;
    let mut holder = Client::start(&other_instance, locking()).await;
    holder.go_to("read balance").await;
    let client = Client::start(&lab.database, locking()).await;
    let failure = client.finish().await.unwrap_err();
    assert!(matches!(failure.refusal, Refusal::Engine(_)), "{failure:?}");
    holder.finish().await.unwrap();
    assert_is_free(&lab, "a receipt").await;
    other_instance.close().await;
}
