//! The books of an account, at the edge of what a number can hold.

use racy::accounts;
use racy::exhibits::deposits::{Deposit, Memory, Pace, Strategy};
use racy::keeper::{self, Actor};
use racy::step::Unobserved;

use crate::support::{Lab, TestEngine};

on_engines!(
    every:
        the_keeper_knows_slots_and_what_was_only_appended,
        a_sum_wider_than_a_balance_is_audited_right;
);

const KEEPER: Actor<'_> = Actor {
    name: "keeper",
    memory: None,
};

/// The opening balance and the balance of an account that has lost nothing.
async fn balances(lab: &Lab, account: i64) -> (i128, i128) {
    let account = accounts::find(&lab.database, account).await;
    let account = account.unwrap().unwrap();
    assert_eq!(account.lost, 0);
    (account.opening_balance.into(), account.balance)
}

/// An account whose money is in its balance, in a slot and in transactions alone.
async fn account_with_money_everywhere(lab: &Lab) -> i64 {
    let account = keeper::open_account(&lab.database, "keeper", 1000).await;
    let account = account.unwrap();
    let deposit = Deposit {
        account,
        amount: 100,
        claim: None,
    };
    for strategy in ["append_only", "append_only", "partitioned", "atomic_update"] {
        let strategy = Strategy::named(strategy).unwrap();
        let (memory, pace) = (Memory::default(), Pace::default());
        let made = strategy.perform(&lab.database, &deposit, &memory, pace, &Unobserved);
        made.await.unwrap();
    }
    assert_eq!(balances(lab, account).await, (1000, 1400));
    account
}

/// Wherever an account's money is, the keeper's changes move it and lose none.
async fn the_keeper_knows_slots_and_what_was_only_appended(engine: TestEngine) {
    let lab = engine.lab().await;
    let account = account_with_money_everywhere(&lab).await;
    let page = accounts::Page { after: 0, limit: 1 };
    let first = accounts::transactions(&lab.database, account, page).await;
    let first = first.unwrap()[0].id;
    let deleted = keeper::delete_transaction(&lab.database, KEEPER, account, first);
    deleted.await.unwrap();
    assert_eq!(balances(&lab, account).await, (1100, 1400));
    let deleted = keeper::delete_transactions(&lab.database, KEEPER, account).await;
    assert_eq!(deleted.unwrap(), 3);
    assert_eq!(balances(&lab, account).await, (1400, 1400));

    let reset = keeper::reset_account(&lab.database, KEEPER, account);
    reset.await.unwrap();
    // The slot is empty, and the balance is the opening one again.
    assert_eq!(balances(&lab, account).await, (1400, 1400));
}

/// Lost updates leave more on record than the balance could hold.
async fn a_sum_wider_than_a_balance_is_audited_right(engine: TestEngine) {
    let lab = engine.lab().await;
    let deposit = Deposit {
        account: 1,
        amount: i64::MAX,
        claim: None,
    };
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    for _ in 0..3 {
        session
            .run(
                "insert transaction",
                "INSERT INTO transactions (account_id, amount) VALUES (?, ?)",
                &[deposit.account, deposit.amount],
            )
            .await
            .unwrap();
    }
    session.end().await;
    let account = lab.account().await;
    let sum = 3 * i128::from(i64::MAX);
    assert_eq!(
        (account.transactions_sum, account.expected, account.lost),
        (sum, sum, sum)
    );
}
