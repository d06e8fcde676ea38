//! Tables over HTTP.

use std::fs;
use std::sync::{Arc, Mutex};

use racy::engine::Database;
use racy::exhibits::tables::{STRATEGIES, Strategy, Tables};
use racy::http::Settings;
use racy::step::{Observer, Parked, Record, Step, Unobserved};
use serde_json::{Value, json};

use super::{Ground, one};
use crate::support::json::assert_includes;
use crate::support::service::{RunningService, assert_has_lines, problem, problem_with, settings};

async fn service() -> (Ground, RunningService) {
    let ground = Ground::new().await;
    let settings = Settings {
        tables: ground.tables.clone(),
        ..settings()
    };
    let service = RunningService::start_with(&ground.lab.database, &settings).await;
    (ground, service)
}

async fn append(service: &RunningService, strategy: &str, body: Value) -> Value {
    let request = service.post(&format!("/tables/{strategy}/")).json(&body);
    let response = request.send().await.unwrap();
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn each_strategy_appends_and_says_where() {
    let (_ground, service) = service().await;
    for strategy in &STRATEGIES {
        let made = append(&service, strategy.name, json!({"key": "a", "value": -7})).await;
        let expected = json!({
            "strategy": strategy.name,
            "table": strategy.name,
            "version": 1,
            "records": 1,
            "attempts": 1,
            "outcome": "applied",
        });
        assert_includes(&made, &expected);
        assert!(made["timeline"].as_array().unwrap().len() >= 4, "{made}");
        let path = format!("/tables/{}", strategy.name);
        let now = service.json(&path).await;
        assert_eq!(now["current"]["snapshot_id"], made["snapshot"]);
        let read = service.json(&format!("{path}/records")).await;
        let expected = json!({
            "table": strategy.name,
            "total": 1,
            "is_one_snapshot": true,
            "records": [{"key": "a", "value": -7}],
        });
        assert_includes(&read, &expected);
    }
    let names = service.json("/tables").await;
    assert_eq!(names["tables"].as_array().unwrap().len(), STRATEGIES.len());
    service.stop().await;
}

#[tokio::test]
async fn a_form_has_one_record_and_json_several() {
    let (_ground, service) = service().await;
    let form = [
        ("key", "a, \"b\""),
        ("value", "1"),
        ("table", "events"),
        ("partition", "eu"),
    ];
    let made = service
        .post("/tables/partitioned/")
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 200);
    let records = json!([{"key": "c", "value": 2}, {"key": "d", "value": 3}]);
    let body = json!({"records": records, "table": "events"});
    assert_eq!(
        append(&service, "exclusive_create", body).await["records"],
        2
    );
    let now = service.json("/tables/events").await;
    assert_includes(&now, &json!({"kept_by": "versions"}));
    assert_includes(&now["current"], &json!({"version": 2, "rows": 3}));
    let first = service.json("/tables/events/records?limit=2").await;
    assert_eq!(first["records"][0]["key"], "a, \"b\"");
    // The second page is of the same snapshot, although the table has gone on.
    append(
        &service,
        "exclusive_create",
        json!({"key": "e", "value": 4, "table": "events"}),
    )
    .await;
    let snapshot = &first["snapshot"];
    let rest = format!("/tables/events/records?snapshot={snapshot}&offset=2");
    let rest = service.json(&rest).await;
    assert_includes(
        &rest,
        &json!({"total": 3, "records": [{"key": "d", "value": 3}]}),
    );
    let torn = service
        .json("/tables/events/records?reader=read_latest_twice")
        .await;
    assert_includes(&torn, &json!({"total": 4, "is_one_snapshot": true}));
    service.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let (_ground, service) = service().await;
    let long = "x".repeat(129);
    for (body, words) in [
        (json!({}), "The field \"key\" is missing"),
        (json!({"key": "a"}), "The field \"value\" is missing"),
        (
            json!({"key": "a", "value": "ten"}),
            "The field \"value\" is not an integer",
        ),
        (
            json!({"key": "a", "value": 1.5}),
            "The field \"value\" is not an integer",
        ),
        (json!({"key": "", "value": 1}), "it is empty"),
        (json!({"key": long, "value": 1}), "it has 129 characters"),
        (
            json!({"key": "a\nb", "value": 1}),
            "it has a control character",
        ),
        (
            json!({"key": ["a"], "value": 1}),
            "The field \"key\" is no text",
        ),
        (json!({"records": []}), "has 0 records; 1 to 100 are taken"),
        (json!({"records": [{"key": "a"}]}), "missing field `value`"),
        (
            json!({"records": [], "key": "a", "value": 1}),
            "but not both",
        ),
        (
            json!({"key": "a", "value": 1, "table": "../x"}),
            "This is no table's name: \"../x\"",
        ),
        (
            json!({"key": "a", "value": 1, "partition": "EU"}),
            "is no partition's name: \"EU\"",
        ),
    ] {
        let sent = service
            .post("/tables/exclusive_create/")
            .json(&body)
            .send()
            .await
            .unwrap();
        problem_with(sent, 400, "invalid-request", words).await;
    }
    for path in [
        "/tables/..%2f..%2fetc",
        "/tables/..%2fx/audit",
        "/tables/a%00b/history",
    ] {
        let sent = service.get(path).send().await.unwrap();
        problem(sent, 400, "invalid-request").await;
    }
    assert_eq!(service.json("/tables").await, json!({"tables": []}));
    service.stop().await;
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let (ground, service) = service().await;
    append(
        &service,
        "exclusive_create",
        json!({"key": "a", "value": 1}),
    )
    .await;
    let body = json!({"key": "b", "value": 1, "table": "exclusive_create"});
    let sent = service
        .post("/tables/rename_pointer/")
        .json(&body)
        .send()
        .await
        .unwrap();
    let refused = problem(sent, 409, "kept-otherwise").await;
    assert_includes(&refused, &json!({"outcome": "refused", "retryable": false}));
    let gone = service
        .get("/tables/exclusive_create/records?snapshot=1")
        .send()
        .await
        .unwrap();
    problem(gone, 404, "unknown-snapshot").await;
    let newest = ground
        .tables
        .path()
        .join("exclusive_create/metadata/v1.json");
    fs::write(newest, "{").unwrap();
    let body = json!({"key": "b", "value": 1});
    let sent = service
        .post("/tables/exclusive_create/")
        .json(&body)
        .send()
        .await
        .unwrap();
    problem_with(
        sent,
        500,
        "table-damaged",
        "metadata/v1.json: it is cut off",
    )
    .await;
    let audit = service.json("/tables/exclusive_create/audit").await;
    assert_includes(&audit, &json!({"version": null, "acknowledged": 1}));
    service.stop().await;
}

