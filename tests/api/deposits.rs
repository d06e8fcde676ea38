//! Deposits over HTTP, in every form in which clients send them.

use std::time::Duration;

use racy::engine::Settings;
use racy::exhibits::deposits::{LongDelay, STRATEGIES};
use racy::http;
use serde_json::{Value, json};

use super::service;
use crate::support::TestEngine;
use crate::support::service::{RunningService, problem, settings};

on_engines!(
    every:
        racy_djangos_clients_work_unchanged,
        a_refusal_by_the_engine_is_a_conflict;
);

async fn racy_djangos_clients_work_unchanged(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    // What the balance column holds, and what the account holds altogether.
    let (mut column, mut balance) = (0, 0);
    for strategy in &STRATEGIES {
        let knows_no_balance = ["append_only", "partitioned"].contains(&strategy.name);
        for path in [
            format!("/demo/{}/", strategy.name),
            format!("/demo/{}", strategy.name),
        ] {
            let response = service
                .post(&path)
                .form(&[("account", "1"), ("amount", "100")]);
            let response = response.send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(response.headers()["content-type"], "application/json");
            let receipt: Value = response.json().await.unwrap();
            assert_eq!(receipt["strategy"], strategy.name);
            assert_eq!(receipt["account"], 1);
            assert_eq!(receipt["amount"], 100);
            if knows_no_balance {
                assert_eq!(receipt["balance_read"], Value::Null);
                assert_eq!(receipt["balance_written"], Value::Null);
            } else {
                assert_eq!(receipt["balance_read"], column);
                column += 100;
                assert_eq!(receipt["balance_written"], column);
            }
            assert_eq!(receipt["attempts"], 1);
            assert_eq!(receipt["outcome"], "applied");
            assert_is_in_order(&receipt["timeline"]);
            balance += 100;
        }
    }
    assert_eq!(lab.account().await.balance, balance);
    service.stop().await;
}

/// Each step starts no sooner than the one before has ended, and what was read and written shows.
fn assert_is_in_order(timeline: &Value) {
    let steps = timeline.as_array().unwrap();
    let mut end = 0;
    for step in steps {
        let start = step["start_us"].as_u64().unwrap();
        // Both are cut to whole microseconds.
        assert!(start + 1 >= end, "{timeline}");
        end = start + step["duration_us"].as_u64().unwrap();
        assert!(step["label"].is_string());
        let is_statement = !["lock", "unlock"].contains(&step["action"].as_str().unwrap());
        assert!(step["sql"].is_string() || !is_statement, "{step}");
    }
    let valued = |action: &str| {
        let found = steps
            .iter()
            .find(|step| step["action"] == action && !step["value"].is_null());
        found.map(|step| step["value"].as_i64().unwrap())
    };
    // If the database does the sum, the client does not know what it writes.
    if let Some(written) = valued("write") {
        assert_eq!(valued("read"), Some(written - 100), "{timeline}");
    }
}

