//! Keys over HTTP.

use std::time::Duration;

use racy::exhibits::deposits::STRATEGIES;
use reqwest::Response;
use serde_json::Value;

use crate::support::TestEngine;
use crate::support::service::{RunningService, problem, settings};
use crate::support::stepper::Arrivals;

on_engines!(
    every:
        a_deposit_that_is_sent_again_is_made_once,
        while_the_first_is_in_flight_the_second_is_told_so,
        make_requests_deposits_twice_without_keys_and_once_with_them;
);

async fn send(service: &RunningService, strategy: &str, key: &str, amount: i64) -> Response {
    let request = service.post(&format!("/demo/{strategy}/"));
    let request = request.header("Idempotency-Key", key);
    let request = request.form(&[("account", 1), ("amount", amount)]);
    request.send().await.unwrap()
}

async fn receipt(response: Response, replayed: bool) -> [Value; 6] {
    assert_eq!(response.status(), 200);
    let told = response.headers().get("idempotency-replayed");
    assert_eq!(
        told.map(|it| it.as_bytes()),
        replayed.then_some(&b"true"[..])
    );
    let answer: Value = response.json().await.unwrap();
    let parts = [
        "strategy",
        "account",
        "amount",
        "balance_read",
        "balance_written",
        "attempts",
    ];
    parts.map(|part| answer[part].clone())
}

async fn a_deposit_that_is_sent_again_is_made_once(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    for (deposits, strategy) in (1..).zip(&STRATEGIES) {
        let name = strategy.name;
        let first = receipt(send(&service, name, name, 100).await, false).await;
        // The key is the same in quotes.
        let again = send(&service, name, &format!("\"{name}\""), 100).await;
        assert_eq!(receipt(again, true).await, first);
        let another = send(&service, name, name, 101).await;
        let told = problem(another, 422, "key-of-another-deposit").await;
        assert_eq!(told["outcome"], "refused");
        let account = lab.account().await;
        assert_eq!(
            (account.transactions, account.lost),
            (deposits, 0),
            "{name}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_400() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    for key in ["", "\"open", "a b", &"k".repeat(256)] {
        let told = problem(
            send(&service, "atomic_update", key, 1).await,
            400,
            "invalid-request",
        );
        let told = told.await;
        assert!(
            told["detail"]
                .as_str()
                .unwrap()
                .contains("1 to 255 visible ASCII"),
            "{told}"
        );
    }
    let twice = service
        .post("/demo/atomic_update/")
        .form(&[("account", 1), ("amount", 1)]);
    let twice = twice
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b");
    problem(twice.send().await.unwrap(), 400, "invalid-request").await;
    assert_eq!(lab.account().await.transactions, 0);
    service.stop().await;
}

async fn while_the_first_is_in_flight_the_second_is_told_so(engine: TestEngine) {
    let lab = engine.lab().await;
    let (service, mut arrived) = RunningService::start_gated(&lab.database, &settings()).await;
    let request = service
        .post("/demo/atomic_update/")
        .header("Idempotency-Key", "k");
    let request = request.form(&[("account", 1), ("amount", 100)]);
    let first = tokio::spawn(request.send());
    let begin = arrived.go_to("begin").await;
    let steps = arrived.let_all_through();
    let second = send(&service, "atomic_update", "k", 100).await;
    assert_eq!(second.headers()["retry-after"], "1");
    let told = problem(second, 409, "key-in-flight").await;
    assert_eq!(
        (&told["retryable"], &told["outcome"]),
        (&true.into(), &"refused".into())
    );

    begin.go();
    receipt(first.await.unwrap().unwrap(), false).await;
    receipt(send(&service, "atomic_update", "k", 100).await, true).await;
    assert_eq!(lab.account().await.balance, 100);
    service.stop().await;
    steps.await.unwrap();
}

/// The only request gets no answer, because its commit is held up until it has been sent again.
async fn make_requests_deposits_twice_without_keys_and_once_with_them(engine: TestEngine) {
    for (idempotency, sent_again_at) in [(false, "begin"), (true, "claim key")] {
        let lab = engine.lab().await;
        let (service, arrived) = RunningService::start_gated(&lab.database, &settings()).await;
        let steps = tokio::spawn(hold_the_first_commit(arrived, sent_again_at));
        let plan = make_requests::Plan {
            base_url: format!("http://{}", service.address).parse().unwrap(),
            target: make_requests::Deposits {
                strategy: "atomic_update".parse().unwrap(),
                account: 1,
                amount: 100.try_into().unwrap(),
                retry_timeouts: true,
                idempotency,
            }
            .into(),
            pace: make_requests::Pace::Together,
            requests: 1.try_into().unwrap(),
            timeout: Duration::from_secs(1),
        };
        let report = make_requests::run(&plan, |_| {}).await.unwrap();
        service.stop().await;
        steps.await.unwrap();

        assert_eq!(report.answers.acknowledged(), 1, "{report:?}");
        assert!(report.answers.sent_again() >= 1);
        let transactions = lab.account().await.transactions;
        if idempotency {
            assert_eq!(report.verdict(), make_requests::Verdict::Safe);
            assert_eq!(transactions, 1);
        } else {
            assert_eq!(report.verdict().name(), "double_deposits");
            assert!(transactions >= 2);
        }
    }
}

/// Holds back the first client that wants to commit, until another one comes to this step.
async fn hold_the_first_commit(mut arrived: Arrivals, until: &str) {
    let commit = arrived.go_to("commit").await;
    arrived.go_to(until).await.go();
    commit.go();
    arrived.let_all_through().await.unwrap();
}