/// Before a client of the service links its version, another one commits to this table, once.
#[derive(Debug)]
struct ComesFirst {
    database: Database,
    tables: Tables,
    table: Mutex<Option<&'static str>>,
}

impl Observer for ComesFirst {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        Box::pin(async move {
            let is_link = step.label == "link version";
            let name = is_link.then(|| self.table.lock().unwrap().take());
            if let Some(name) = name.flatten() {
                let table = self.tables.table(&name.parse().unwrap());
                let first = Strategy::named("exclusive_create").unwrap();
                let wanted = one("first");
                let made = first.perform(&self.database, &table, &wanted, Vec::new(), &Unobserved);
                made.await.unwrap();
            }
        })
    }

    fn after(&self, _record: &Record) {}
}

#[tokio::test]
async fn commits_conflicts_and_retries_are_counted() {
    let ground = Ground::new().await;
    let settings = Settings {
        tables: ground.tables.clone(),
        ..settings()
    };
    let database = &ground.lab.database;
    let other = Arc::new(ComesFirst {
        database: database.clone(),
        tables: ground.tables.clone(),
        table: Mutex::new(Some("exclusive_create_retry")),
    });
    let observer = Arc::clone(&other) as Arc<dyn Observer>;
    let service = RunningService::start_wrapped(database, &settings, observer, |it| it).await;
    let body = json!({"key": "a", "value": 1});
    let made = append(&service, "exclusive_create_retry", body.clone()).await;
    assert_eq!(
        (&made["attempts"], &made["version"]),
        (&json!(2), &json!(2))
    );
    *other.table.lock().unwrap() = Some("exclusive_create");
    let sent = service.post("/tables/exclusive_create/").json(&body).send();
    problem(sent.await.unwrap(), 409, "commit-conflict").await;
    let labels = |strategy: &str| format!(r#"{{strategy="tables/{strategy}",table="{strategy}"}}"#);
    let (retry, create) = (labels("exclusive_create_retry"), labels("exclusive_create"));
    let lines = [
        format!("racy_table_commits_total{retry} 1"),
        format!("racy_table_conflicts_total{retry} 1"),
        format!("racy_table_retries_total{retry} 1"),
        format!("racy_table_commits_total{create} 0"),
        format!("racy_table_conflicts_total{create} 1"),
        format!("racy_table_retries_total{create} 0"),
    ];
    assert_has_lines(&service.metrics().await, lines);
    service.stop().await;
}

#[tokio::test]
async fn a_missing_folder_is_no_missing_table() {
    let ground = Ground::new().await;
    let settings = Settings {
        tables: Tables::at(ground.folder.path().join("none")),
        ..settings()
    };
    let service = RunningService::start_with(&ground.lab.database, &settings).await;
    for path in ["/tables", "/tables/t", "/tables/t/records"] {
        let sent = service.get(path).send().await.unwrap();
        problem(sent, 503, "storage").await;
    }
    let sent = service
        .post("/tables/exclusive_create/")
        .form(&[("key", "a"), ("value", "1")]);
    problem(sent.send().await.unwrap(), 503, "storage").await;
    service.stop().await;
}
