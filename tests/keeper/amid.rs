//! The keeper amid deposits: every change against every way to deposit, under load. Whatever the
//! order, the books are right; the load only finds sooner what is not.

use racy::engine::Isolation;
use racy::exhibits::deposits::STRATEGIES;
use racy::keeper;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Keeper, cookie, send};
use crate::support::TestEngine;
use crate::support::service::settings;

on_engines!(
    every:
        changes_amid_each_way_to_deposit_leave_the_books_right,
        changes_amid_ways_to_deposit_that_may_be_mixed_leave_the_books_right;
    servers:
        changes_amid_deposits_at_the_highest_level_leave_the_books_right;
);

/// Ways to deposit that may be mixed in one account, because they rely on the same or on nothing.
const MIXED: [&[&str]; 4] = [
    &[
        "row_locking_atomic_long_delay",
        "atomic_update",
        "atomic_update_insert_first",
        "batched",
        "serializable_retry",
        "append_only",
        "partitioned",
    ],
    &["optimistic_retry", "append_only", "partitioned"],
    &["advisory_lock", "append_only", "partitioned"],
    &["mutex_in_process", "append_only", "partitioned"],
];

async fn changes_amid_each_way_to_deposit_leave_the_books_right(engine: TestEngine) {
    let keeper = Keeper::on(engine).await;
    assert_right_amid(&keeper, safe_alone(&keeper)).await;
    keeper.service.stop().await;
}

/// There the engine refuses what it would let through elsewhere, and more ways to deposit are safe.
async fn changes_amid_deposits_at_the_highest_level_leave_the_books_right(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::Serializable).await;
    let keeper = Keeper::of(lab, &settings()).await;
    assert_right_amid(&keeper, safe_alone(&keeper)).await;
    keeper.service.stop().await;
}

async fn changes_amid_ways_to_deposit_that_may_be_mixed_leave_the_books_right(engine: TestEngine) {
    let keeper = Keeper::on(engine).await;
    assert_right_amid(&keeper, MIXED.map(<[_]>::to_vec).to_vec()).await;
    keeper.service.stop().await;
}

/// Each strategy that loses nothing by itself, in an account of its own.
fn safe_alone(keeper: &Keeper) -> Vec<Vec<&'static str>> {
    let engine = keeper.lab.database.engine();
    let safe = STRATEGIES
        .iter()
        .filter(|it| it.setting().promises_safety(engine, 1));
    safe.map(|it| vec![it.name]).collect()
}

async fn assert_right_amid(keeper: &Keeper, accounts: Vec<Vec<&'static str>>) {
    let mut wrong = Vec::new();
    for strategies in accounts {
        wrong.extend(wrong_books_amid(keeper, &strategies).await);
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Deposits into one account, by these strategies in turn, while the keeper changes it; and what is
/// wrong with the books after a change or at the end. None if they are right, and no deposit is
/// missing that was not deleted.
async fn wrong_books_amid(keeper: &Keeper, strategies: &[&'static str]) -> Option<String> {
    const DEPOSITS: usize = 16;
    let session = keeper.session().await;
    let account = open(keeper, &session).await;
    let path = format!("/accounts/{account}");
    let mut deposits = JoinSet::new();
    for strategy in strategies.iter().cycle().take(DEPOSITS) {
        let client = keeper.service.client.clone();
        let url = format!("http://{}/demo/{strategy}/", keeper.service.address);
        let form = [("account", account), ("amount", 100)];
        deposits.spawn(async move { send(client.post(url).form(&form)).await.status() });
    }
    let (mut made, mut finished) = (0, 0);
    while let Some(status) = deposits.join_next().await {
        made += i64::from(status.unwrap() == StatusCode::OK);
        finished += 1;
        if finished % 2 == 0 {
            change(keeper, &session, account, finished / 2).await;
        }
        let now = keeper.service.json(&path).await;
        if now["lost"] != 0 {
            return Some(format!("{strategies:?} after {finished}: {now}"));
        }
    }
    let left = keeper.service.json(&path).await["transactions"]
        .as_i64()
        .unwrap();
    let deleted = deleted_from(keeper, account).await;
    (left + deleted != made)
        .then(|| format!("{strategies:?}: {made} made, {deleted} deleted, {left} left"))
}

async fn open(keeper: &Keeper, session: &str) -> i64 {
    let open = keeper.request(Method::POST, "/accounts");
    let open = open.json(&json!({ "opening_balance": 1000 }));
    let opened = send(open.header("cookie", cookie(session))).await;
    assert_eq!(opened.status(), StatusCode::CREATED);
    let account: Value = opened.json().await.unwrap();
    account["id"].as_i64().unwrap()
}

/// Each change in turn, by the API and by the pages.
async fn change(keeper: &Keeper, session: &str, account: i64, turn: usize) {
    let one = some_transaction(keeper, account).await;
    let (method, path) = match turn % 6 {
        0 => (Method::POST, format!("/accounts/{account}/reset")),
        1 => (
            Method::POST,
            format!("/admin/accounts/{account}/transactions/delete"),
        ),
        2 => (
            Method::DELETE,
            format!("/accounts/{account}/transactions/{one}"),
        ),
        3 => (Method::POST, format!("/admin/accounts/{account}/reset")),
        4 => (Method::DELETE, format!("/accounts/{account}/transactions")),
        _ => (
            Method::POST,
            format!("/admin/accounts/{account}/transactions/{one}/delete"),
        ),
    };
    let request = keeper.request(method, &path);
    let changed = send(request.header("cookie", cookie(session))).await;
    match changed.status() {
        StatusCode::OK | StatusCode::SEE_OTHER => {}
        // Others were in the way at every try; or there is no transaction to delete. Nothing is
        // changed then.
        StatusCode::CONFLICT => {}
        StatusCode::NOT_FOUND if one == 0 => {}
        other => panic!("{path}: {other}"),
    }
}

/// The number of one of the account's transactions; 0 where there is none.
async fn some_transaction(keeper: &Keeper, account: i64) -> i64 {
    let path = format!("/accounts/{account}/transactions?limit=1");
    let page = keeper.service.json(&path).await;
    page["transactions"][0]["id"].as_i64().unwrap_or_default()
}

/// How many of the account's transactions the keeper says to have deleted.
async fn deleted_from(keeper: &Keeper, account: i64) -> i64 {
    let changes = keeper::changes(&keeper.lab.database, i64::MAX, 1000);
    let changes = changes.await.unwrap().into_iter();
    let of_account = changes.filter(|change| change.account == account);
    of_account.map(|change| number_deleted(&change.what)).sum()
}

fn number_deleted(what: &str) -> i64 {
    if what.starts_with("transaction ") {
        return 1;
    }
    let what = what.strip_prefix("reset, ").unwrap_or(what);
    let number = what.split_once(" transactions deleted");
    number.map_or(0, |(number, _)| number.parse().unwrap())
}
