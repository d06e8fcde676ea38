//! Orders as clients of the service and of the command meet them.

use racy::exhibits::Specimen as _;
use racy::exhibits::orders::{STRATEGIES, books};
use serde_json::{Value, json};

use super::{BOOK, article, send, start_writer};
use crate::support::TestEngine;
use crate::support::json::assert_includes;
use crate::support::process::racy;
use crate::support::service::RunningService;

on_engines!(
    every:
        an_order_goes_in_and_comes_out;
);

async fn an_order_goes_in_and_comes_out(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    for (book, strategy) in (1..).zip(&STRATEGIES) {
        let order = write(&service, strategy.name, book).await;
        assert_ships_the_order(&service, book, &order).await;
        assert_audits_right(&service, book).await;
    }
    service.stop().await;
}

/// Writes the article's order, and returns its number.
async fn write(service: &RunningService, strategy: &str, book: i64) -> Value {
    let mut order = article();
    order["book"] = json!(book);
    let answer = send(service, strategy, &order).await;
    assert_eq!(answer.status(), 200, "{strategy}");
    let written: Value = answer.json().await.unwrap();
    assert_includes(
        &written,
        &json!({
            "strategy": strategy,
            "book": book,
            "customer_no": 12345,
            "outcome": "applied",
            "attempts": 1,
        }),
    );
    let id = &written["order"];
    match strategy {
        "insert_select_max" => assert!(id.is_null()),
        "uuid_v7" => assert_eq!(id.as_str().unwrap().len(), 36),
        _ => assert_eq!(id, 1, "{strategy}"),
    }
    let steps = written["timeline"].as_array().unwrap();
    assert!(steps.iter().any(|it| it["label"] == "insert line"));
    id.clone()
}

async fn assert_ships_the_order(service: &RunningService, book: i64, order: &Value) {
    let process = service.post("/orders/process");
    let process = process.json(&json!({ "book": book })).send().await;
    let processed: Value = process.unwrap().json().await.unwrap();
    let mut shipment = json!({ "customer_no": 12345, "lines": 2 });
    if !order.is_null() {
        shipment["order"] = order.clone();
    }
    assert_includes(&processed, &json!({ "shipped": [shipment] }));
}

/// The anomalies that an audit counts.
const ANOMALIES: [&str; 6] = [
    "duplicate_number",
    "mixed_order",
    "incomplete_order",
    "shipped_incomplete",
    "never_shipped",
    "gap",
];

async fn assert_audits_right(service: &RunningService, book: i64) {
    let audit = service.json(&format!("/orders/audit?book={book}")).await;
    let none = ANOMALIES.map(|name| json!({ "name": name, "count": 0, "example": null }));
    assert_includes(
        &audit,
        &json!({ "orders": 1, "lines": 2, "anomalies": none }),
    );
}

#[tokio::test]
async fn the_first_book_is_meant_if_none_is_named() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let written = send(&service, "number_table", &article()).await;
    let written: Value = written.json().await.unwrap();
    assert_includes(&written, &json!({ "book": 1, "order": 1 }));
    let processed = service.post("/orders/process").send().await.unwrap();
    let processed: Value = processed.json().await.unwrap();
    assert_eq!(processed["shipped"][0]["order"], 1);
    let again = service.post("/orders/process").form(&[("book", 1)]).send();
    let again: Value = again.await.unwrap().json().await.unwrap();
    assert_includes(&again, &json!({ "book": 1, "shipped": [] }));
    let audit = service.json("/orders/audit").await;
    assert_includes(&audit, &json!({ "book": 1, "orders": 1 }));
    service.stop().await;
}

#[tokio::test]
async fn the_strategies_are_listed_with_their_exhibits() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let listed = service.json("/strategies").await;
    let engine = lab.database.engine();
    let orders = STRATEGIES.each_ref().map(|it| {
        let safe = it.must_be_safe_on(engine);
        json!({ "name": it.name, "exhibit": "orders", "must_be_safe": safe })
    });
    let all = listed["strategies"].as_array().unwrap().iter();
    let here = all.filter(|it| it["exhibit"] == "orders").cloned();
    assert_includes(&Value::Array(here.collect()), &json!(orders));
    service.stop().await;
}

#[tokio::test]
async fn the_command_ships_what_waits() {
    let lab = TestEngine::Sqlite.lab().await;
    books::open(&lab.database, BOOK).await.unwrap();
    let writer = start_writer(&lab, "number_table", 5);
    writer.finish().await.unwrap();
    let url = lab.url(TestEngine::Sqlite);
    let said = |book: &str| {
        let command = ["orders", "process", "--book", book, "--database-url", &url];
        let output = racy(&command).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(said("8"), "Nothing waits in book 8.\n");
    assert_eq!(said("7"), "Shipped order 1 of customer 5, with 2 lines.\n");
    assert_eq!(said("7"), "Nothing waits in book 7.\n");
}

#[test]
fn the_command_takes_no_book_zero() {
    let wrong = racy(&["orders", "process", "--book", "0"]).output();
    assert!(!wrong.unwrap().status.success());
}
