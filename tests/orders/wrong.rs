//! Orders that cannot be written: each is refused by name, and nothing is kept.

use serde_json::{Value, json};

use super::{article, send};
use crate::support::service::{RunningService, problem};
use crate::support::{Lab, TestEngine};

/// What stands in the article's order instead, at which place, and what the answer names.
const WRONG: [(&str, &str, &str); 19] = [
    ("/book", "0", "\"book\" is out of range"),
    ("/customer_no", "null", "\"customer_no\" is missing"),
    ("/customer_no", "0", "\"customer_no\" is out of range"),
    ("/customer_no", "\"5\"", "\"customer_no\" is not an integer"),
    ("/customer_no", "-5", "\"customer_no\" is negative"),
    ("/delivery_date", "null", "\"delivery_date\" is missing"),
    (
        "/delivery_date",
        "\"2026-02-30\"",
        "\"delivery_date\" is wrong",
    ),
    ("/delivery_date", "\"soon\"", "no day of the calendar"),
    ("/delivery_date", "20261201", "\"delivery_date\" is wrong"),
    ("/orderlines", "null", "\"orderlines\" is missing"),
    ("/orderlines", "[]", "\"orderlines\" is empty"),
    ("/orderlines", "{}", "\"orderlines\" is not an array"),
    ("/orderlines/1", "7", "\"orderlines[1]\" is not an object"),
    (
        "/orderlines/1/item_no",
        "null",
        "\"orderlines[1].item_no\" is missing",
    ),
    (
        "/orderlines/1/item_no",
        "\"99999\"",
        "\"orderlines[1].item_no\" is wrong: there is no item",
    ),
    (
        "/orderlines/1/item_no",
        "10105",
        "\"orderlines[1].item_no\" is wrong",
    ),
    (
        "/orderlines/1/quantity",
        "null",
        "\"orderlines[1].quantity\" is missing",
    ),
    (
        "/orderlines/1/quantity",
        "0",
        "\"orderlines[1].quantity\" is out of range",
    ),
    (
        "/orderlines/1/quantity",
        "10001",
        "\"orderlines[1].quantity\" is out of range",
    ),
];

async fn service() -> (Lab, RunningService) {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    (lab, service)
}

/// The article's order with this value at this place.
fn article_with(place: &str, value: Value) -> Value {
    let mut order = article();
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = order.pointer_mut(parent).unwrap();
    match name.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_is_a_name) => parent[name] = value,
    }
    order
}

async fn assert_is_refused(service: &RunningService, order: &Value, named: &str) {
    let answer = send(service, "number_table", order).await;
    let problem = problem(answer, 400, "invalid-request").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(named), "{named}: {detail}");
}

#[tokio::test]
async fn a_wrong_field_is_named_and_nothing_is_written() {
    let (_lab, service) = service().await;
    for (place, value, named) in WRONG {
        let order = article_with(place, serde_json::from_str(value).unwrap());
        assert_is_refused(&service, &order, named).await;
    }
    let audit = service.json("/orders/audit").await;
    assert_eq!((&audit["orders"], &audit["lines"]), (&json!(0), &json!(0)));
    service.stop().await;
}

#[tokio::test]
async fn an_order_has_at_most_a_hundred_lines() {
    let (_lab, service) = service().await;
    let line = json!({ "item_no": "10105", "quantity": 1 });
    let order = article_with("/orderlines", json!(vec![line; 101]));
    assert_is_refused(&service, &order, "has 101 lines").await;
    service.stop().await;
}

#[tokio::test]
async fn a_form_is_no_order() {
    let (_lab, service) = service().await;
    let form = service.post("/orders/number_table/");
    let form = form.form(&[("customer_no", 1)]).send().await.unwrap();
    problem(form, 415, "unsupported-type").await;
    service.stop().await;
}

#[tokio::test]
async fn an_unknown_strategy_is_404() {
    let (_lab, service) = service().await;
    let unknown = send(&service, "no_such", &article()).await;
    problem(unknown, 404, "unknown-strategy").await;
    service.stop().await;
}

#[tokio::test]
async fn a_book_to_audit_is_a_number() {
    let (_lab, service) = service().await;
    let audit = service.get("/orders/audit?book=none").send().await.unwrap();
    problem(audit, 400, "invalid-request").await;
    service.stop().await;
}
