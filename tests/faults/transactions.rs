//! Transactions that the engine ends: what is kept of them, and what is not.

use racy::accounts;
use racy::engine::{FaultKind, Isolation, Kept, Settings};
use racy::exhibits::deposits::Strategy;
use racy::step::Unobserved;
use racy::verdict::Outcome;

use super::{engine_fault, quick_to_find_deadlocks};
use crate::support::{Client, TestEngine};

on_engines!(
    servers:
        a_commit_without_an_answer_is_unknown,
        a_connection_that_dies_in_a_transaction_keeps_nothing;
    innodb:
        what_is_written_after_a_deadlock_is_kept;
    postgres:
        a_deadlock_has_one_victim_and_is_rolled_back,
        a_commit_can_be_refused_and_keeps_nothing,
        a_transaction_with_a_refusal_in_it_cannot_be_committed;
);

async fn a_commit_without_an_answer_is_unknown(engine: TestEngine) {
    let lab = engine.lab().await;
    let atomic = Strategy::named("atomic_no_delay").unwrap();
    let mut a = Client::start(&lab.database, atomic).await;
    a.go_to("commit").await;
    lab.kill(a.connection()).await;
    let failure = a.finish().await.unwrap_err();
    assert_eq!(
        engine_fault(&failure),
        FaultKind::Unavailable,
        "{failure:?}"
    );
    assert_eq!(failure.outcome, Outcome::Unknown);
}

async fn a_connection_that_dies_in_a_transaction_keeps_nothing(engine: TestEngine) {
    let lab = engine.lab().await;
    let atomic = Strategy::named("atomic_no_delay").unwrap();
    let mut a = Client::start(&lab.database, atomic).await;
    a.go_to("write balance").await;
    lab.kill(a.connection()).await;
    let failure = a.finish().await.unwrap_err();
    assert_eq!(
        engine_fault(&failure),
        FaultKind::Unavailable,
        "{failure:?}"
    );
    assert_eq!(failure.outcome, Outcome::Refused);

    let b = Client::start(&lab.database, atomic).await;
    b.finish().await.unwrap();
    let account = lab.account().await;
    assert_eq!((account.balance, account.transactions), (100, 1));
}

const ADD_ONE: &str = "UPDATE accounts SET balance = balance + 1 WHERE id = ?";

/// Two accounts, taken in opposite orders.
async fn a_deadlock_has_one_victim_and_is_rolled_back(engine: TestEngine) {
    let lab = engine.lab_with(quick_to_find_deadlocks()).await;
    let other = accounts::open(&lab.database, 0).await.unwrap();
    let mut a = lab.database.session(&Unobserved).await.unwrap();
    let mut b = lab.database.session(&Unobserved).await.unwrap();
    for (session, first) in [(&mut a, 1), (&mut b, other)] {
        session.begin().await.unwrap();
        session.run("first", ADD_ONE, &[first]).await.unwrap();
    }
    let (for_a, for_b) = ([other], [1]);
    let (of_a, of_b) = tokio::join!(
        async {
            let result = a.run("second", ADD_ONE, &for_a).await;
            (result, a)
        },
        async {
            let result = b.run("second", ADD_ONE, &for_b).await;
            (result, b)
        }
    );
    let mut victims = 0;
    for (result, mut session) in [of_a, of_b] {
        match result {
            Ok(_) => session.commit().await.unwrap(),
            Err(fault) => {
                victims += 1;
                assert_eq!(fault.kind, FaultKind::Deadlock);
                assert_eq!(fault.code.as_deref(), Some("40P01"));
                assert!(fault.kind.is_retryable());
            }
        }
        session.end().await;
    }
    assert_eq!(victims, 1);
    assert_eq!(lab.account().await.balance, 1);
    lab.until_nothing_is_open().await;
}

