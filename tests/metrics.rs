//! `GET /metrics` on real engines: what was counted after deposits whose fate is known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use racy::engine::local::{Folder, LocalServer};
use racy::engine::{Fault, Settings};
use racy::exhibits::deposits::Strategy;
use racy::watch::{Sample, parse};
use racy::{accounts, exhibits, http};

use crate::support::lab::Fresh;
use crate::support::service::{RunningService, settings};
use crate::support::{Client, Lab, TestEngine, until};

on_engines!(
    every:
        deposits_are_counted_by_what_became_of_them,
        waits_for_locks_are_counted_by_statement,
        a_refusal_is_counted_with_the_engines_code,
        what_was_lost_is_shown_by_account,
        a_scrape_waits_for_no_worker;
    servers:
        a_scrape_outlives_the_database;
);

/// What `/metrics` said.
struct Scrape {
    text: String,
    samples: Vec<Sample>,
}

impl Scrape {
    async fn of(service: &RunningService) -> Self {
        let response = service.get("/metrics").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let media_type = response.headers()["content-type"].to_str().unwrap();
        assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8");
        let text = response.text().await.unwrap();
        assert_is_valid(&text);
        Self {
            samples: parse(&text).unwrap(),
            text,
        }
    }

    /// The value of the series of this name with exactly these labels; None if there is none.
    fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: BTreeMap<_, _> = labels
            .iter()
            .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
            .collect();
        let mut found = self.samples.iter();
        let found = found.find(|sample| sample.name == name && sample.labels == labels);
        found.map(|sample| sample.value)
    }

    fn assert_shows(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let found = self.get(name, labels);
        assert_eq!(found, Some(value), "{name} {labels:?} in\n{}", self.text);
    }

    fn requests(&self, strategy: &str, outcome: &str, status: &str) -> f64 {
        let labels = [
            ("strategy", strategy),
            ("outcome", outcome),
            ("status", status),
        ];
        self.get("racy_requests_total", &labels).unwrap_or(0.0)
    }
}

const STRATEGY: &str = "atomic_no_delay";

async fn deposits_are_counted_by_what_became_of_them(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    let full = accounts::open(&lab.database, i64::MAX - 99).await.unwrap();
    for (account, amount, status) in [
        (1, 100, 200),
        (1, 100, 200),
        (1, 100, 200),
        (full, 100, 422),
        (4711, 100, 404),
        (4711, 100, 404),
        (1, -1, 400),
    ] {
        let answer = service.deposit(STRATEGY, account, amount).await;
        assert_eq!(answer.status(), status);
    }

    let scrape = Scrape::of(&service).await;
    for (outcome, status, requests) in [
        ("applied", "200", 3.0),
        ("refused", "422", 1.0),
        ("refused", "404", 2.0),
        ("invalid", "400", 1.0),
    ] {
        assert_eq!(scrape.requests(STRATEGY, outcome, status), requests);
    }
    let all = scrape.samples.iter();
    let all = all.filter(|sample| sample.name == "racy_requests_total");
    assert_eq!(all.map(|sample| sample.value).sum::<f64>(), 7.0);
    let of_it = [("strategy", STRATEGY)];
    scrape.assert_shows("racy_request_duration_seconds_count", &of_it, 6.0);
    service.stop().await;
}

/// Each deposit that is made writes twice. One that is refused before has nothing to write.
async fn waits_for_locks_are_counted_by_statement(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    for account in [1, 1, 1, 4711] {
        service.deposit(STRATEGY, account, 100).await;
    }
    let scrape = Scrape::of(&service).await;
    let of_it = [("strategy", STRATEGY)];
    scrape.assert_shows("racy_lock_wait_seconds_count", &of_it, 6.0);
    scrape.assert_shows("racy_retries_total", &of_it, 0.0);
    assert!(!scrape.text.contains("racy_faults_total"));
    service.stop().await;
}

