//! What the keeper does to the books, also amid deposits.

use axum::http::StatusCode;
use racy::engine::{self, Database, FaultKind};
use racy::exhibits::deposits::{Deposit, Memory, Pace, Strategy};
use racy::keeper::{self, NotChanged};
use racy::step::Unobserved;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ADA, Keeper, send};
use crate::support::service::problem;
use crate::support::{Client as StepByStep, Lab, TestEngine, until};

on_engines!(
    every:
        who_has_a_token_keeps_the_accounts,
        resets_amid_deposits_leave_the_books_right,
    ;
    innodb:
        a_reset_that_is_a_deadlocks_victim_is_done_again,
);

async fn who_has_a_token_keeps_the_accounts(engine: TestEngine) {
    let keeper = Keeper::on(engine).await;
    let token = keeper.token().await;
    let call = async |method: Method, path: &str, body: Value| {
        let request = keeper.request(method, path).bearer_auth(&token);
        send(request.json(&body)).await
    };

    let opened = call(
        Method::POST,
        "/accounts",
        json!({ "opening_balance": 1000 }),
    )
    .await;
    assert_eq!(opened.status(), StatusCode::CREATED);
    let place = opened.headers()["location"].to_str().unwrap().to_owned();
    let account: Value = opened.json().await.unwrap();
    let id = account["id"].as_i64().unwrap();
    assert_eq!(place, format!("/accounts/{id}"));
    assert_eq!(account["balance"], 1000);

    for amount in [1, 20, 300] {
        let deposit = keeper.service.deposit("atomic_no_delay", id, amount).await;
        assert_eq!(deposit.status(), 200);
    }
    let list = keeper.service.json(&format!("{place}/transactions")).await;
    let second = &list["transactions"][1]["id"];

    // The balance stays as it is; the books say why.
    let one = call(
        Method::DELETE,
        &format!("{place}/transactions/{second}"),
        json!({}),
    )
    .await;
    assert_eq!(one.json::<Value>().await.unwrap(), json!({ "deleted": 1 }));
    let account = keeper.service.json(&place).await;
    assert_eq!(account["balance"], 1321);
    assert_eq!(account["opening_balance"], 1020);
    assert_eq!(account["transactions"], 2);
    assert_eq!(account["lost"], 0);

    let again = call(
        Method::DELETE,
        &format!("{place}/transactions/{second}"),
        json!({}),
    )
    .await;
    problem(again, 404, "unknown-transaction").await;

    let third = &list["transactions"][2]["id"];
    let elsewhere = format!("/accounts/1/transactions/{third}");
    let elsewhere = call(Method::DELETE, &elsewhere, json!({}));
    problem(elsewhere.await, 404, "unknown-transaction").await;

    let all = call(Method::DELETE, &format!("{place}/transactions"), json!({})).await;
    assert_eq!(all.json::<Value>().await.unwrap(), json!({ "deleted": 2 }));
    let account = keeper.service.json(&place).await;
    assert_eq!(account["opening_balance"], 1321);
    assert_eq!(account["lost"], 0);

    let deposit = keeper.service.deposit("atomic_no_delay", id, 7).await;
    assert_eq!(deposit.status(), 200);
    let reset = call(Method::POST, &format!("{place}/reset"), json!({})).await;
    let account: Value = reset.json().await.unwrap();
    assert_eq!(account["balance"], 1321);
    assert_eq!(account["transactions"], 0);

    for path in ["/accounts/99/reset", "/accounts/99/transactions"] {
        let method = match path.ends_with("reset") {
            true => Method::POST,
            false => Method::DELETE,
        };
        problem(call(method, path, json!({})).await, 404, "unknown-account").await;
    }
    for wrong in [json!(-1), json!("ten"), json!(1.5), json!([1])] {
        let body = json!({ "opening_balance": wrong });
        problem(
            call(Method::POST, "/accounts", body).await,
            400,
            "invalid-request",
        )
        .await;
    }

    let mut said = Vec::new();
    let mut next = String::from("/changes?limit=2");
    loop {
        let page: Value = call(Method::GET, &next, json!({}))
            .await
            .json()
            .await
            .unwrap();
        for change in page["changes"].as_array().unwrap() {
            assert_eq!(change["username"], "ada");
            assert_eq!(change["account"], id);
            said.push(change["what"].as_str().unwrap().to_owned());
        }
        match &page["next"] {
            Value::Null => break,
            before => next = format!("/changes?limit=2&before={before}"),
        }
    }
    let deleted = format!("transaction {second} of 20 deleted");
    let expected = [
        "reset, 1 transactions deleted",
        "2 transactions deleted",
        &deleted,
        "opened with 1000",
    ];
    assert_eq!(said, expected);
    keeper.service.stop().await;
}

