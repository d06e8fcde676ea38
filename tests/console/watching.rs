//! Runs that are watched while they happen.

use reqwest::Response;
use serde_json::Value;
use tokio::time::timeout;

use super::{LONG, browser, ended, fields, lab, send, start};
use crate::support::TestEngine;
use crate::support::service::RunningService;

on_engines!(
    servers:
        another_replica_watches_a_run_and_stops_it;
    mysql:
        a_watcher_goes_on_after_the_last_event_that_it_had,
        a_trace_of_a_run_nests_and_its_arrows_are_in_slices;
);

/// Requests that take two seconds to be sent.
const SPACED: &[(&str, &str)] = &[
    ("strategy", "atomic_update"),
    ("requests", "40"),
    ("pace", "wait"),
    ("wait_ms", "50"),
];

/// An event of a stream.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    number: u64,
    data: Value,
}

/// Opens a run's stream after an event that the client had.
async fn open(service: &RunningService, path: &str, last: u64) -> Response {
    let url = format!("http://{}{path}/events", service.address);
    let opened = browser()
        .get(url)
        .header("last-event-id", last.to_string())
        .send()
        .await;
    let opened = opened.unwrap();
    assert_eq!(opened.headers()["content-type"], "text/event-stream");
    opened
}

/// All events until the stream ends.
async fn events(stream: Response) -> Vec<Event> {
    let text = timeout(LONG, stream.text())
        .await
        .expect("it ends")
        .unwrap();
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    let blocks = blocks.filter(|block| !block.starts_with(':'));
    blocks.map(event).collect()
}

fn event(block: &str) -> Event {
    let field = |name: &str| {
        let mut lines = block.lines();
        let line = lines.find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {block:?}"))
            .trim()
    };
    Event {
        name: field("event:").to_owned(),
        number: field("id:").parse().unwrap(),
        data: serde_json::from_str(field("data:")).unwrap(),
    }
}

async fn a_watcher_goes_on_after_the_last_event_that_it_had(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let path = start(&service, SPACED).await;
    let all = events(open(&service, &path, 0).await).await;
    let numbers: Vec<_> = all.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=41).collect::<Vec<_>>());
    assert_eq!(
        (all[39].name.as_str(), &all[39].data["done"]),
        ("progress", &40.into())
    );
    assert_eq!(all[40].name, "ended");
    assert_eq!(all[40].data["state"], "ended");

    // The second run: the stream breaks off after two events, and is opened again.
    let path = start(&service, SPACED).await;
    let rest = events(open(&service, &path, 2).await).await;
    assert_eq!(rest[0].number, 3);
    assert_eq!(rest.last().unwrap().name, "ended");
    // It is over: there is nothing but the end.
    let afterwards = events(open(&service, &path, 41).await).await;
    assert_eq!(afterwards.len(), 1);
    assert_eq!(afterwards[0].name, "ended");
    service.stop().await;
}

async fn another_replica_watches_a_run_and_stops_it(engine: TestEngine) {
    let lab = lab(engine).await;
    let owner = RunningService::start(&lab.database).await;
    let other = RunningService::start(&lab.database).await;
    let path = start(&owner, SPACED).await;
    let seen = events(open(&other, &path, 0).await).await;
    let told: u64 = seen
        .iter()
        .map(|event| match event.name.as_str() {
            "gap" => event.data["missed"].as_u64().unwrap(),
            "progress" => 1,
            _ => 0,
        })
        .sum();
    let last = seen.iter().rfind(|event| event.name == "progress").unwrap();
    assert_eq!(told, last.number, "{seen:?}");
    assert!(seen.iter().any(|event| event.name == "gap"), "{seen:?}");
    assert_eq!(seen.last().unwrap().name, "ended");

    let longer: &[(&str, &str)] = &[("requests", "100"), ("wait_ms", "500")];
    let path = start(&owner, &fields(&[SPACED, longer])).await;
    send(&other, &format!("{path}/stop"), &[]).await;
    assert_eq!(ended(&other, &path).await["state"], "stopped");
    owner.stop().await;
    other.stop().await;
}

async fn a_trace_of_a_run_nests_and_its_arrows_are_in_slices(engine: TestEngine) {
    let lab = lab(engine).await;
    let service = RunningService::start(&lab.database).await;
    let form = [
        ("strategy", "non_atomic_long_delay"),
        ("requests", "10"),
        ("delay_ms", "200"),
    ];
    let path = start(&service, &form).await;
    ended(&service, &path).await;
    let trace = service.json(&format!("{path}/trace.json")).await;
    let events = trace["traceEvents"].as_array().unwrap();
    let slices: Vec<_> = events.iter().filter(|event| event["ph"] == "X").collect();
    let span = |slice: &Value| {
        let start = slice["ts"].as_i64().unwrap();
        (start, start + slice["dur"].as_i64().unwrap())
    };
    for (at, one) in slices.iter().enumerate() {
        for other in slices[at + 1..]
            .iter()
            .filter(|other| other["tid"] == one["tid"])
        {
            let ((a, b), (c, d)) = (span(one), span(other));
            let nest = (a <= c && d <= b) || (c <= a && b <= d) || b <= c || d <= a;
            assert!(nest, "{one} and {other}");
        }
    }
    let flows: Vec<_> = events
        .iter()
        .filter(|it| it["ph"] == "s" || it["ph"] == "f")
        .collect();
    assert!(!flows.is_empty());
    for flow in flows {
        let at = flow["ts"].as_i64().unwrap();
        let mut own = slices.iter().filter(|slice| slice["tid"] == flow["tid"]);
        let is_in = own.any(|slice| span(slice).0 <= at && at <= span(slice).1);
        assert!(is_in, "{flow}");
    }
    service.stop().await;
}
