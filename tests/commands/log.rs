//! What `racy serve` writes into its log.

use serde_json::Value;

use crate::support::TestEngine;
use crate::support::process::{Served, terminate};

/// Every request writes a line to the log. A log without a reader must not end the service.
#[tokio::test]
async fn a_log_without_a_reader_does_not_end_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let mut served = Served::start(&url, folder.path(), &[]);
    let accounts = format!("{}/accounts", served.base_url);
    served.stop_reading();
    for _ in 0..3 {
        assert_eq!(reqwest::get(&accounts).await.unwrap().status(), 200);
    }
    terminate(&served.process);
    assert!(served.process.wait().unwrap().success());
}

/// The access log of a service that was started like this, of one request with a proxy's headers.
async fn logged(more: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let mut served = Served::start(&url, folder.path(), more);
    let request = reqwest::Client::new().get(format!("{}/accounts", served.base_url));
    let request = request.header("x-forwarded-for", "198.51.100.1, 203.0.113.7");
    let request = request.header("x-forwarded-proto", "https");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    served.wait_until_said("path=\"/accounts\"");
    terminate(&served.process);
    let (_, said) = served.wait();
    let line = said
        .lines()
        .find(|line| line.contains("path=\"/accounts\""));
    line.unwrap().to_owned()
}

#[tokio::test]
async fn the_log_names_the_client_and_behind_a_proxy_the_real_one() {
    let line = logged(&[]).await;
    assert!(line.contains("client=127.0.0.1 secure=false"), "{line}");
    let line = logged(&["--behind-proxy"]).await;
    assert!(line.contains("client=203.0.113.7 secure=true"), "{line}");
}

/// One line of JSON per event, and a warning where the pool would hide the race.
#[tokio::test]
async fn the_log_speaks_json_and_warns_of_a_small_pool() {
    let folder = tempfile::tempdir().unwrap();
    let url = TestEngine::Sqlite.own_url(folder.path());
    let more = [
        "--log-format",
        "json",
        "--workers",
        "4",
        "--db-connections",
        "2",
    ];
    let served = Served::start(&url, folder.path(), &more);
    let accounts = format!("{}/accounts", served.base_url);
    reqwest::get(accounts).await.unwrap();
    terminate(&served.process);
    let (_, said) = served.wait();
    let events: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let find = |words: &str| {
        let found = events.iter().find(|event| {
            event["message"]
                .as_str()
                .is_some_and(|message| message.contains(words))
        });
        found.unwrap_or_else(|| panic!("nothing says {words:?} in {said}"))
    };
    assert_eq!(
        find("2 database connections for 4 workers")["level"],
        "WARN"
    );
    let answered = find("finished processing request");
    assert_eq!(answered["status"], 200);
    assert_eq!(answered["span"]["path"], "/accounts");
    assert!(answered["span"]["id"].as_str().unwrap().len() > 20);
}
