//! Explorations that a visitor asks for: what they find, how they end, and what is refused.

use racy::accounts;
use racy::auth::{self, Password, Username};
use racy::exhibits;
use racy::explore::report::{self, Report};
use racy::verdict::VerdictData;
use reqwest::header::ACCEPT;
use serde_json::Value;

use super::{OVER, lab, record, send};
use crate::support::service::{RunningService, problem, problem_with};
use crate::support::{Lab, TestEngine, until};

on_engines!(
    mysql:
        a_strategy_is_explored_beside_the_lab,
        an_exploration_that_is_stopped_keeps_what_was_found,
        an_exploration_of_a_service_that_is_stopped_has_failed,
        a_scenario_is_explored_for_a_user_who_is_signed_in,
        a_report_that_is_brought_is_shown;
    postgres:
        a_strategy_is_explored_beside_the_lab;
    sqlite:
        a_strategy_is_explored_beside_the_lab,
        an_exploration_that_is_stopped_keeps_what_was_found,
        an_exploration_of_a_service_that_is_stopped_has_failed,
        a_scenario_is_explored_for_a_user_who_is_signed_in,
        a_report_that_is_brought_is_shown;
);

const STRATEGY: &str = "atomic_no_delay";

const SCENARIO: &str = r#"
title = "A counter"
[database]
setup = """
CREATE TABLE counter (id INT PRIMARY KEY, n INT NOT NULL);
INSERT INTO counter VALUES (1, 0);
"""
[[client]]
count = 2
script = '''
SELECT n FROM counter WHERE id = 1; \gset
UPDATE counter SET n = :n + 1 WHERE id = 1;
'''
[[invariant]]
name = "both count"
sql = "SELECT n = 2 FROM counter"
"#;

