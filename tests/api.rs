//! The HTTP service as its clients meet it: every endpoint, every bad input.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use racy::accounts;
use racy::engine::Settings;
use racy::exhibits::deposits::{LongDelay, STRATEGIES};
use racy::http::{self, Service};
use racy::step::Unobserved;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::client::Gate;
use crate::support::service::{RunningService, problem, settings};
use crate::support::{Lab, TestEngine};

on_engines!(
    every:
        racy_djangos_clients_work_unchanged,
        an_account_shows_its_audit,
        a_refusal_by_the_engine_is_a_conflict,
    ;
    servers:
        the_pool_out_of_reach_is_503_with_retry_after,
    ;
    innodb:
);

/// For what does not depend on the engine.
async fn service() -> (Lab, RunningService) {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    (lab, service)
}

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
    // Where the database does the sum, nobody knows what it writes.
    if let Some(written) = valued("write") {
        assert_eq!(valued("read"), Some(written - 100), "{timeline}");
    }
}

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

async fn the_pool_out_of_reach_is_503_with_retry_after(engine: TestEngine) {
    let lab = engine
        .lab_with(Settings {
            connections: 1,
            acquire_timeout: Duration::from_millis(500),
            ..Settings::default()
        })
        .await;
    let service = RunningService::start(&lab.database).await;
    let taken = lab.database.session(&Unobserved).await.unwrap();
    for path in ["/accounts", "/health/ready"] {
        let response = service.get(path).send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "1");
        problem(response, 503, "unavailable").await;
    }
    let response = service.deposit("atomic_no_delay", 1, 100).await;
    let refused = problem(response, 503, "unavailable").await;
    assert_eq!(refused["retryable"], true);
    assert_eq!(refused["detail"], "all 1 database connections are in use");
    assert_eq!(service.json("/health/live").await, json!({"status": "ok"}));
    taken.end().await;
    assert_eq!(service.json("/health/ready").await["status"], "ok");
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

