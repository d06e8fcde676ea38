//! The claim to a key: given up, taken over, forgotten.

use std::time::Duration;

use racy::engine::Database;
use racy::exhibits::deposits::keys::Conflict;
use racy::exhibits::deposits::{Deposit, DepositAnswer, Failure, Memory, Pace, Refusal};
use racy::step::{Observer, Unobserved};
use racy::verdict::Outcome;

use super::{TERMS, named, under};
use crate::support::lab::DEPOSIT;
use crate::support::stepper::Stepper;
use crate::support::{Lab, TestEngine};

on_engines!(
    every:
        a_refused_deposit_gives_its_claim_up,
        a_claim_whose_owner_died_is_taken_over,
        a_key_expires;
);

async fn make(
    database: &Database,
    deposit: &Deposit,
    key: &str,
    observer: &dyn Observer,
) -> Result<DepositAnswer, Failure> {
    let strategy = named("atomic_update");
    let (once, memory) = (under(key), Memory::default());
    let made = strategy.perform_once(database, deposit, &once, &memory, Pace::default(), observer);
    made.await
}

async fn keys(lab: &Lab) -> i64 {
    let count = "SELECT CAST(COUNT(*) AS SIGNED) FROM idempotency_keys";
    let rows = lab.database.rows(count, &[]).await.unwrap();
    rows[0].integer(0).unwrap()
}

async fn grow_older(lab: &Lab, by: Duration) {
    let update = "UPDATE idempotency_keys SET claimed_at = claimed_at - ?";
    let by = i64::try_from(by.as_secs()).unwrap() + 1;
    lab.database.execute(update, &[by.into()]).await.unwrap();
}

async fn a_refused_deposit_gives_its_claim_up(engine: TestEngine) {
    let lab = engine.lab().await;
    let nowhere = Deposit {
        account: 404,
        ..DEPOSIT
    };
    for _ in 0..2 {
        let refused = make(&lab.database, &nowhere, "k", &Unobserved).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.refusal, Refusal::UnknownAccount);
        assert_eq!(refused.outcome, Outcome::Refused);
        assert_eq!(keys(&lab).await, 0);
    }
    // Free for whatever deposit.
    make(&lab.database, &DEPOSIT, "k", &Unobserved)
        .await
        .unwrap();
    assert_eq!(lab.account().await.balance, 100);
}

/// The owner was only slow: it finds out, and keeps nothing.
async fn a_claim_whose_owner_died_is_taken_over(engine: TestEngine) {
    let lab = engine.lab().await;
    let database = lab.database.clone();
    let mut slow =
        Stepper::start(move |gate| async move { make(&database, &DEPOSIT, "k", &gate).await });
    slow.go_to("begin").await;
    let early = make(&lab.database, &DEPOSIT, "k", &Unobserved).await;
    let early = early.unwrap_err().refusal;
    assert!(
        matches!(early, Refusal::Key(Conflict::InFlight { .. })),
        "{early:?}"
    );

    grow_older(&lab, TERMS.claim_lasts).await;
    let made = make(&lab.database, &DEPOSIT, "k", &Unobserved)
        .await
        .unwrap();
    assert!(!made.replayed);

    let refused = slow.finish().await.unwrap_err();
    assert_eq!(refused.refusal, Refusal::Key(Conflict::ClaimLost));
    assert_eq!(refused.outcome, Outcome::Refused);
    let again = make(&lab.database, &DEPOSIT, "k", &Unobserved)
        .await
        .unwrap();
    assert_eq!((again.receipt, again.replayed), (made.receipt, true));
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.transactions, account.lost),
        (100, 1, 0)
    );
}

async fn a_key_expires(engine: TestEngine) {
    let lab = engine.lab().await;
    for key in ["a", "b"] {
        make(&lab.database, &DEPOSIT, key, &Unobserved)
            .await
            .unwrap();
    }
    grow_older(&lab, TERMS.kept_for).await;
    // A new key under an old name, also for a client that does not tidy up first.
    let (once, memory) = (under("a"), Memory::default());
    let session = lab.database.session(&Unobserved).await.unwrap();
    let made = named("atomic_update")
        .perform_once_in(session, &DEPOSIT, &once, &memory)
        .await;
    assert!(!made.unwrap().replayed);
    assert_eq!(keys(&lab).await, 2);
    // The next deposit deletes the old ones.
    assert!(
        make(&lab.database, &DEPOSIT, "a", &Unobserved)
            .await
            .unwrap()
            .replayed
    );
    assert_eq!(keys(&lab).await, 1);
    assert_eq!(lab.account().await.transactions, 3);
}
