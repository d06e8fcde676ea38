//! What the keeper does to the books, also amid deposits.

use axum::http::StatusCode;
use racy::engine::{self, Database, FaultKind};
use racy::exhibits::deposits::{Deposit, Memory, Pace, Receipt, Strategy};
use racy::keeper::{self, ChangeError};
use racy::step::Unobserved;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ADA, Keeper, send};
use crate::support::json::assert_includes;
use crate::support::service::problem;
use crate::support::{Client as StepByStep, Lab, TestEngine, until};

on_engines!(
    every:
        a_transaction_is_deleted_once,
        all_transactions_of_an_account_are_deleted,
        a_reset_account_is_back_at_its_opening_balance,
        changes_are_listed_from_the_newest_on_and_in_pages,
        resets_amid_deposits_leave_the_books_right;
    innodb:
        a_reset_that_is_a_deadlocks_victim_is_done_again;
);

/// A keeper with a token, and the account that they have opened with 1000.
struct Books {
    keeper: Keeper,
    token: String,
    account: i64,
}

impl Books {
    async fn on(engine: TestEngine) -> Self {
        let keeper = Keeper::on(engine).await;
        let token = keeper.token().await;
        let mut books = Self {
            keeper,
            token,
            account: 0,
        };
        let opened = books.open_with(&json!(1000)).await;
        assert_eq!(opened.status(), StatusCode::CREATED);
        let place = opened.headers()["location"].to_str().unwrap().to_owned();
        let account: Value = opened.json().await.unwrap();
        assert_eq!(account["balance"], 1000);
        books.account = account["id"].as_i64().unwrap();
        assert_eq!(place, format!("/accounts/{}", books.account));
        books
    }

    async fn call(&self, method: Method, path: &str) -> Response {
        let request = self.keeper.request(method, path);
        send(request.bearer_auth(&self.token).json(&json!({}))).await
    }

    async fn open_with(&self, balance: &Value) -> Response {
        let request = self.keeper.request(Method::POST, "/accounts");
        let body = json!({ "opening_balance": balance });
        send(request.bearer_auth(&self.token).json(&body)).await
    }

    /// The path of the account, or of something in it.
    fn path(&self, more: &str) -> String {
        format!("/accounts/{}{more}", self.account)
    }

    /// Deposits these amounts, and returns the transactions' numbers.
    async fn deposit(&self, amounts: &[i64]) -> Vec<i64> {
        for amount in amounts {
            let service = &self.keeper.service;
            let made = service.deposit("atomic_no_delay", self.account, *amount);
            assert_eq!(made.await.status(), 200);
        }
        let transactions = self.path("/transactions");
        let list = self.keeper.service.json(&transactions).await;
        let list = list["transactions"].as_array().unwrap();
        list.iter().map(|it| it["id"].as_i64().unwrap()).collect()
    }

    async fn assert_account_is(&self, expected: &Value) {
        let account = self.keeper.service.json(&self.path("")).await;
        assert_includes(&account, expected);
    }
}

/// The balance stays as it is, and the opening balance takes what is missing now.
async fn a_transaction_is_deleted_once(engine: TestEngine) {
    let books = Books::on(engine).await;
    let second = books.deposit(&[1, 20, 300]).await[1];
    let path = books.path(&format!("/transactions/{second}"));
    let deleted = books.call(Method::DELETE, &path).await;
    let again = books.call(Method::DELETE, &path).await;
    assert_eq!(
        deleted.json::<Value>().await.unwrap(),
        json!({ "deleted": 1 })
    );
    problem(again, 404, "unknown-transaction").await;
    let account = json!({
        "balance": 1321, "opening_balance": 1020, "transactions": 2, "lost": 0,
    });
    books.assert_account_is(&account).await;
    books.keeper.service.stop().await;
}

async fn all_transactions_of_an_account_are_deleted(engine: TestEngine) {
    let books = Books::on(engine).await;
    books.deposit(&[20, 300]).await;
    let all = books
        .call(Method::DELETE, &books.path("/transactions"))
        .await;
    assert_eq!(all.json::<Value>().await.unwrap(), json!({ "deleted": 2 }));
    let account = json!({ "opening_balance": 1320, "transactions": 0, "lost": 0 });
    books.assert_account_is(&account).await;
    books.keeper.service.stop().await;
}

async fn a_reset_account_is_back_at_its_opening_balance(engine: TestEngine) {
    let books = Books::on(engine).await;
    books.deposit(&[7]).await;
    let reset = books.call(Method::POST, &books.path("/reset")).await;
    let account: Value = reset.json().await.unwrap();
    assert_includes(&account, &json!({ "balance": 1000, "transactions": 0 }));
    books.keeper.service.stop().await;
}