/// A transaction that has read is overtaken: refused, and told so in full.
async fn a_refusal_by_the_engine_is_a_conflict(engine: TestEngine) {
    let lab = engine
        .lab_with(Settings {
            lock_wait_timeout: Some(1),
            ..Settings::default()
        })
        .await;
    let service = RunningService::start(&lab.database).await;
    let locking =
        racy::exhibits::deposits::Strategy::named("row_locking_atomic_long_delay").unwrap();
    let mut holder = crate::support::Client::start(&lab.database, locking).await;
    holder.go_to("commit").await;

    let response = service.deposit("atomic_no_delay", 1, 100).await;
    let (fault, kind, code) = match engine {
        TestEngine::Sqlite => ("busy", "busy", "5"),
        TestEngine::MySql | TestEngine::MariaDb => ("lock_timeout", "lock-timeout", "1205"),
        TestEngine::Postgres => ("lock_timeout", "lock-timeout", "55P03"),
    };
    let problem = problem(response, 409, kind).await;
    assert_eq!(problem["fault"], fault);
    assert_eq!(problem["code"], code);
    assert_eq!(problem["retryable"], true);
    assert_eq!(problem["outcome"], "refused");
    let timeline = problem["timeline"].as_array().unwrap();
    let refused = timeline
        .iter()
        .find(|step| step["refusal"].is_string())
        .unwrap();
    assert_eq!(refused["label"], "insert transaction");
    assert_eq!(timeline.last().unwrap()["label"], "rollback");
    holder.finish().await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn json_bodies_are_taken_too() {
    let (lab, service) = service().await;
    let body = json!({"account": 1, "amount": 25, "note": "ignored"});
    let response = service
        .post("/demo/atomic_no_delay/")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(lab.account().await.balance, 25);
    service.stop().await;
}

/// As `curl -F` and browsers send it; Django reads both kinds of form alike.
#[tokio::test]
async fn multipart_forms_are_taken_too() {
    let (lab, service) = service().await;
    let part = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let send = |body: String| {
        let request = service.post("/demo/atomic_no_delay/");
        let request = request.header("content-type", "multipart/form-data; boundary=x");
        request.body(format!("{body}--x--\r\n")).send()
    };
    let (account, amount) = (part("account", "1"), part("amount", "100"));
    let response = send(format!("{account}{amount}")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(lab.account().await.balance, 100);
    for (body, complaint) in [
        (account.clone(), "\"amount\" is missing"),
        (
            format!("{account}{account}{amount}"),
            "duplicate field `account`",
        ),
        (
            format!("{account}{}", part("amount", "-1")),
            "\"amount\" is negative",
        ),
    ] {
        let response = send(body).await.unwrap();
        let problem = problem(response, 400, "invalid-request").await;
        assert!(
            problem["detail"].as_str().unwrap().contains(complaint),
            "{problem}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn a_content_type_is_understood_however_it_is_spelled() {
    let (_lab, service) = service().await;
    for (content_type, body) in [
        ("APPLICATION/X-WWW-FORM-URLENCODED", "account=1&amount=1"),
        (
            "application/x-www-form-urlencoded ; charset=utf-8",
            "account=1&amount=1",
        ),
        (
            "application/json ; charset=utf-8",
            r#"{"account": 1, "amount": 1}"#,
        ),
        ("Application/JSON", r#"{"account": 1, "amount": 1}"#),
    ] {
        let request = service.post("/demo/atomic_no_delay/");
        let request = request.header("content-type", content_type).body(body);
        assert_eq!(
            request.send().await.unwrap().status(),
            200,
            "{content_type}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn an_overflow_is_422_and_keeps_nothing() {
    let (lab, service) = service().await;
    let response = service.deposit("atomic_no_delay", 1, i64::MAX).await;
    assert_eq!(response.status(), 200);
    let response = service.deposit("atomic_no_delay", 1, 1).await;
    let overflow = problem(response, 422, "overflow").await;
    assert_eq!(overflow["balance"], i64::MAX);
    assert_eq!(overflow["outcome"], "refused");
    assert_eq!(lab.account().await.transactions, 1);

    let response = service.deposit("atomic_update", 1, 1).await;
    let overflow = problem(response, 422, "overflow").await;
    let timeline = overflow["timeline"].as_array().unwrap();
    let empty = timeline.iter().filter(|it| it["matched_no_row"] == true);
    let empty: Vec<_> = empty.map(|it| &it["action"]).collect();
    assert_eq!(empty, ["write"], "{overflow}");
    service.stop().await;
}

#[test]
fn a_deposit_that_gives_up_says_how_often_it_tried() {
    let failure = racy::exhibits::deposits::Failure {
        refusal: racy::exhibits::deposits::Refusal::GaveUp { attempts: 6 },
        outcome: racy::verdict::Outcome::Refused,
    };
    let problem = racy::http::Problem::of_deposit(1, 100, failure);
    let problem = serde_json::to_value(problem).unwrap();
    assert_eq!(problem["type"], "urn:racy:problem:gave-up");
    assert_eq!(
        [
            &problem["status"],
            &problem["attempts"],
            &problem["retryable"]
        ],
        [&json!(409), &json!(6), &json!(true)]
    );
    assert_eq!(problem["outcome"], "refused");
    assert_eq!(problem["fault"], Value::Null);
}

#[tokio::test]
async fn a_long_delay_is_a_step_of_the_timeline() {
    let lab = TestEngine::Sqlite.lab().await;
    let delay = Duration::from_millis(20);
    let delayed = http::Settings {
        long_delay: LongDelay(delay..=delay),
        ..settings()
    };
    let service = RunningService::start_with(&lab.database, &delayed).await;
    for (strategy, thinks) in [("atomic_long_delay", true), ("atomic_no_delay", false)] {
        let receipt: Value = service.deposit(strategy, 1, 1).await.json().await.unwrap();
        let timeline = receipt["timeline"].as_array().unwrap();
        let think = timeline.iter().find(|step| step["action"] == "think");
        assert_eq!(think.is_some(), thinks, "{strategy}");
        if let Some(think) = think {
            assert!(think["duration_us"].as_u64().unwrap() >= 20_000);
            assert!(think["sql"].is_null());
        }
    }
    service.stop().await;
}