#[tokio::test]
async fn no_words_of_a_url_become_a_label() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    service.deposit(STRATEGY, 1, 100).await;
    let unknown = service.deposit("no_such\"} 1", 1, 1).await;
    assert_eq!(unknown.status(), 404);
    let scrape = Scrape::of(&service).await;
    let strategies = scrape.samples.iter();
    let strategies = strategies.filter_map(|sample| sample.labels.get("strategy"));
    let known: BTreeSet<_> = exhibits::names().collect();
    for strategy in strategies {
        assert!(known.contains(strategy.as_str()), "{strategy}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_database_and_its_pool_are_shown() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let scrape = Scrape::of(&service).await;
    scrape.assert_shows("racy_database_up", &[], 1.0);
    scrape.assert_shows("racy_pool_connections_limit", &[], 8.0);
    scrape.assert_shows("racy_pool_connections_in_use", &[], 0.0);
    service.stop().await;
}

async fn a_refusal_is_counted_with_the_engines_code(engine: TestEngine) {
    const STRATEGY: &str = "row_locking_atomic_long_delay";
    let impatient = Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    };
    let lab = engine.lab_with(impatient).await;
    let service = RunningService::start(&lab.database).await;
    let mut holder = Client::start(&lab.database, Strategy::named(STRATEGY).unwrap()).await;
    holder.go_to("insert transaction").await;
    assert_eq!(service.deposit(STRATEGY, 1, 100).await.status(), 409);
    holder.finish().await.unwrap();

    let scrape = Scrape::of(&service).await;
    assert_eq!(scrape.requests(STRATEGY, "refused", "409"), 1.0);
    let (kind, code) = match engine {
        TestEngine::MySql | TestEngine::MariaDb => ("lock_timeout", "1205"),
        TestEngine::Postgres => ("lock_timeout", "55P03"),
        TestEngine::Sqlite => ("busy", "5"),
    };
    let fault = [("strategy", STRATEGY), ("kind", kind), ("code", code)];
    scrape.assert_shows("racy_faults_total", &fault, 1.0);
    let of_it = [("strategy", STRATEGY)];
    let waited = scrape.get("racy_lock_wait_seconds_sum", &of_it).unwrap();
    assert!(waited > 0.9, "it has waited for a second, not {waited} s");
    service.stop().await;
}

async fn what_was_lost_is_shown_by_account(engine: TestEngine) {
    let lab = engine.lab().await;
    let service = RunningService::start(&lab.database).await;
    let other = accounts::open(&lab.database, 500).await.unwrap();
    let strategy = Strategy::named("non_atomic_no_delay").unwrap();
    let mut early = Client::start(&lab.database, strategy).await;
    early.go_to("insert transaction").await;
    for _ in 0..3 {
        assert_eq!(service.deposit(strategy.name, 1, 100).await.status(), 200);
    }
    early.finish().await.unwrap();
    assert_eq!(lab.account().await.lost, 300);

    let scrape = Scrape::of(&service).await;
    for (account, amount, updates) in [(1, 300.0, 3.0), (other, 0.0, 0.0)] {
        let account = account.to_string();
        let account = [("account", account.as_str())];
        scrape.assert_shows("racy_lost_amount", &account, amount);
        scrape.assert_shows("racy_lost_updates", &account, updates);
    }
    service.stop().await;
}

async fn a_scrape_waits_for_no_worker(engine: TestEngine) {
    let lab = engine.lab().await;
    let one_worker = http::Settings {
        workers: Some(1),
        ..settings()
    };
    let (service, mut arrived) = RunningService::start_gated(&lab.database, &one_worker).await;
    let deposit = service.begin_deposit("atomic_no_delay");
    let parked = arrived.next().await.unwrap();

    let scrape = Scrape::of(&service).await;
    scrape.assert_shows("racy_database_up", &[], 1.0);
    scrape.assert_shows("racy_pool_connections_in_use", &[], 1.0);
    assert_eq!(scrape.requests("atomic_no_delay", "applied", "200"), 0.0);

    parked.go();
    let steps = arrived.let_all_through();
    assert_eq!(deposit.await.unwrap().unwrap().status(), 200);
    let scrape = Scrape::of(&service).await;
    assert_eq!(scrape.requests("atomic_no_delay", "applied", "200"), 1.0);
    service.stop().await;
    steps.await.unwrap();
}

#[tokio::test]
async fn no_more_than_a_thousand_accounts_are_shown() {
    let lab = TestEngine::Sqlite.lab().await;
    let mut work = lab.database.begin_work().await.unwrap();
    for _ in 0..1000 {
        let account = "INSERT INTO accounts (balance, opening_balance) VALUES (0, 0)";
        work.insert(account, &[]).await.unwrap();
    }
    work.end(Ok::<_, Fault>(())).await.unwrap();
    let service = RunningService::start(&lab.database).await;
    let scrape = Scrape::of(&service).await;
    for metric in ["racy_lost_amount", "racy_lost_updates"] {
        let series = scrape.samples.iter().filter(|it| it.name == metric);
        assert_eq!(series.count(), 1000);
        scrape.assert_shows(metric, &[("account", "1000")], 0.0);
    }
    service.stop().await;
}