async fn changes_are_listed_from_the_newest_on_and_in_pages(engine: TestEngine) {
    let books = Books::on(engine).await;
    let second = books.deposit(&[1, 20, 300]).await[1];
    let one = books.path(&format!("/transactions/{second}"));
    books.call(Method::DELETE, &one).await;
    books
        .call(Method::DELETE, &books.path("/transactions"))
        .await;
    books.deposit(&[7]).await;
    books.call(Method::POST, &books.path("/reset")).await;

    let pages = pages_of_changes(&books).await;
    let deleted = format!("transaction {second} of 20 deleted");
    let change = |what| json!({ "username": "ada", "account": books.account, "what": what });
    let expected = [
        [
            change("reset, 1 transactions deleted"),
            change("2 transactions deleted"),
        ],
        [change(&deleted), change("opened with 1000")],
    ];
    assert_includes(&json!(pages), &json!(expected));
    books.keeper.service.stop().await;
}

/// All changes, two to a page.
async fn pages_of_changes(books: &Books) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut path = "/changes?limit=2".to_owned();
    loop {
        let page = books.call(Method::GET, &path).await;
        let page: Value = page.json().await.unwrap();
        pages.push(page["changes"].clone());
        match &page["next"] {
            Value::Null => return pages,
            before => path = format!("/changes?limit=2&before={before}"),
        }
    }
}

#[tokio::test]
async fn a_transaction_is_not_found_in_another_account() {
    let books = Books::on(TestEngine::Sqlite).await;
    let transaction = books.deposit(&[20]).await[0];
    let elsewhere = format!("/accounts/1/transactions/{transaction}");
    let elsewhere = books.call(Method::DELETE, &elsewhere).await;
    problem(elsewhere, 404, "unknown-transaction").await;
    books.keeper.service.stop().await;
}

#[tokio::test]
async fn an_unknown_account_cannot_be_changed() {
    let books = Books::on(TestEngine::Sqlite).await;
    for (method, path) in [
        (Method::POST, "/accounts/99/reset"),
        (Method::DELETE, "/accounts/99/transactions"),
    ] {
        problem(books.call(method, path).await, 404, "unknown-account").await;
    }
    books.keeper.service.stop().await;
}

#[tokio::test]
async fn an_opening_balance_is_a_number_from_0_on() {
    let books = Books::on(TestEngine::Sqlite).await;
    for wrong in [json!(-1), json!("ten"), json!(1.5), json!([1])] {
        let refused = books.open_with(&wrong).await;
        problem(refused, 400, "invalid-request").await;
    }
    books.keeper.service.stop().await;
}

/// The strategy is safe, so what would be wrong afterwards would be the keeper's doing.
async fn resets_amid_deposits_leave_the_books_right(engine: TestEngine) {
    const DEPOSITS: usize = 40;
    let lab = engine.lab().await;
    let mut deposits = deposits(&lab, "row_locking_atomic_long_delay", DEPOSITS);
    let mut deleted = 0;
    let mut finished = 0;
    // A change after every other deposit, until all are done: they are among each other for
    // certain.
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

/// The deposit's transaction holds the account's row in shared mode, by its foreign key, and the
/// reset waits for it. When the deposit wants the row for itself, MySQL lets it pass; on MariaDB it
/// waits for the reset: a circle, in which the engine gives up the reset, which has nothing to
/// undo.
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

/// A change that fails leaves nothing behind that is in the way of the next.
#[tokio::test]
async fn a_change_that_fails_keeps_no_other_waiting() {
    let lab = TestEngine::Sqlite.lab().await;
    for _ in 0..100 {
        let unknown = keeper::delete_transaction(&lab.database, ADA, 1, 99).await;
        assert!(
            matches!(unknown, Err(ChangeError::UnknownTransaction { .. })),
            "{unknown:?}"
        );
        lab.until_nothing_is_open().await;
    }
}

/// It has waited for a whole lock wait timeout, and does not wait again.
#[tokio::test]
async fn a_change_that_waits_in_vain_for_a_writer_waits_once() {
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
    let nearly_all = i64::MAX - 1;
    deposit(&lab.database, account, nearly_all).await;
    // As if an update was lost: there is more on record than the balance could hold.
    let forget = "UPDATE accounts SET balance = 1 WHERE id = ?";
    lab.database
        .execute(forget, &[account.into()])
        .await
        .unwrap();
    let again = deposit(&lab.database, account, nearly_all).await;
    assert_eq!(again.balance_written, Some(i64::MAX));

    let deleted = keeper::delete_transactions(&lab.database, ADA, account).await;
    assert!(matches!(deleted, Err(ChangeError::TooMuch)), "{deleted:?}");
    let left = racy::accounts::find(&lab.database, account).await;
    let left = left.unwrap().unwrap();
    assert_eq!(left.transactions, 2, "nothing was deleted");
    let reset = keeper::reset_account(&lab.database, ADA, account).await;
    assert_eq!(reset.unwrap(), 2);
}

async fn deposit(database: &Database, account: i64, amount: i64) -> Receipt {
    let strategy = Strategy::named("atomic_no_delay").unwrap();
    let deposit = Deposit {
        account,
        amount,
        claim: None,
    };
    let (memory, pace) = (Memory::default(), Pace::default());
    let made = strategy.perform(database, &deposit, &memory, pace, &Unobserved);
    made.await.unwrap()
}