/// The strategy is safe, so what would be wrong afterwards would be the keeper's doing.
async fn resets_amid_deposits_leave_the_books_right(engine: TestEngine) {
    const DEPOSITS: usize = 40;
    let lab = engine.lab().await;
    let mut deposits = deposits(&lab, "row_locking_atomic_long_delay", DEPOSITS);
    let mut deleted = 0;
    let mut finished = 0;
    // A change after every other deposit, until all are done: they are among each other for certain.
    while let Some(made) = deposits.join_next().await {
        assert!(made.unwrap());
        finished += 1;
        if finished % 4 == 0 {
            deleted += keeper::reset_account(&lab.database, ADA, 1).await.unwrap();
        } else if finished % 4 == 2 {
            deleted += keeper::delete_transactions(&lab.database, ADA, 1)
                .await
                .unwrap();
        }
        assert_eq!(lab.account().await.lost, 0, "after {finished} deposits");
    }
    let remaining = u64::try_from(lab.account().await.transactions).unwrap();
    assert_eq!(deleted + remaining, DEPOSITS as u64);
}

/// The deposit's transaction holds the account's row in shared mode, by its foreign key, and the reset waits
/// for it. When the deposit wants the row for itself, MySQL lets it pass; on MariaDB it waits for the reset: a
/// circle, in which the engine gives up the reset, which has nothing to undo.
async fn a_reset_that_is_a_deadlocks_victim_is_done_again(engine: TestEngine) {
    let lab = engine.lab().await;
    let strategy = Strategy::named("atomic_no_delay").unwrap();
    let mut depositor = StepByStep::start(&lab.database, strategy).await;
    depositor.go_to("write balance").await;
    let database = lab.database.clone();
    let reset = tokio::spawn(async move { keeper::reset_account(&database, ADA, 1).await });
    until("the reset waits", async || lab.somebody_waits().await).await;
    let made = depositor.finish().await;
    assert!(made.is_ok(), "{made:?}");
    assert_eq!(reset.await.unwrap().unwrap(), 1);
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.transactions, account.lost),
        (0, 0, 0)
    );
}

/// Deposits under way; each says whether it was made.
fn deposits(lab: &Lab, strategy: &str, count: usize) -> JoinSet<bool> {
    let strategy = Strategy::named(strategy).unwrap();
    let deposit = async |database: Database| {
        let deposit = Deposit {
            account: 1,
            amount: 100,
            claim: None,
        };
        let memory = Memory::default();
        let made = strategy.perform(&database, &deposit, &memory, Pace::default(), &Unobserved);
        made.await.is_ok()
    };
    (0..count).map(|_| deposit(lab.database.clone())).collect()
}

/// Whoever has failed leaves nothing behind that is in the way of the next.
#[tokio::test]
async fn what_is_not_changed_keeps_nobody_waiting() {
    let lab = TestEngine::Sqlite.lab().await;
    for _ in 0..100 {
        let unknown = keeper::delete_transaction(&lab.database, ADA, 1, 99).await;
        assert!(
            matches!(unknown, Err(NotChanged::UnknownTransaction { .. })),
            "{unknown:?}"
        );
        assert!(!lab.has_open_transactions().await);
    }
}

/// It has waited a lock wait timeout long, which is no reason to wait again.
#[tokio::test]
async fn whoever_waits_in_vain_for_a_writer_waits_once() {
    let impatient = engine::Settings {
        lock_wait_timeout: Some(1),
        ..engine::Settings::default()
    };
    let lab = TestEngine::Sqlite.lab_with(impatient).await;
    let strategy = Strategy::named("row_locking_atomic_long_delay").unwrap();
    let mut writer = StepByStep::start(&lab.database, strategy).await;
    writer.go_to("lock and read balance").await;
    let opened = keeper::open_account(&lab.database, "ada", 0).await;
    assert_eq!(opened.unwrap_err().kind, FaultKind::LockTimeout);
    assert!(writer.finish().await.is_ok());
}

#[tokio::test]
async fn an_opening_balance_does_not_overflow() {
    let lab = TestEngine::Sqlite.lab().await;
    let account = keeper::open_account(&lab.database, "ada", 1).await.unwrap();
    let strategy = Strategy::named("atomic_no_delay").unwrap();
    let deposit = Deposit {
        account,
        amount: i64::MAX - 1,
        claim: None,
    };
    let made = strategy
        .perform(
            &lab.database,
            &deposit,
            &Memory::default(),
            Pace::default(),
            &Unobserved,
        )
        .await;
    assert!(made.is_ok());
    // One update was lost, as it were: there is more on record than the balance could hold.
    let forget = "UPDATE accounts SET balance = 1 WHERE id = ?";
    lab.database
        .execute(forget, &[account.into()])
        .await
        .unwrap();
    let again = strategy
        .perform(
            &lab.database,
            &deposit,
            &Memory::default(),
            Pace::default(),
            &Unobserved,
        )
        .await;
    assert!(again.is_ok_and(|receipt| receipt.balance_written == Some(i64::MAX)));
    let deleted = keeper::delete_transactions(&lab.database, ADA, account).await;
    assert!(matches!(deleted, Err(NotChanged::TooMuch)), "{deleted:?}");
    let left = racy::accounts::find(&lab.database, account)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left.transactions, 2, "nothing was deleted");
    assert_eq!(
        keeper::reset_account(&lab.database, ADA, account)
            .await
            .unwrap(),
        2
    );
}
