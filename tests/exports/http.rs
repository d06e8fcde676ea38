//! Exports as clients of the service meet them.

use std::fs;

use racy::exhibits::exports::audit::Audit;
use racy::exhibits::exports::{Folder, STRATEGIES, Strategy};
use serde_json::{Value, json};

use super::{ground, names, serve};
use crate::support::TestEngine;
use crate::support::json::assert_includes;
use crate::support::service::{RunningService, assert_has_lines, problem};

/// Makes an export of account 1.
async fn make(service: &RunningService, short_name: &str) -> Value {
    let response = service
        .post(&format!("/exports/{short_name}/"))
        .json(&json!({"account": 1}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{short_name}");
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_made_downloaded_and_audited() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 3).await;
    let service = serve(&lab, &folder).await;
    for strategy in &STRATEGIES {
        let made = make(&service, strategy.name).await;
        let url = format!("/exports/{}", made["file"].as_str().unwrap());
        let expected = json!({
            "strategy": strategy.name,
            "account": 1,
            "rows": 3,
            "outcome": "applied",
            "url": url,
        });
        assert_includes(&made, &expected);
        assert!(made["timeline"].as_array().unwrap().len() >= 3);
        assert_is_downloaded(&service, &url, &made).await;
        assert_audits_right(&service, &url, &made).await;
    }
    service.stop().await;
}

async fn assert_is_downloaded(service: &RunningService, url: &str, made: &Value) {
    let response = service.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(header("content-length"), made["bytes"].to_string());
    let attachment = format!("attachment; filename={}", made["file"]);
    assert_eq!(header("content-disposition"), attachment);
    let file = response.bytes().await.unwrap();
    assert_eq!(file.len() as u64, made["bytes"].as_u64().unwrap());
    assert!(Audit::of(&file[..]).is_right());
}

/// The anomalies that an audit counts.
const ANOMALIES: [&str; 4] = [
    "unparsable",
    "mixed_exports",
    "wrong_row_count",
    "out_of_order",
];

async fn assert_audits_right(service: &RunningService, url: &str, made: &Value) {
    let audit = service.json(&format!("{url}/audit")).await;
    let none = ANOMALIES.map(|name| json!({ "name": name, "count": 0, "example": null }));
    let expected = json!({
        "file": made["file"],
        "rows": 3,
        "exports": [made["export"]],
        "anomalies": none,
    });
    assert_includes(&audit, &expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_are_counted() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 3).await;
    let service = serve(&lab, &folder).await;
    for strategy in &STRATEGIES {
        make(&service, strategy.name).await;
        let invalid = service.post(&format!("/exports/{}/", strategy.name));
        let invalid = invalid.form(&[("account", "none")]).send().await.unwrap();
        problem(invalid, 400, "invalid-request").await;
    }
    let metrics = service.metrics().await;
    let mut lines = vec![
        "racy_exports_files 2".to_owned(),
        format!("racy_exports_bytes {}", folder.held().unwrap().bytes),
        r#"racy_lock_wait_seconds_count{strategy="exports/file_lock"} 1"#.to_owned(),
    ];
    for Strategy {
        full_name: name, ..
    } in &STRATEGIES
    {
        for outcome in [
            r#"outcome="applied",status="200""#,
            r#"outcome="invalid",status="400""#,
        ] {
            let requests = format!(r#"racy_requests_total{{strategy="{name}",{outcome}}} 1"#);
            lines.push(requests);
        }
    }
    assert_has_lines(&metrics, lines);
    let of_a_file = r#"racy_lock_wait_seconds_count{strategy="exports/shared_file"}"#;
    assert!(
        !metrics.contains(of_a_file),
        "to write a file is no wait for a lock: {metrics}"
    );
    service.stop().await;
}

/// Values that are no account, and what is said about them.
const NO_ACCOUNTS: [(&str, &str); 4] = [
    ("null", "missing"),
    ("\"one\"", "not an integer"),
    ("-1", "negative"),
    ("1.5", "not an integer"),
];

#[tokio::test]
async fn what_is_no_request_for_an_export_is_refused_and_leaves_nothing() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 1).await;
    let service = serve(&lab, &folder).await;
    for (account, complaint) in NO_ACCOUNTS {
        let account: Value = serde_json::from_str(account).unwrap();
        let request = service.post("/exports/shared_file/");
        let refused = request.json(&json!({ "account": account })).send().await;
        let refused = problem(refused.unwrap(), 400, "invalid-request").await;
        let detail = refused["detail"].as_str().unwrap();
        assert!(
            detail.contains(complaint) && detail.contains("account"),
            "{detail}"
        );
    }
    assert_eq!(names(&folder), [] as [&str; 0]);
    service.stop().await;
}

#[tokio::test]
async fn an_unknown_account_or_strategy_is_404() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 1).await;
    let service = serve(&lab, &folder).await;
    let unknown = service
        .post("/exports/shared_file/")
        .form(&[("account", 4711)]);
    problem(unknown.send().await.unwrap(), 404, "unknown-account").await;
    let unknown = service.post("/exports/every_file/").form(&[("account", 1)]);
    let unknown = problem(unknown.send().await.unwrap(), 404, "unknown-strategy").await;
    let detail = unknown["detail"].as_str().unwrap();
    assert!(detail.contains("shared_file, file_lock"), "{detail}");
    assert_eq!(names(&folder), [] as [&str; 0]);
    service.stop().await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_said() {
    let (lab, temporary, folder) = ground(TestEngine::Sqlite, 2).await;
    fs::remove_dir_all(folder.path()).unwrap();
    let in_its_place = temporary.path().join("file");
    fs::write(&in_its_place, "no folder").unwrap();
    for folder in [folder, Folder::at(&in_its_place)] {
        let service = serve(&lab, &folder).await;
        for strategy in &STRATEGIES {
            let path = format!("/exports/{}/", strategy.name);
            let refused = service
                .post(&path)
                .form(&[("account", 1)])
                .send()
                .await
                .unwrap();
            let refused = problem(refused, 503, "storage").await;
            assert_eq!(refused["outcome"], "refused");
        }
        service.stop().await;
    }
    assert_eq!(fs::read_to_string(in_its_place).unwrap(), "no folder");
}