/// Starts an exploration, and returns its path.
async fn start(service: &RunningService, form: &[(&str, &str)]) -> String {
    let answer = send(service, "/explore", form).await;
    assert_eq!(answer.status(), 303, "{:?}", answer.text().await);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// The events of an exploration, to its end.
async fn events(service: &RunningService, path: &str) -> String {
    let events = service.get(&format!("{path}/events")).send().await.unwrap();
    events.text().await.unwrap()
}

/// The report of an exploration that is over.
async fn report(service: &RunningService, path: &str) -> Report {
    events(service, path).await;
    let report = record(service, path).await;
    report::read(report.to_string().as_bytes()).unwrap()
}

/// How many schedules of a report's only finding end in which way, as a card says it.
fn counts(report: &Report) -> Vec<(VerdictData, u64)> {
    let finding = &report.findings[0];
    let verdict = |name: &str, fault| VerdictData {
        verdict: name.to_owned().into(),
        fault,
    };
    let anomalies = finding.anomalies.iter();
    let anomalies = anomalies.map(|(name, count)| (verdict(name, None), *count));
    let refused = finding.refused.iter();
    let refused = refused.map(|it| (verdict("refused", it.fault), it.schedules));
    let safe = (verdict("safe", None), finding.safe);
    let all = anomalies.chain(refused).chain([safe]);
    all.filter(|(_, count)| *count > 0).collect()
}

async fn a_strategy_is_explored_beside_the_lab(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let before = service.json("/accounts").await;
    let path = start(&service, &[("strategy", STRATEGY)]).await;
    let told = events(&service, &path).await;
    let report = report(&service, &path).await;

    let card = exhibits::specimen(STRATEGY).unwrap().card();
    let expected = card.expected_on(lab.database.engine()).unwrap().verdicts;
    let expected = expected.iter();
    let expected: Vec<_> = expected
        .map(|it| (VerdictData::from(it.verdict), it.schedules))
        .collect();
    let found = counts(&report);
    assert_eq!(found.len(), expected.len(), "{found:?}");
    assert!(
        expected.iter().all(|it| found.contains(it)),
        "{found:?} and {expected:?}"
    );
    assert!(
        told.contains("event: progress") && told.contains("event: ended"),
        "{told}"
    );
    assert_eq!(service.json("/accounts").await, before);
    let transactions = "SELECT COUNT(*) FROM transactions";
    let rows = lab.database.rows(transactions, &[]).await.unwrap();
    assert_eq!(rows[0].integer(0), Ok(0));
    service.stop().await;
}

async fn an_exploration_that_is_stopped_keeps_what_was_found(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let path = start(&service, &[("what", "matrix")]).await;
    let second = send(&service, "/explore", &[("strategy", STRATEGY)]).await;
    problem(second, 429, "too-many-runs").await;
    until("a schedule was run", || async {
        let page = service
            .get(&path)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        page.contains("schedules run")
    })
    .await;
    let stopped = send(&service, &format!("{path}/stop"), &[]).await;
    assert_eq!(stopped.status(), 303);
    let told = events(&service, &path).await;
    assert!(told.contains(r#"{"state":"stopped"}"#), "{told}");
    let report = report(&service, &path).await;
    assert!(!report.findings.is_empty() && report.findings.len() < 60);
    // Its place is free again.
    let next = start(&service, &[("strategy", "atomic_update"), ("limit", "2")]).await;
    assert_eq!(super::record(&service, &next).await["version"], 1);
    service.stop().await;
}

async fn an_exploration_of_a_service_that_is_stopped_has_failed(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let path = start(&service, &[("what", "matrix")]).await;
    service.stop().await;
    let service = RunningService::start(&lab.database).await;
    let told = events(&service, &path).await;
    assert!(told.contains(r#"{"state":"failed"}"#), "{told}");
    let page = service
        .get(&path)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("the service was stopped"), "{page}");
    service.stop().await;
}

/// The token of a user who is signed in.
async fn token(lab: &Lab) -> String {
    let ada = Username::parse("ada").unwrap();
    let password = Password::chosen("a grain of salt".to_owned(), &ada, false).unwrap();
    let created = auth::create_superuser(&lab.database, &ada, password);
    created.await.unwrap();
    let token = auth::create_token(&lab.database, &ada, "test").await;
    token.unwrap().unwrap().reveal().to_owned()
}

async fn a_scenario_is_explored_for_a_user_who_is_signed_in(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let by_nobody = send(&service, "/scenarios", &[("scenario", SCENARIO)]).await;
    problem(by_nobody, 401, "not-signed-in").await;

    let token = token(&lab).await;
    let bring = |text: &'static str| {
        let url = format!("http://{}/scenarios", service.address);
        let post = super::browser().post(url).bearer_auth(&token);
        let post = post.header(ACCEPT, "application/json");
        post.form(&[("scenario", text)]).send()
    };
    let wrong = bring("title = 1").await.unwrap();
    problem_with(wrong, 400, "invalid-request", "brought.toml:1:").await;
    let answer = bring(SCENARIO).await.unwrap();
    assert_eq!(answer.status(), 303, "{:?}", answer.text().await);
    let path = answer.headers()["location"].to_str().unwrap();
    let report = report(&service, path).await;
    let finding = &report.findings[0];
    assert!(finding.anomalies.values().sum::<u64>() > 0, "{report:?}");
    assert_eq!(finding.source_text.as_deref(), Some(SCENARIO));
    let page = service
        .get(path)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("UPDATE counter"), "{page}");
    service.stop().await;
}

async fn a_report_that_is_brought_is_shown(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let scenario = "patterns/counter-cache/lost.toml";
    let explored = [
        start(&service, &[("strategy", "non_atomic_no_delay")]).await,
        String::new(),
    ];
    let strategy = record_of(&service, &explored[0]).await;
    let form = [("what", "scenario"), ("scenario", scenario)];
    let scenario = start(&service, &form).await;
    let scenario = record_of(&service, &scenario).await;
    for report in [&strategy, &scenario] {
        let text = report.to_string();
        let read = report::read(text.as_bytes()).unwrap();
        assert_eq!(&serde_json::to_value(&read).unwrap(), report);
        let brought = service
            .post("/open")
            .form(&[("report", &text)])
            .send()
            .await;
        let brought = brought.unwrap();
        assert_eq!(brought.status(), 200);
        let page = brought.text().await.unwrap();
        assert!(page.contains(r#"id="steps""#), "{page}");
    }
    assert!(accounts::find(&lab.database, 1).await.unwrap().is_some());
    service.stop().await;
}

/// The report of an exploration that is over, as it is stored.
async fn record_of(service: &RunningService, path: &str) -> Value {
    let told = events(service, path).await;
    assert!(OVER.iter().any(|it| told.contains(it)), "{told}");
    record(service, path).await
}