#[tokio::test]
async fn a_bad_field_is_400_and_named() {
    let (lab, service) = service().await;
    for (body, complaint) in [
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
    ] {
        let request = service
            .post("/demo/atomic_no_delay/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let problem = problem(request.send().await.unwrap(), 400, "invalid-request").await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(complaint), "{body}: {detail}");
    }
    for (body, complaint) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("[1, 5]", "is an array"),
        (
            r#"{"account": 1, "account": 2, "amount": 3}"#,
            "duplicate field",
        ),
        ("{}", "\"account\" is missing"),
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
    ] {
        let request = service
            .post("/demo/atomic_no_delay/")
            .header("content-type", "application/json; charset=utf-8")
            .body(body);
        let problem = problem(request.send().await.unwrap(), 400, "invalid-request").await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(complaint), "{body}: {detail}");
    }
    let nothing = service.post("/demo/atomic_no_delay/").send().await.unwrap();
    let missing = problem(nothing, 400, "invalid-request").await;
    assert_eq!(missing["detail"], "The field \"account\" is missing.");
    let account = lab.account().await;
    assert_eq!((account.balance, account.transactions), (0, 0));
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
async fn what_is_not_there_is_404() {
    let (_lab, service) = service().await;
    let response = service.deposit("atomic_no_delay", 2, 100).await;
    problem(response, 404, "unknown-account").await;
    let response = service.deposit("atomic_long_dellay", 1, 100).await;
    let unknown = problem(response, 404, "unknown-strategy").await;
    assert!(
        unknown["detail"]
            .as_str()
            .unwrap()
            .contains("row_locking_atomic_long_delay")
    );
    let garbled = service.post("/demo/%ff/").send().await.unwrap();
    problem(garbled, 400, "invalid-request").await;
    for path in ["/accounts/2", "/accounts/2/transactions"] {
        let response = service.get(path).send().await.unwrap();
        problem(response, 404, "unknown-account").await;
    }
    for path in [
        "/demo",
        "/demo/",
        "/accounts/1/nothing",
        "/docs/nothing",
        "/docs/%FF",
    ] {
        let response = service.get(path).send().await.unwrap();
        problem(response, 404, "unknown-path").await;
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

#[tokio::test]
async fn method_type_and_size_have_their_statuses() {
    let (_lab, service) = service().await;
    let response = service.get("/demo/atomic_no_delay/").send().await.unwrap();
    assert_eq!(response.headers()["allow"], "POST");
    problem(response, 405, "method-not-allowed").await;
    let response = service.post("/strategies").send().await.unwrap();
    problem(response, 405, "method-not-allowed").await;

    for content_type in ["text/plain", "application/jsonx", ""] {
        let request = service
            .post("/demo/atomic_no_delay/")
            .header("content-type", content_type);
        let response = request.body("account=1&amount=1").send().await.unwrap();
        problem(response, 415, "unsupported-type").await;
    }
    let response = service
        .post("/demo/atomic_no_delay/")
        .body("account=1")
        .send()
        .await
        .unwrap();
    problem(response, 415, "unsupported-type").await;

    let request = service
        .post("/demo/atomic_no_delay/")
        .header("content-type", "application/x-www-form-urlencoded");
    let response = request.body("x".repeat(100_000)).send().await.unwrap();
    problem(response, 413, "too-large").await;
    service.stop().await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    let (lab, service) = service().await;
    for _ in 0..4 {
        accounts::open(&lab.database, 0).await.unwrap();
        service.deposit("atomic_no_delay", 1, 1).await;
    }
    let numbers = |page: &Value, of: &str| -> Vec<i64> {
        let items = page[of].as_array().unwrap();
        items
            .iter()
            .map(|item| item["id"].as_i64().unwrap())
            .collect()
    };
    let first = service.json("/accounts?limit=3").await;
    assert_eq!(numbers(&first, "accounts"), [1, 2, 3]);
    assert_eq!(first["next"], 3);
    let last = service.json("/accounts?limit=3&after=3").await;
    assert_eq!(numbers(&last, "accounts"), [4, 5]);
    assert_eq!(last["next"], Value::Null);
    let exact = service.json("/accounts?limit=5").await;
    assert_eq!(exact["next"], Value::Null);

    let first = service.json("/accounts/1/transactions?limit=3").await;
    assert_eq!(numbers(&first, "transactions"), [1, 2, 3]);
    let last = service.json("/accounts/1/transactions?after=3").await;
    assert_eq!(numbers(&last, "transactions"), [4]);

    for query in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "after=-1",
        "after=x",
    ] {
        for path in ["/accounts", "/accounts/1/transactions"] {
            let response = service
                .get(&format!("{path}?{query}"))
                .send()
                .await
                .unwrap();
            problem(response, 400, "invalid-request").await;
        }
    }
    let response = service.get("/accounts/one").send().await.unwrap();
    problem(response, 400, "invalid-request").await;
    service.stop().await;
}

#[test]
fn who_gives_up_says_how_often_it_tried() {
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
async fn strategies_explain_themselves_with_the_code_that_runs() {
    let (_lab, service) = service().await;
    let answer = service.json("/strategies").await;
    assert_eq!(answer["engine"], "sqlite");
    assert_eq!(answer["isolation"], "serializable");
    let strategies = answer["strategies"].as_array().unwrap();
    let names: Vec<_> = strategies
        .iter()
        .map(|strategy| &strategy["name"])
        .collect();
    let expected = STRATEGIES.each_ref().map(|strategy| strategy.name);
    assert_eq!(names, expected);
    let locking = &strategies[4];
    assert_eq!(locking["must_be_safe"], true);
    assert_eq!(locking["delay"], "long");
    assert!(
        locking["explanation"]
            .as_str()
            .unwrap()
            .starts_with("# Lock the row")
    );
    assert!(locking["source"].as_str().unwrap().contains("FOR UPDATE"));
    let expected = &locking["expected"][0];
    assert_eq!(expected["engine"], "innodb");
    assert_eq!(expected["isolation"][3], "serializable");
    assert_eq!(
        expected["verdicts"],
        json!([{"verdict": "safe", "schedules": 36}])
    );
    let refused = json!({"verdict": "refused", "fault": "deadlock", "schedules": 40});
    let atomic = &strategies[2]["expected"][0]["verdicts"];
    assert!(atomic.as_array().unwrap().contains(&refused), "{atomic}");
    service.stop().await;
}

#[tokio::test]
async fn the_api_describes_itself() {
    let (_lab, service) = service().await;
    let description = service.json("/openapi.json").await;
    let paths = description["paths"].as_object().unwrap();
    let paths: Vec<_> = paths.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "/accounts",
            "/accounts/{id}",
            "/accounts/{id}/reset",
            "/accounts/{id}/statement",
            "/accounts/{id}/transactions",
            "/accounts/{id}/transactions/{transaction}",
            "/changes",
            "/demo/{strategy}/",
            "/exports/{file}",
            "/exports/{file}/audit",
            "/exports/{strategy}/",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/orders/audit",
            "/orders/process",
            "/orders/{strategy}/",
            "/strategies",
        ]
    );
    for (path, method) in [
        ("/accounts", "post"),
        ("/accounts/{id}/reset", "post"),
        ("/accounts/{id}/transactions", "delete"),
        ("/accounts/{id}/transactions/{transaction}", "delete"),
        ("/changes", "get"),
    ] {
        let ways = &description["paths"][path][method]["security"];
        assert_eq!(
            ways,
            &json!([{ "token": [] }, { "session": [] }]),
            "{method} {path}"
        );
    }
    for page in ["/docs", "/docs/", "/docs/swagger-ui-bundle.js"] {
        let response = service.get(page).send().await.unwrap();
        assert_eq!(response.status(), 200, "{page}");
        let text = response.text().await.unwrap();
        assert!(text.to_lowercase().contains("swagger"), "{page}");
    }
    service.stop().await;
}

