//! Deposits that begin again, as a whole or in part.

use racy::engine::{Fault, FaultKind, Isolation, Settings};
use racy::exhibits::deposits::{Failure, Receipt, Refusal};
use racy::verdict::{Outcome, Verdict};

use super::{assert_expected, race, strategy};
use crate::support::{Client, TestEngine};

on_engines!(
    every:
        a_client_that_is_overtaken_begins_again,
        a_client_that_is_overtaken_each_time_gives_up,
        a_retry_in_the_same_snapshot_never_gets_through;
    servers:
        a_time_that_has_changed_turns_the_second_client_away;
    innodb:
        a_deadlocks_victim_begins_again,
        a_statement_retried_after_a_deadlock_is_in_no_transaction,
        a_statement_retried_after_a_timeout_is_still_in_its_transaction;
    postgres:
        a_statement_retried_in_a_refused_transaction_is_refused_for_that;
);

/// B has read when A deposits: B's version is old, on engines that look at it, or its snapshot is.
async fn a_client_that_is_overtaken_begins_again(engine: TestEngine) {
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

async fn a_client_that_is_overtaken_each_time_gives_up(engine: TestEngine) {
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
    lab.until_nothing_is_open().await;
}

/// At SERIALIZABLE whatever the session's level: both have read, and each is in the way of the
/// other's write.
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

/// B has lost its first attempt when A has committed. Whether it gets another or not, it gets
/// nowhere.
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

/// Account 1 has not been changed for long: A's change shows, and the check is right to turn B
/// away. (In the very second of another change it does not show, which the explorer arranges.)
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
    lab.until_nothing_is_open().await;
    let receipt = victim.finish().await.unwrap();
    assert_eq!(receipt.attempts, 2, "the repeated statement is one");
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.transactions, account.lost),
        (100, 1, 0),
        "two were acknowledged, and the books agree on one"
    );
}

/// 1205 has undone the statement alone: the transaction is whole after the retry. But what is
/// written was computed before the wait.
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
