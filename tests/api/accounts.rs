//! Accounts and their transactions, as the service lists them.

use racy::accounts;
use serde_json::{Value, json};

use super::service;
use crate::support::TestEngine;
use crate::support::service::{RunningService, problem};

on_engines!(
    every:
        an_account_shows_its_audit;
);

async fn an_account_shows_its_audit(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    let account = accounts::open(&lab.database, 1000).await.unwrap();
    service.deposit("atomic_no_delay", account, 5).await;
    service.deposit("atomic_no_delay", account, 7).await;

    let path = format!("/accounts/{account}");
    let expected = json!({
        "id": account, "balance": 1012, "opening_balance": 1000, "version": 0,
        "transactions": 2, "transactions_sum": 12, "expected": 1012, "lost": 0
    });
    assert_eq!(service.json(&path).await, expected);
    let all = service.json("/accounts").await;
    assert_eq!(all["accounts"][1], expected);
    assert_eq!(all["next"], Value::Null);

    let transactions = service.json(&format!("{path}/transactions")).await;
    let amounts: Vec<_> = transactions["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert_eq!([&amounts[0]["amount"], &amounts[1]["amount"]], [5, 7]);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let age = now.as_secs_f64() - amounts[0]["created_at_us"].as_f64().unwrap() / 1e6;
    assert!((-5.0..60.0).contains(&age), "{age} seconds old");
    service.stop().await;
}

/// The numbers of the accounts or transactions on a page.
fn numbers(page: &Value, of: &str) -> Vec<i64> {
    let items = page[of].as_array().unwrap();
    let numbers = items.iter().map(|item| item["id"].as_i64().unwrap());
    numbers.collect()
}

#[tokio::test]
async fn accounts_come_in_pages() {
    let (lab, service) = service().await;
    for _ in 0..4 {
        accounts::open(&lab.database, 0).await.unwrap();
    }
    let first = service.json("/accounts?limit=3").await;
    assert_eq!(numbers(&first, "accounts"), [1, 2, 3]);
    assert_eq!(first["next"], 3);
    let last = service.json("/accounts?limit=3&after=3").await;
    assert_eq!(numbers(&last, "accounts"), [4, 5]);
    assert_eq!(last["next"], Value::Null);
    let exact = service.json("/accounts?limit=5").await;
    assert_eq!(exact["next"], Value::Null);
    service.stop().await;
}

#[tokio::test]
async fn transactions_come_in_pages() {
    let (_lab, service) = service().await;
    for _ in 0..4 {
        service.deposit("atomic_no_delay", 1, 1).await;
    }
    let first = service.json("/accounts/1/transactions?limit=3").await;
    assert_eq!(numbers(&first, "transactions"), [1, 2, 3]);
    let last = service.json("/accounts/1/transactions?after=3").await;
    assert_eq!(numbers(&last, "transactions"), [4]);
    service.stop().await;
}

const NO_PAGES: [&str; 6] = [
    "limit=0",
    "limit=1001",
    "limit=-1",
    "limit=x",
    "after=-1",
    "after=x",
];

#[tokio::test]
async fn what_is_no_page_is_400() {
    let (_lab, service) = service().await;
    for query in NO_PAGES {
        for path in ["/accounts", "/accounts/1/transactions"] {
            let page = service.get(&format!("{path}?{query}")).send().await;
            problem(page.unwrap(), 400, "invalid-request").await;
        }
    }
    let response = service.get("/accounts/one").send().await.unwrap();
    problem(response, 400, "invalid-request").await;
    service.stop().await;
}
