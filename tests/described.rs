//! The description of the API, held against what is answered. Every answer of every test that has
//! the service in this process is held against it as well; here each described one is asked for.

mod answers;

use std::collections::BTreeSet;
use std::time::Duration;

use racy::accounts;
use racy::auth::{self, Password, Username};
use racy::console::runs::{Kind, Store};
use racy::exhibits::exports::Folder;
use racy::exhibits::tables::Tables;
use racy::http::Settings;
use racy::step::Unobserved;
use reqwest::header::HeaderMap;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use answers::{ANSWERS, ORDER};

use crate::support::described::{description, operation};
use crate::support::service::{RunningService, problem, settings};
use crate::support::{Client, Lab, TestEngine};

/// A service on SQLite with an export folder, and the token of a user who may change accounts.
struct Described {
    lab: Lab,
    service: RunningService,
    token: String,
    folder: tempfile::TempDir,
}

impl Described {
    async fn with(change: impl FnOnce(Settings) -> Settings) -> Self {
        let patience = racy::engine::Settings {
            lock_wait_timeout: Some(1),
            ..racy::engine::Settings::default()
        };
        let lab = TestEngine::Sqlite.lab_with(patience).await;
        let ada = Username::parse("ada").unwrap();
        let password = Password::chosen("a grain of salt".to_owned(), &ada, false).unwrap();
        auth::create_superuser(&lab.database, &ada, password)
            .await
            .unwrap();
        let token = auth::create_token(&lab.database, &ada, "test").await;
        let folder = tempfile::tempdir().unwrap();
        let exports = Folder::at(folder.path().to_owned());
        let tables = Tables::at(folder.path().join("tables"));
        tables.create().unwrap();
        let settings = change(Settings {
            exports,
            tables,
            ..settings()
        });
        let mut service = RunningService::start_with(&lab.database, &settings).await;
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        service.client = client.build().unwrap();
        add_an_exploration(&lab).await;
        Self {
            service,
            token: token.unwrap().unwrap().reveal().to_owned(),
            lab,
            folder,
        }
    }

    /// Sends what a line of a table says: method, path, and a body that is JSON or else a form; `!`
    /// before the path says that it is sent by another site's page, `?` that it is sent without a
    /// token.
    async fn send(&self, method: &str, path: &str, body: &str) -> reqwest::Response {
        let url = format!(
            "http://{}{}",
            self.service.address,
            path.trim_start_matches(['!', '?'])
        );
        let request = self.service.client.request(method.parse().unwrap(), url);
        let request = match path.chars().next() {
            Some('?') => request,
            Some('!') => request.header("sec-fetch-site", "cross-site"),
            _ => request.bearer_auth(&self.token),
        };
        let request = match body.chars().next() {
            None => request,
            Some('{') => request.header("content-type", "application/json"),
            Some('<') => request.header("content-type", "text/html"),
            Some(_) => request.header("content-type", "application/x-www-form-urlencoded"),
        };
        request.body(body.to_owned()).send().await.unwrap()
    }
}

/// What the console has explored, as far as it is asked for here.
const EXPLORED: &str = "zyxwvutsrqpnmkjihgfedcba32";

async fn add_an_exploration(lab: &Lab) {
    let store = Store::new(lab.database.clone());
    let id = EXPLORED.parse().unwrap();
    store
        .insert(&id, Kind::Exploration, &json!({}))
        .await
        .unwrap();
    store.fail(&id, "planted").await.unwrap();
}

/// One request for each described operation, which reaches its work.
const OPERATIONS: [(&str, &str, &str); 23] = [
    ("POST", "/demo/atomic_no_delay/", "account=1&amount=100"),
    ("GET", "/accounts", ""),
    ("GET", "/accounts/1", ""),
    ("GET", "/accounts/1/transactions", ""),
    ("GET", "/accounts/1/statement?strategy=snapshot", ""),
    ("POST", "/orders/number_table/", ORDER),
    ("POST", "/orders/process", "book=1"),
    ("GET", "/orders/audit", ""),
    ("POST", "/exports/shared_file/", "account=1"),
    ("GET", "/exports/transactions.csv", ""),
    ("GET", "/exports/transactions.csv/audit", ""),
    ("POST", "/tables/exclusive_create/", "key=a&value=1"),
    ("GET", "/tables", ""),
    ("GET", "/tables/exclusive_create", ""),
    ("GET", "/tables/exclusive_create/records", ""),
    ("GET", "/tables/exclusive_create/history", ""),
    ("GET", "/tables/exclusive_create/audit", ""),
    ("POST", "/accounts", "opening_balance=1"),
    ("POST", "/accounts/1/reset", ""),
    ("DELETE", "/accounts/1/transactions", ""),
    ("DELETE", "/accounts/1/transactions/1", ""),
    ("GET", "/changes", ""),
    ("GET", "/strategies", ""),
];

