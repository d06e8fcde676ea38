//! The books of an account, at the edge of what a number can hold.

use racy::accounts;
use racy::exhibits::deposits::{Deposit, Memory, Pace, Strategy};
use racy::keeper::{self, Actor};
use racy::step::Unobserved;

use crate::support::TestEngine;

on_engines!(
    every:
        the_keeper_knows_slots_and_what_was_only_appended,
        a_sum_wider_than_a_balance_is_audited_right,
    ;
    innodb:
);

/// Whatever holds an account's money, the keeper's changes move it and lose none.
async fn the_keeper_knows_slots_and_what_was_only_appended(engine: TestEngine) {
    let lab = engine.lab().await;
    let account = keeper::open_account(&lab.database, "keeper", 1000).await;
    let account = account.unwrap();
    let deposit = Deposit {
        account,
        amount: 100,
        claim: None,
    };
    for strategy in ["append_only", "append_only", "partitioned", "atomic_update"] {
        let strategy = Strategy::named(strategy).unwrap();
        let memory = Memory::default();
        let made = strategy.perform(
            &lab.database,
            &deposit,
            &memory,
            Pace::default(),
            &Unobserved,
        );
        made.await.unwrap();
    }
    let audit = async || {
        let account = accounts::find(&lab.database, account).await;
        let account = account.unwrap().unwrap();
        (account.opening_balance, account.balance, account.lost)
    };
    assert_eq!(audit().await, (1000, 1400, 0));

    let page = accounts::Page { after: 0, limit: 1 };
    let first = accounts::transactions(&lab.database, account, page).await;
    let first = first.unwrap()[0].id;
    let somebody = Actor {
        name: "keeper",
        memory: None,
    };
    let deleted = keeper::delete_transaction(&lab.database, somebody, account, first);
    deleted.await.unwrap();
    assert_eq!(audit().await, (1100, 1400, 0));
    let deleted = keeper::delete_transactions(&lab.database, somebody, account).await;
    assert_eq!(deleted.unwrap(), 3);
    assert_eq!(audit().await, (1400, 1400, 0));

    let reset = keeper::reset_account(&lab.database, somebody, account);
    reset.await.unwrap();
    // The slot is empty, and the balance is the opening one again.
    assert_eq!(audit().await, (1400, 1400, 0));
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