#[tokio::test]
async fn every_answer_carries_a_request_id() {
    let (_lab, service) = service().await;
    let mut seen = Vec::new();
    for path in ["/", "/accounts", "/nowhere", "/health/live"] {
        let response = service.get(path).send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap();
        assert!(id.len() > 20, "{path}: {id}");
        seen.push(id.to_owned());
    }
    seen.dedup();
    assert_eq!(seen.len(), 4, "one for each request: {seen:?}");
    service.stop().await;
}

/// Anybody can write a header: only a proxy's word is taken.
#[tokio::test]
async fn a_request_id_is_believed_behind_a_proxy_alone() {
    let lab = TestEngine::Sqlite.lab().await;
    for behind_proxy in [false, true] {
        let settings = http::Settings {
            behind_proxy,
            ..settings()
        };
        let service =
            RunningService::start_with(&lab.database, &settings, Arc::new(Unobserved), |router| {
                router
            })
            .await;
        let request = service.get("/accounts").header("x-request-id", "given");
        let response = request.send().await.unwrap();
        let id = &response.headers()["x-request-id"];
        assert_eq!(id == "given", behind_proxy, "{id:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn every_answer_names_the_instance() {
    let lab = TestEngine::Sqlite.lab().await;
    let settings = http::Settings {
        instance: "replica-7".parse().unwrap(),
        ..settings()
    };
    let service =
        RunningService::start_with(&lab.database, &settings, Arc::new(Unobserved), |router| {
            router
        })
        .await;
    for (request, status) in [
        (service.get("/"), 200),
        (service.get("/accounts"), 200),
        (service.get("/health/live"), 200),
        (service.get("/docs/"), 200),
        (service.get("/nowhere"), 404),
        (service.get("/demo/atomic_no_delay/"), 405),
        (service.post("/health/ready"), 405),
        (service.post("/demo/atomic_no_delay/"), 400),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-racy-instance"], "replica-7");
    }
    let ready = json!({"status": "ok", "instance": "replica-7"});
    assert_eq!(service.json("/health/ready").await, ready);
    service.stop().await;
}

#[tokio::test]
async fn the_front_page_leads_to_the_rest() {
    let (_lab, service) = service().await;
    let response = service.get("/").send().await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    let page = response.text().await.unwrap();
    for path in ["/docs", "/accounts", "/strategies", "/openapi.json"] {
        assert!(page.contains(&format!("href=\"{path}\"")), "{path}");
        assert_eq!(service.get(path).send().await.unwrap().status(), 200);
    }
    service.stop().await;
}

/// One worker holds a deposit; the next deposit waits for the worker, health does not.
#[tokio::test]
async fn workers_limit_the_requests_that_are_carried_out_at_a_time() {
    let lab = TestEngine::Sqlite.lab().await;
    let (gate, mut arrived) = Gate::new();
    let one_worker = http::Settings {
        workers: Some(1),
        ..settings()
    };
    let service =
        RunningService::start_with(&lab.database, &one_worker, Arc::new(gate), |router| router)
            .await;
    let deposits = [1, 2].map(|_| {
        let request = service.post("/demo/non_atomic_no_delay/");
        tokio::spawn(request.form(&[("account", 1), ("amount", 100)]).send())
    });
    // With one worker, the steps of the two never mix: with two, the second client's first step
    // would arrive while the first client is parked.
    for _ in 0..2 {
        for label in ["read balance", "insert transaction", "write balance"] {
            let step = arrived.next().await.unwrap();
            assert_eq!(step.label, label);
            assert_eq!(service.json("/health/live").await, json!({"status": "ok"}));
            assert!(arrived.is_empty(), "two clients at work");
            step.go();
        }
    }
    for deposit in deposits {
        assert_eq!(deposit.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(lab.account().await.lost, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_and_goes_on() {
    let lab = TestEngine::Sqlite.lab().await;
    let (gate, arrived) = Gate::new();
    let impatient = http::Settings {
        request_timeout: Duration::from_millis(100),
        ..settings()
    };
    let service =
        RunningService::start_with(&lab.database, &impatient, Arc::new(gate), |router| router)
            .await;
    let response = service.deposit("non_atomic_no_delay", 1, 100).await;
    let problem = problem(response, 504, "took-too-long").await;
    assert_eq!(problem["outcome"], "unknown");
    assert_eq!(problem["retryable"], false);
    // Stopping waits for it: so it is still at work, and its steps are let go meanwhile.
    let steps = arrived.let_all_through();
    service.stop().await;
    steps.await.unwrap();
    assert_eq!(lab.account().await.balance, 100);
}

#[tokio::test]
async fn a_shutdown_finishes_the_deposits_in_flight() {
    let lab = TestEngine::Sqlite.lab().await;
    let (gate, mut arrived) = Gate::new();
    let service =
        RunningService::start_with(&lab.database, &settings(), Arc::new(gate), |router| router)
            .await;
    let request = service.post("/demo/atomic_no_delay/");
    let deposit = tokio::spawn(request.form(&[("account", 1), ("amount", 100)]).send());
    let first = arrived.next().await.unwrap();

    let address = service.address;
    let stopping = tokio::spawn(service.stop());
    crate::support::until("the listener is closed", || async {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    first.go();
    let steps = arrived.let_all_through();
    assert_eq!(deposit.await.unwrap().unwrap().status(), 200);
    stopping.await.unwrap();
    steps.await.unwrap();
    assert_eq!(lab.account().await.balance, 100);
}

/// Reads all that the server sends until it closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_slow_client_is_given_up() {
    let lab = TestEngine::Sqlite.lab().await;
    let hasty = http::Settings {
        // More than the test takes to send what it does send.
        header_timeout: Duration::from_secs(1),
        ..settings()
    };
    let service =
        RunningService::start_with(&lab.database, &hasty, Arc::new(Unobserved), |router| router)
            .await;
    let mut headers = TcpStream::connect(service.address).await.unwrap();
    headers
        .write_all(b"POST /demo/atomic_no_delay/ HTTP/1.1\r\nHost: x\r\n")
        .await
        .unwrap();
    assert!(!until_closed(&mut headers).await.contains(" 200 "));

    let mut body = TcpStream::connect(service.address).await.unwrap();
    body.write_all(
        b"POST /demo/atomic_no_delay/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
          Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 20\r\n\r\naccount=1",
    )
    .await
    .unwrap();
    assert!(until_closed(&mut body).await.starts_with("HTTP/1.1 408 "));
    assert_eq!(lab.account().await.transactions, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_long_delay_is_a_step_of_the_timeline() {
    let lab = TestEngine::Sqlite.lab().await;
    let delay = Duration::from_millis(20);
    let delayed = http::Settings {
        long_delay: LongDelay(delay..=delay),
        ..settings()
    };
    let service =
        RunningService::start_with(&lab.database, &delayed, Arc::new(Unobserved), |router| {
            router
        })
        .await;
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

/// Whoever has sent a request when the service stops is answered, accepted or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_forgets_nobody_who_has_sent_a_request() {
    let lab = TestEngine::Sqlite.lab().await;
    for _ in 0..20 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut clients = send_requests(listener.local_addr().unwrap()).await;
        let service = Service::new(lab.database.clone(), &settings(), Arc::new(Unobserved));
        http::serve(listener, service, std::future::ready(())).await;
        assert_all_answered(&mut clients).await;

        let service = RunningService::start(&lab.database).await;
        let mut clients = send_requests(service.address).await;
        service.stop().await;
        assert_all_answered(&mut clients).await;
    }
}

async fn send_requests(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET /accounts HTTP/1.1\r\nHost: here\r\n\r\n";
        client.write_all(request).await.unwrap();
        clients.push(client);
    }
    clients
}

async fn assert_all_answered(clients: &mut [TcpStream]) {
    for client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer:?}");
    }
}