/// With all connections taken, a scrape has none for itself, and says what it knows without.
#[tokio::test]
async fn a_scrape_outlives_a_pool_without_a_connection_left() {
    let one = Settings {
        connections: 1,
        ..Settings::default()
    };
    let lab = TestEngine::Sqlite.lab_with(one).await;
    let (service, mut arrived) = RunningService::start_gated(&lab.database, &settings()).await;
    let first = service.begin_deposit("atomic_no_delay");
    let parked = arrived.next().await.unwrap();
    let second = service.begin_deposit("atomic_no_delay");
    until("the second deposit queues for a connection", || async {
        lab.database.pool_use().waiting == 1
    })
    .await;

    let scrape = Scrape::of(&service).await;
    scrape.assert_shows("racy_pool_connections_in_use", &[], 1.0);
    scrape.assert_shows("racy_pool_connections_limit", &[], 1.0);
    scrape.assert_shows("racy_pool_connections_idle", &[], 0.0);
    scrape.assert_shows("racy_pool_waiting_requests", &[], 1.0);
    scrape.assert_shows("racy_database_up", &[], 0.0);

    parked.go();
    let steps = arrived.let_all_through();
    for deposit in [first, second] {
        assert_eq!(deposit.await.unwrap().unwrap().status(), 200);
    }
    let scrape = Scrape::of(&service).await;
    scrape.assert_shows("racy_pool_waiting_requests", &[], 0.0);
    scrape.assert_shows("racy_pool_connections_idle", &[], 1.0);
    scrape.assert_shows("racy_database_up", &[], 1.0);
    service.stop().await;
    steps.await.unwrap();
}

async fn a_scrape_outlives_the_database(engine: TestEngine) {
    let server = LocalServer::start(&engine.binary(), Folder::Temporary)
        .await
        .unwrap();
    let lab = Lab::at(Fresh::on(&server).await, Settings::default()).await;
    let hasty = http::Settings {
        request_timeout: Duration::from_secs(20),
        ..settings()
    };
    let service = RunningService::start_with(&lab.database, &hasty).await;
    assert_eq!(service.deposit(STRATEGY, 1, 100).await.status(), 200);
    let scrape = Scrape::of(&service).await;
    scrape.assert_shows("racy_lost_amount", &[("account", "1")], 0.0);

    server.stop().await.unwrap();
    assert_eq!(service.deposit(STRATEGY, 1, 100).await.status(), 503);
    let scrape = Scrape::of(&service).await;
    scrape.assert_shows("racy_database_up", &[], 0.0);
    assert!(!scrape.text.contains("racy_lost"), "{}", scrape.text);
    assert_eq!(scrape.requests(STRATEGY, "applied", "200"), 1.0);
    assert_eq!(scrape.requests(STRATEGY, "refused", "503"), 1.0);
    let faults = scrape.samples.iter();
    let faults = faults.filter(|sample| sample.name == "racy_faults_total");
    let faults: Vec<_> = faults.map(|sample| sample.label("kind")).collect();
    assert_eq!(faults, ["unavailable"]);
    service.stop().await;
}

/// Checks the rules of the format that a reader relies on. Each metric has its help and its type
/// before its series, which follow each other. No series is there twice. Counters and histograms
/// are what they should be.
fn assert_is_valid(text: &str) {
    assert!(text.ends_with('\n'));
    let mut metrics = BTreeSet::new();
    let mut series = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let help = line.strip_prefix("# HELP ");
        let (name, help) = help.and_then(|rest| rest.split_once(' ')).unwrap();
        assert!(help.ends_with('.'), "{line}");
        assert!(metrics.insert(name), "{name} is there twice");
        let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
        let kind = kind.unwrap().strip_prefix(name).unwrap().trim_start();
        let mut samples = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let [sample] = &parse(line).unwrap()[..] else {
                panic!("no sample: {line:?}");
            };
            let labels = format!("{:?}", sample.labels);
            assert!(
                series.insert((sample.name.clone(), labels)),
                "twice: {line}"
            );
            samples.push(sample.clone());
        }
        assert!(!samples.is_empty(), "{name} has no series");
        match kind {
            "histogram" => assert_is_a_histogram(name, &samples),
            "counter" => assert!(name.ends_with("_total")),
            "gauge" => assert!(!name.ends_with("_total")),
            other => panic!("{name} is {other}"),
        }
        if kind != "histogram" {
            assert!(samples.iter().all(|sample| sample.name == name), "{name}");
        }
    }
}

fn assert_is_a_histogram(name: &str, samples: &[Sample]) {
    let of = |suffix: &str, labels: &BTreeMap<String, String>| -> Vec<f64> {
        let name = format!("{name}_{suffix}");
        let of_it = samples.iter().filter(|sample| {
            let mut rest = sample.labels.clone();
            rest.remove("le");
            sample.name == name && rest == *labels
        });
        of_it.map(|sample| sample.value).collect()
    };
    for infinite in samples.iter().filter(|sample| sample.label("le") == "+Inf") {
        let mut labels = infinite.labels.clone();
        labels.remove("le");
        let buckets = of("bucket", &labels);
        assert!(buckets.is_sorted(), "{name}: {buckets:?}");
        assert_eq!(of("count", &labels), [infinite.value], "{name}");
        assert_eq!(of("sum", &labels).len(), 1, "{name}");
    }
    assert!(samples.iter().any(|sample| sample.label("le") == "+Inf"));
}