fn described(method: &str, path: &str, status: u16) -> (String, String, String) {
    let path = path.trim_start_matches(['!', '?']);
    let path = path.split('?').next().unwrap();
    let method = method.to_lowercase();
    let (template, _) = operation(&method, path).unwrap();
    (method, template.to_owned(), status.to_string())
}

#[tokio::test]
async fn each_described_answer_is_given_and_each_given_one_described() {
    let lab = Described::with(|settings| settings).await;
    // More on record than an account can hold, as lost updates leave it.
    let full = accounts::open(&lab.lab.database, i64::MAX).await.unwrap();
    let insert = "INSERT INTO transactions (account_id, amount) VALUES (?, 1)";
    lab.lab
        .database
        .execute(insert, &[full.into()])
        .await
        .unwrap();
    let mut given = BTreeSet::new();
    for (method, path, body, status) in ANSWERS {
        let answer = lab.send(method, path, body).await;
        let answered = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(answered, *status, "{method} {path}: {text}");
        given.insert(described(method, path, *status));
    }
    lab.service.stop().await;
    // Answers to a fault of the lab or its surroundings. Each has a test of its own.
    let by_others = ["408", "409", "413", "500", "503", "504", "507"];
    for (template, operations) in description()["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                let answer = (method.clone(), template.clone(), status.clone());
                let only_the_host = operation["responses"]["400"]["description"]
                    .as_str()
                    .is_some_and(|words| status == "400" && words.contains("names no host"));
                assert!(
                    by_others.contains(&status.as_str())
                        || only_the_host
                        || given.contains(&answer),
                    "never asked for: {answer:?}"
                );
            }
        }
    }
}

async fn every_operation_answers(lab: &Described, status: u16, but: &[&str]) {
    for (method, path, body) in OPERATIONS {
        let answered = lab.send(method, path, body).await;
        let headers = answered.headers().clone();
        let answered = answered.status().as_u16();
        if but.contains(&path) {
            assert_eq!(answered, 200, "{method} {path}");
        } else {
            assert_eq!(answered, status, "{method} {path}");
        }
        let of_the_keeper = !description_of(method, path)["security"].is_null();
        assert_eq!(is_private(&headers), of_the_keeper, "{method} {path}");
    }
}

fn description_of(method: &str, path: &str) -> &'static serde_json::Value {
    let path = path.split('?').next().unwrap();
    operation(&method.to_lowercase(), path).unwrap().1
}

fn is_private(headers: &HeaderMap) -> bool {
    headers
        .get("cache-control")
        .is_some_and(|it| it == "no-store")
}

#[tokio::test]
async fn every_operation_says_as_described_that_a_body_is_too_large() {
    let lab = Described::with(|settings| settings).await;
    let large = "x".repeat(100_000);
    for (method, path, _) in OPERATIONS {
        let answer = lab.send(method, path, &large).await;
        problem(answer, 413, "too-large").await;
    }
    lab.service.stop().await;
}

#[tokio::test]
async fn every_operation_says_as_described_that_it_takes_too_long() {
    // There is no worker: a request waits for ever, so the service is not stopped in order.
    let without_workers = |settings| Settings {
        workers: Some(0),
        request_timeout: Duration::from_millis(20),
        ..settings
    };
    let lab = Described::with(without_workers).await;
    // The keeper's operations need no worker, but a connection.
    let mut taken = Vec::new();
    while !lab.lab.database.is_exhausted() {
        taken.push(lab.lab.database.session(&Unobserved).await.unwrap());
    }
    every_operation_answers(&lab, 504, &[]).await;
}

#[tokio::test]
async fn every_operation_says_as_described_that_the_database_is_gone() {
    let lab = Described::with(|settings| settings).await;
    let made = lab.send("POST", "/exports/shared_file/", "account=1").await;
    assert_eq!(made.status(), 200);
    let made = lab
        .send("POST", "/tables/exclusive_create/", "key=a&value=1")
        .await;
    assert_eq!(made.status(), 200);
    lab.lab.database.close().await;
    let need_none = [
        "/exports/transactions.csv",
        "/exports/transactions.csv/audit",
        "/tables",
        "/tables/exclusive_create",
        "/tables/exclusive_create/history",
        "/tables/exclusive_create/audit",
        "/strategies",
    ];
    every_operation_answers(&lab, 503, &need_none).await;
    let ready = lab.send("GET", "/health/ready", "").await;
    problem(ready, 503, "unavailable").await;
    lab.service.stop().await;
}