/// InnoDB has rolled the victim's transaction back: what it writes after that is in autocommit, and
/// no rollback takes it back.
async fn what_is_written_after_a_deadlock_is_kept(engine: TestEngine) {
    let lab = engine.lab().await;
    let other = accounts::open(&lab.database, 0).await.unwrap();
    let mut a = lab.database.session(&Unobserved).await.unwrap();
    let mut b = lab.database.session(&Unobserved).await.unwrap();
    for (session, first) in [(&mut a, 1), (&mut b, other)] {
        session.begin().await.unwrap();
        session.run("first", ADD_ONE, &[first]).await.unwrap();
    }
    let (for_a, for_b) = ([other], [1]);
    let (of_a, of_b) = tokio::join!(
        a.run("second", ADD_ONE, &for_a),
        b.run("second", ADD_ONE, &for_b)
    );
    let (mut winner, mut victim) = match (of_a, of_b) {
        (Ok(_), Err(_)) => (a, b),
        (Err(_), Ok(_)) => (b, a),
        both => panic!("{both:?}"),
    };
    winner.commit().await.unwrap();
    assert_eq!(winner.end().await, Kept::Something);
    victim.run("second again", ADD_ONE, &[1]).await.unwrap();
    assert_eq!(victim.end().await, Kept::Something);
    assert_eq!(lab.account().await.balance, 2);

    let mut next = lab.database.session(&Unobserved).await.unwrap();
    next.begin().await.unwrap();
    next.run("in a transaction", ADD_ONE, &[1]).await.unwrap();
    assert_eq!(next.end().await, Kept::Nothing);
    assert_eq!(lab.account().await.balance, 2);
}

/// Write skew: each reads what the other writes. Both have done all they wanted when the first
/// commits, so that only the other's commit can be refused.
async fn a_commit_can_be_refused_and_keeps_nothing(engine: TestEngine) {
    const READ: &str = "SELECT balance FROM accounts WHERE id = ?";
    let lab = engine
        .lab_with(Settings {
            isolation: Some(Isolation::Serializable),
            connections: 2,
            ..Settings::default()
        })
        .await;
    let other = accounts::open(&lab.database, 0).await.unwrap();
    let mut a = lab.database.session(&Unobserved).await.unwrap();
    let mut b = lab.database.session(&Unobserved).await.unwrap();
    for (session, read, write) in [(&mut a, other, 1), (&mut b, 1, other)] {
        session.begin().await.unwrap();
        session.read("read", READ, &[read]).await.unwrap();
        session.run("write", ADD_ONE, &[write]).await.unwrap();
    }
    a.commit().await.unwrap();
    let fault = b.commit().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::SerializationFailure, "{fault}");
    assert_eq!(fault.code.as_deref(), Some("40001"));
    assert_eq!(
        (a.end().await, b.end().await),
        (Kept::Something, Kept::Nothing)
    );

    let untouched = accounts::find(&lab.database, other).await.unwrap().unwrap();
    assert_eq!((lab.account().await.balance, untouched.balance), (1, 0));
    lab.until_nothing_is_open().await;
    for _ in 0..2 {
        let client = Client::start(&lab.database, Strategy::named("atomic_no_delay").unwrap());
        client.await.finish().await.unwrap();
    }
}

/// The engine would answer such a COMMIT with "ROLLBACK", and no error.
async fn a_transaction_with_a_refusal_in_it_cannot_be_committed(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    session.begin().await.unwrap();
    session.run("write", ADD_ONE, &[1]).await.unwrap();
    let insert = "INSERT INTO accounts (id, balance, opening_balance) VALUES (?, 0, 0)";
    let refusal = session.run("insert", insert, &[1]).await.unwrap_err();
    assert_eq!(refusal.kind, FaultKind::UniqueViolation);
    assert_eq!(session.commit().await.unwrap_err(), refusal);
    assert_eq!(session.end().await, Kept::Nothing);
    assert_eq!(lab.account().await.balance, 0);
    lab.until_nothing_is_open().await;
}
