//! What a visitor takes along: one HTML file that needs no server, JSON, and a trace.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Visit;
use crate::support::TestEngine;

on_engines!(
    mysql:
        a_run_and_a_schedule_work_from_a_file;
);

async fn a_run_and_a_schedule_work_from_a_file(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let run = visit.a_lossy_run().await;
    assert_slices_nest(&visit.json(&format!("{run}/trace.json")).await);

    open_as_file(&visit, &format!("{run}.html")).await;
    let browser = &visit.browser;
    browser
        .until("document.querySelectorAll('#picture g.lane').length === 10")
        .await;
    browser
        .until("document.querySelector('#picture path.arrow')")
        .await;
    browser
        .run("document.querySelector('a[href=\"#loss=2\"]').click()", &[])
        .await;
    browser.shows("#picture .which", "Loss 2 of").await;
    assert_eq!(browser.count("#steps tr.group").await, 10);

    open_as_file(&visit, "/matrix/mysql/repeatable-read/atomic_no_delay.html").await;
    browser
        .until("document.querySelector('#picture:not([hidden]) .sched')")
        .await;
    browser.press("Next ›").await;
    browser.shows("#picture .say", "Step 1 of").await;
    browser.press("‹ Back").await;
    browser.shows("#picture .say", "Start").await;
    browser.press("»").await;
    browser.shows("#picture .sched", "✗ overwritten").await;
    browser
        .until("document.querySelector('#source li.now, #source li[class]')")
        .await;
    visit.end().await;
}

/// Downloads a page and opens it from the disk. It asks no server for anything.
async fn open_as_file(visit: &Visit, path: &str) {
    let text = visit.get(path).await.text().await.unwrap();
    let name = path.rsplit('/').next().unwrap();
    let file = visit.folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    visit
        .browser
        .goto(&format!("file://{}", file.display()))
        .await;
    let asked = "return performance.getEntriesByType('resource').map((it) => it.name)\
                 .filter((it) => !it.startsWith('data:'))";
    assert_eq!(visit.browser.run(asked, &[]).await, json!([]));
}

/// The slices of each lane stand in one another or beside one another, and never overlap.
fn assert_slices_nest(trace: &Value) {
    let mut lanes: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    let mut flows: BTreeMap<String, Vec<(f64, u64)>> = BTreeMap::new();
    for event in trace["traceEvents"].as_array().unwrap() {
        let lane = event["tid"].as_u64().unwrap_or_default();
        let from = event["ts"].as_f64().unwrap_or_default();
        match event["ph"].as_str().unwrap() {
            "X" => {
                let to = from + event["dur"].as_f64().unwrap();
                lanes.entry(lane).or_default().push((from, to));
            }
            "s" | "f" => flows
                .entry(event["id"].to_string())
                .or_default()
                .push((from, lane)),
            _ => {}
        }
    }
    assert_eq!(lanes.len(), 10);
    for slices in lanes.values_mut() {
        assert_nest(slices);
    }
    assert!(!flows.is_empty());
    for (id, ends) in flows {
        assert_eq!(ends.len(), 2, "{id}");
        for (at, lane) in ends {
            let holds = |it: &(f64, f64)| it.0 <= at && at <= it.1;
            assert!(
                lanes[&lane].iter().any(holds),
                "{id}: nothing at {at} in lane {lane}"
            );
        }
    }
}

fn assert_nest(slices: &mut [(f64, f64)]) {
    // The longer one first, if two begin together.
    slices.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut open: Vec<(f64, f64)> = Vec::new();
    for slice in slices {
        while open.last().is_some_and(|it| it.1 <= slice.0) {
            open.pop();
        }
        assert!(
            open.last().is_none_or(|it| slice.1 <= it.1),
            "{slice:?} in {open:?}"
        );
        open.push(*slice);
    }
}
