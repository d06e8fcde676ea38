//! Requests that cannot be answered as they are: each has its status and is told why.

use super::service;
use crate::support::service::{problem, problem_with};

/// Forms that are no deposit, and what is said about each.
const WRONG_FORMS: [(&str, &str); 12] = [
    ("", "\"account\" is missing"),
    ("amount=1", "\"account\" is missing"),
    ("account=1", "\"amount\" is missing"),
    ("account=&amount=1", "\"account\" is not an integer"),
    ("account=one&amount=1", "\"account\" is not an integer"),
    ("account=1&amount=1.5", "\"amount\" is not an integer"),
    ("account=1&amount=-5", "\"amount\" is negative"),
    ("account=-1&amount=5", "\"account\" is negative"),
    (
        "account=1&amount=9223372036854775808",
        "\"amount\" is out of range",
    ),
    (
        "account=99999999999999999999&amount=1",
        "\"account\" is out of range",
    ),
    ("account=1&account=2&amount=1", "duplicate field"),
    ("account=1&amount=%FF", "\"amount\" is not an integer"),
];

/// JSON bodies that are no deposit, and what is said about each.
const WRONG_JSON: [(&str, &str); 11] = [
    ("", "EOF"),
    ("{", "EOF"),
    ("[1, 5]", "is an array"),
    ("{}", "\"account\" is missing"),
    (
        r#"{"account": 1, "account": 2, "amount": 3}"#,
        "duplicate field",
    ),
    (
        r#"{"account": "1", "amount": 1}"#,
        "\"account\" is not an integer",
    ),
    (
        r#"{"account": 1, "amount": 1.5}"#,
        "\"amount\" is not an integer",
    ),
    (r#"{"account": 1, "amount": null}"#, "\"amount\" is missing"),
    (r#"{"account": 1, "amount": -1}"#, "\"amount\" is negative"),
    (
        r#"{"account": 1, "amount": 1e30}"#,
        "\"amount\" is not an integer",
    ),
    (
        r#"{"account": 1, "amount": 18446744073709551616}"#,
        "\"amount\" is out of range",
    ),
];

async fn assert_names_what_is_wrong(content_type: &str, bodies: &[(&'static str, &str)]) {
    let (lab, service) = service().await;
    for (body, complaint) in bodies {
        let request = service.post("/demo/atomic_no_delay/").body(*body);
        let answer = request.header("content-type", content_type).send().await;
        problem_with(answer.unwrap(), 400, "invalid-request", complaint).await;
    }
    let account = lab.account().await;
    assert_eq!((account.balance, account.transactions), (0, 0));
    service.stop().await;
}

#[tokio::test]
async fn a_wrong_field_of_a_form_is_named() {
    let content_type = "application/x-www-form-urlencoded";
    assert_names_what_is_wrong(content_type, &WRONG_FORMS).await;
}

#[tokio::test]
async fn a_wrong_field_of_a_json_body_is_named() {
    assert_names_what_is_wrong("application/json; charset=utf-8", &WRONG_JSON).await;
}

#[tokio::test]
async fn without_a_body_the_first_field_is_missing() {
    let (_lab, service) = service().await;
    let nothing = service.post("/demo/atomic_no_delay/").send().await.unwrap();
    let missing = problem(nothing, 400, "invalid-request").await;
    assert_eq!(missing["detail"], "The field \"account\" is missing.");
    service.stop().await;
}

#[tokio::test]
async fn an_unknown_account_is_404() {
    let (_lab, service) = service().await;
    let response = service.deposit("atomic_no_delay", 2, 100).await;
    problem(response, 404, "unknown-account").await;
    for path in ["/accounts/2", "/accounts/2/transactions"] {
        let response = service.get(path).send().await.unwrap();
        problem(response, 404, "unknown-account").await;
    }
    service.stop().await;
}

#[tokio::test]
async fn an_unknown_strategy_is_404_and_told_which_there_are() {
    let (_lab, service) = service().await;
    let response = service.deposit("atomic_long_dellay", 1, 100).await;
    let known = "row_locking_atomic_long_delay";
    problem_with(response, 404, "unknown-strategy", known).await;
    let garbled = service.post("/demo/%ff/").send().await.unwrap();
    problem(garbled, 400, "invalid-request").await;
    service.stop().await;
}

const NOWHERE: [&str; 5] = [
    "/demo",
    "/demo/",
    "/accounts/1/nothing",
    "/docs/nothing",
    "/docs/%FF",
];

#[tokio::test]
async fn an_unknown_path_is_404() {
    let (_lab, service) = service().await;
    for path in NOWHERE {
        let response = service.get(path).send().await.unwrap();
        problem(response, 404, "unknown-path").await;
    }
    service.stop().await;
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_405() {
    let (_lab, service) = service().await;
    let response = service.get("/demo/atomic_no_delay/").send().await.unwrap();
    assert_eq!(response.headers()["allow"], "POST");
    problem(response, 405, "method-not-allowed").await;
    let response = service.post("/strategies").send().await.unwrap();
    problem(response, 405, "method-not-allowed").await;
    service.stop().await;
}

#[tokio::test]
async fn a_body_of_an_unknown_type_is_415() {
    let (_lab, service) = service().await;
    for content_type in [
        Some("text/plain"),
        Some("application/jsonx"),
        Some(""),
        None,
    ] {
        let mut request = service.post("/demo/atomic_no_delay/");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let response = request.body("account=1&amount=1").send().await.unwrap();
        problem(response, 415, "unsupported-type").await;
    }
    service.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let (_lab, service) = service().await;
    let request = service
        .post("/demo/atomic_no_delay/")
        .header("content-type", "application/x-www-form-urlencoded");
    let response = request.body("x".repeat(100_000)).send().await.unwrap();
    problem(response, 413, "too-large").await;
    service.stop().await;
}
