//! Orders: two writers who take the same number, and a consumer who takes half an order.

mod cards;
mod http;
mod races;
mod wrong;

use racy::exhibits::orders::audit::{AnomalyName, Audit};
use racy::exhibits::orders::consumer::{self, Shipment};
use racy::exhibits::orders::{
    Failure, ITEMS, Order, OrderLine, PAIRS, RandomIds, Receipt, Strategy, books,
};
use racy::step::Unobserved;
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::service::RunningService;
use crate::support::stepper::Stepper;
use crate::support::{Lab, TestEngine};

const BOOK: i64 = 7;

/// An order of two lines.
pub fn order_of(customer_no: i64) -> Order {
    let line = |item_no| OrderLine {
        item_no,
        quantity: 80,
    };
    Order {
        book: BOOK,
        customer_no,
        delivery_date: "2026-12-01".parse().unwrap(),
        lines: ITEMS.into_iter().take(2).map(line).collect(),
        drawn: RandomIds::at_random().unwrap(),
    }
}

/// A database with an open book.
async fn lab_with_a_book(engine: TestEngine) -> Lab {
    let lab = engine.lab().await;
    books::open(&lab.database, BOOK).await.unwrap();
    lab
}

/// Starts a writer of an order. It parks before each step, and tries once.
fn start_writer(lab: &Lab, name: &str, customer_no: i64) -> Stepper<Result<Receipt, Failure>> {
    let (database, strategy) = (lab.database.clone(), Strategy::named(name).unwrap());
    Stepper::start(move |gate| async move {
        let order = order_of(customer_no);
        strategy.perform(&database, &order, Vec::new(), &gate).await
    })
}

async fn audit(lab: &Lab) -> Audit {
    Audit::of(&lab.database, BOOK, &PAIRS).await.unwrap()
}

/// How often an anomaly was found, and its example.
fn found(audit: &Audit, name: AnomalyName) -> (i64, Option<&str>) {
    let anomaly = audit.anomalies.iter().find(|it| it.name == name).unwrap();
    (anomaly.count, anomaly.example.as_deref())
}

async fn consume(lab: &Lab) -> Vec<Shipment> {
    consumer::perform(&lab.database, BOOK, &Unobserved)
        .await
        .unwrap()
}

/// The article's order.
fn article() -> Value {
    json!({
        "customer_no": 12345,
        "delivery_date": "2026-12-01",
        "orderlines": [
            { "item_no": "10105", "quantity": 80 },
            { "item_no": "14600", "quantity": 20 },
        ],
    })
}

async fn send(service: &RunningService, strategy: &str, order: &Value) -> Response {
    let request = service.post(&format!("/orders/{strategy}/")).json(order);
    request.send().await.unwrap()
}
