//! `make_requests` against a service whose clients are put into an order.

use std::time::Duration;

use make_requests::{Book, Deposits, Orders, Pace, Plan, Verdict};

use crate::support::TestEngine;
use crate::support::service::{RunningService, settings};
use crate::support::stepper::{Arrivals, Arrived};

on_engines!(
    every:
        make_requests_finds_duplicate_orders,
        make_requests_finds_what_is_lost,
        make_requests_finds_that_nothing_is_lost;
);

/// Four read the highest number of an empty book before any of them writes: all get the first.
async fn make_requests_finds_duplicate_orders(engine: TestEngine) {
    const CLIENTS: u32 = 4;
    let lab = engine.lab().await;
    let (service, arrivals) = RunningService::start_gated(&lab.database, &settings()).await;
    let plan = |strategy: &str| Plan {
        base_url: format!("http://{}", service.address).parse().unwrap(),
        target: Orders {
            strategy: strategy.parse().unwrap(),
            book: Book::fresh(),
        }
        .into(),
        pace: Pace::Together,
        requests: CLIENTS.try_into().unwrap(),
        timeout: Duration::from_secs(60),
    };
    let steps = tokio::spawn(hold_until_all_are_before(
        "insert head",
        arrivals,
        CLIENTS as usize,
    ));
    let racing = make_requests::run(&plan("max_id_head_first"), |_| {}).await;
    let racing = racing.unwrap();
    assert_eq!(racing.verdict().name(), "duplicate_number", "{racing:?}");
    assert_eq!(racing.verdict().exit_status(), 1);
    let timeline = racing.timeline().unwrap();
    assert!(
        timeline.contains("✗ A and B both have order number 1"),
        "{timeline}"
    );

    let counted = make_requests::run(&plan("number_table"), |_| {}).await;
    assert_eq!(counted.unwrap().verdict(), Verdict::Safe);
    service.stop().await;
    steps.await.unwrap();
}

/// Holds back this number of clients before the step with this label until all of them are there.
/// Then it holds none back.
async fn hold_until_all_are_before(label: &str, mut arrivals: Arrivals, clients: usize) {
    let mut held = Vec::new();
    while held.len() < clients {
        let arrived = arrivals.next().await.unwrap();
        if arrived.label == label {
            held.push(arrived);
        } else {
            arrived.go();
        }
    }
    held.into_iter().for_each(Arrived::go);
    arrivals.let_all_through();
}

/// Five deposits of 100 into account 1.
fn five_deposits(service: &RunningService, strategy: &str, pace: Pace) -> Plan {
    Plan {
        base_url: format!("http://{}", service.address).parse().unwrap(),
        target: Deposits {
            strategy: strategy.parse().unwrap(),
            account: 1,
            amount: "100".parse().unwrap(),
            retry_timeouts: false,
            idempotency: false,
        }
        .into(),
        pace,
        requests: "5".parse().unwrap(),
        timeout: Duration::from_secs(20),
    }
}

/// Five read the balance before any of them writes.
async fn make_requests_finds_what_is_lost(engine: TestEngine) {
    let lab = engine.lab().await;
    let (service, arrivals) = RunningService::start_gated(&lab.database, &settings()).await;
    let steps = tokio::spawn(hold_until_all_are_before("insert transaction", arrivals, 5));
    let plan = five_deposits(&service, "non_atomic_no_delay", Pace::Together);
    let report = make_requests::run(&plan, |_| {}).await.unwrap();
    assert_eq!(report.verdict().name(), "lost_update");
    assert_eq!(lab.account().await.lost, 400);
    let timeline = report.timeline().unwrap();
    assert!(timeline.contains("100 unseen: "), "{timeline}");
    service.stop().await;
    steps.await.unwrap();
}

async fn make_requests_finds_that_nothing_is_lost(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    let pace = Pace::Every(Duration::from_millis(1));
    let plan = five_deposits(&service, "row_locking_atomic_long_delay", pace);
    let report = make_requests::run(&plan, |_| {}).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Safe);
    service.stop().await;
}