#[tokio::test]
async fn a_folder_that_is_a_file_is_answered_as_described() {
    let lab = Described::with(|settings| settings).await;
    let path = lab.folder.path().to_owned();
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::write(&path, "in its place").unwrap();
    for (method, path, body) in &OPERATIONS[8..17] {
        let answer = lab.send(method, path, body).await;
        problem(answer, 503, "storage").await;
    }
    lab.service.stop().await;
    std::fs::remove_file(&path).unwrap();
}

/// On SQLite a writer waits for the one before it, here for a second at most.
#[tokio::test]
async fn what_others_hold_is_answered_as_described() {
    let lab = Described::with(|settings| settings).await;
    let locking =
        racy::exhibits::deposits::Strategy::named("row_locking_atomic_long_delay").unwrap();
    let mut holder = Client::start(&lab.lab.database, locking).await;
    holder.go_to("commit").await;
    let writing = OPERATIONS.iter().filter(|(method, path, _)| {
        let waits_for_rows = ["/orders", "/exports", "/tables"]
            .iter()
            .all(|it| !path.starts_with(it));
        *method != "GET" && waits_for_rows
    });
    for (method, path, body) in writing {
        let answer = lab.send(method, path, body).await;
        assert_eq!(answer.status(), 409, "{method} {path}");
    }
    holder.finish().await.unwrap();
    lab.service.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_as_described() {
    let hasty = |settings| Settings {
        header_timeout: Duration::from_millis(100),
        ..settings
    };
    let lab = Described::with(hasty).await;
    for (method, path, _) in OPERATIONS {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\
             Content-Length: 9\r\n\r\n"
        );
        let answer = sent(&lab.service, &request).await;
        assert!(
            answer.starts_with("HTTP/1.1 408 "),
            "{method} {path}: {answer}"
        );
    }
    lab.service.stop().await;
}

/// Sends these bytes, and reads until the service closes the connection.
async fn sent(service: &RunningService, request: &str) -> String {
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    for (target, version, hosts, status) in [
        ("/health/live", "1.1", "Host: here\r\n", "200"),
        ("/accounts", "1.1", "Host: here:8080\r\n", "200"),
        ("http://here/accounts", "1.1", "Host: here\r\n", "200"),
        ("/accounts", "1.0", "", "200"),
        ("/accounts", "1.1", "", "400"),
        ("/health/live", "1.1", "", "400"),
        ("/", "1.1", "Host: here\r\nHost: here\r\n", "400"),
        ("/docs/", "1.1", "Host: here\r\nHost: there\r\n", "400"),
        ("/nowhere", "1.1", "Host:\r\n", "400"),
        ("/accounts", "1.1", "Host: you@here\r\n", "400"),
        ("http://there/accounts", "1.1", "Host: here\r\n", "400"),
    ] {
        let request = format!("GET {target} HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        let answer = sent(&service, &request).await;
        let line = answer.lines().next().unwrap();
        assert!(line.contains(&format!(" {status} ")), "{request}{line}");
        assert!(answer.to_lowercase().contains("x-request-id"), "{answer}");
        let is_problem = answer.contains("urn:racy:problem:wrong-host");
        assert_eq!(is_problem, status == "400", "{answer}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_page_says_what_it_may_load_and_a_keepers_is_not_kept() {
    let lab = Described::with(|settings| settings).await;
    for (path, policy, private) in [
        ("/", true, true),
        ("/racy.css", true, false),
        ("/docs/", true, false),
        ("/docs/swagger-ui-bundle.js", true, false),
        ("/accounts", false, false),
        ("/admin/login", true, true),
        ("/admin", true, true),
        ("/admin/accounts/99", true, true),
        ("/admin/nowhere", true, true),
        ("?/admin", true, true),
        ("/changes", false, true),
        ("?/changes", false, true),
    ] {
        let answer = lab.send("GET", path, "").await;
        let headers = answer.headers();
        let policy_there = headers.contains_key("content-security-policy");
        assert_eq!(policy_there, policy, "{path}");
        let sniffing = headers.get("x-content-type-options");
        assert_eq!(sniffing.is_some_and(|it| it == "nosniff"), policy, "{path}");
        // A client that is led to the login gets the headers of the login page.
        assert_eq!(is_private(headers), private, "{path}");
    }
    let wrong = lab
        .send("POST", "/admin/login", "username=ada&password=x")
        .await;
    assert_eq!(wrong.status(), 401);
    assert!(is_private(wrong.headers()));
    lab.service.stop().await;
}

#[test]
fn the_articles_order_is_the_example() {
    let example =
        description().pointer("/components/schemas/OrderBody/properties/orderlines/example");
    let items =
        json!([{ "item_no": "10105", "quantity": 80 }, { "item_no": "14600", "quantity": 20 }]);
    assert_eq!(example, Some(&items));
}
