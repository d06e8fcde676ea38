//! What the service says about itself.

use racy::exhibits;
use racy::http;
use serde_json::{Value, json};

use super::service;
use crate::support::TestEngine;
use crate::support::json::assert_includes;
use crate::support::service::{RunningService, settings};

#[tokio::test]
async fn every_strategy_is_listed_for_the_engine_that_runs() {
    let (_lab, service) = service().await;
    let answer = service.json("/strategies").await;
    let strategies = exhibits::specimens().map(|it| json!({ "full_name": it.full_name() }));
    let expected = json!({
        "engine": "sqlite",
        "isolation": "serializable",
        "strategies": strategies.collect::<Vec<_>>(),
    });
    assert_includes(&answer, &expected);
    service.stop().await;
}

/// What `GET /strategies` says of this strategy.
async fn listed(service: &RunningService, name: &str) -> Value {
    let answer = service.json("/strategies").await;
    let mut strategies = answer["strategies"].as_array().unwrap().iter();
    let strategy = strategies.find(|it| it["name"] == name);
    strategy.unwrap().clone()
}

#[tokio::test]
async fn a_strategy_explains_itself_with_the_code_that_runs() {
    let (_lab, service) = service().await;
    let locking = listed(&service, "row_locking_atomic_long_delay").await;
    assert_includes(&locking, &json!({ "must_be_safe": true, "thinks": true }));
    let explanation = locking["explanation"].as_str().unwrap();
    assert!(explanation.starts_with("# Lock the row"), "{explanation}");
    assert!(locking["source"].as_str().unwrap().contains("FOR UPDATE"));
    service.stop().await;
}

#[tokio::test]
async fn a_strategy_shows_its_card() {
    let (_lab, service) = service().await;
    let locking = listed(&service, "row_locking_atomic_long_delay").await;
    let first = &locking["expected"][0];
    let verdicts = json!([{"verdict": "safe", "schedules": 36}]);
    assert_includes(first, &json!({ "engine": "innodb", "verdicts": verdicts }));
    assert_eq!(first["isolation"][3], "serializable");

    let atomic = listed(&service, "atomic_no_delay").await;
    let verdicts = atomic["expected"][0]["verdicts"].as_array().unwrap();
    let refused = json!({"verdict": "refused", "fault": "deadlock", "schedules": 40});
    assert!(verdicts.contains(&refused), "{verdicts:?}");
    service.stop().await;
}

const PATHS: [&str; 34] = [
    "/accounts",
    "/accounts/{id}",
    "/accounts/{id}/reset",
    "/accounts/{id}/statement",
    "/accounts/{id}/transactions",
    "/accounts/{id}/transactions/{transaction}",
    "/changes",
    "/demo/{strategy}/",
    "/explorations/{id}.json",
    "/explorations/{id}/events",
    "/explorations/{id}/stop",
    "/explore",
    "/exports/{file}",
    "/exports/{file}/audit",
    "/exports/{strategy}/",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/orders/audit",
    "/orders/process",
    "/orders/{strategy}/",
    "/runs",
    "/runs/{id}.json",
    "/runs/{id}/events",
    "/runs/{id}/stop",
    "/runs/{id}/trace.json",
    "/scenarios",
    "/strategies",
    "/tables",
    "/tables/{strategy}/",
    "/tables/{table}",
    "/tables/{table}/audit",
    "/tables/{table}/history",
    "/tables/{table}/records",
];

#[tokio::test]
async fn the_api_describes_its_paths() {
    let (_lab, service) = service().await;
    let description = service.json("/openapi.json").await;
    let paths = description["paths"].as_object().unwrap();
    assert_eq!(paths.keys().collect::<Vec<_>>(), PATHS);
    service.stop().await;
}

/// What only a signed-in user may do.
const PROTECTED: [(&str, &str); 5] = [
    ("/accounts", "post"),
    ("/accounts/{id}/reset", "post"),
    ("/accounts/{id}/transactions", "delete"),
    ("/accounts/{id}/transactions/{transaction}", "delete"),
    ("/changes", "get"),
];

#[tokio::test]
async fn the_api_says_what_needs_a_token_or_a_session() {
    let (_lab, service) = service().await;
    let description = service.json("/openapi.json").await;
    let ways = json!([{ "token": [] }, { "session": [] }]);
    for (path, method) in PROTECTED {
        let said = &description["paths"][path][method]["security"];
        assert_eq!(said, &ways, "{method} {path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_api_can_be_tried_in_a_browser() {
    let (_lab, service) = service().await;
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

/// Any client can write a header: only a proxy's is believed.
#[tokio::test]
async fn a_request_id_is_believed_behind_a_proxy_alone() {
    let lab = TestEngine::Sqlite.lab().await;
    for behind_proxy in [false, true] {
        let settings = http::Settings {
            behind_proxy,
            ..settings()
        };
        let service = RunningService::start_with(&lab.database, &settings).await;
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
    let service = RunningService::start_with(&lab.database, &settings).await;
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
    for path in ["/docs/", "/accounts", "/strategies", "/openapi.json"] {
        assert!(page.contains(&format!("href=\"{path}\"")), "{path}");
        assert_eq!(service.get(path).send().await.unwrap().status(), 200);
    }
    service.stop().await;
}
