//! The picture of as many requests as a visitor may ask for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Visit;
use crate::support::TestEngine;

on_engines!(
    mysql:
        five_hundred_lanes_are_drawn_on_request;
);

const FRAMES: &str = include_str!("scripts/frames.js");

async fn five_hundred_lanes_are_drawn_on_request(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let fields = [
        ("strategy", "non_atomic_long_delay"),
        ("requests", "500"),
        ("delay_ms", "5"),
    ];
    let path = visit.made("/runs", &fields).await;
    let record = visit.json(&format!("{path}.json")).await;
    let lanes = record["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 500);
    let lost = lanes.iter().filter(|it| it["lost"] == true).count();
    assert_eq!(record["losses"].as_array().unwrap().len(), lost);
    assert!(lost > 30, "{lost}");

    visit.picture(&path).await;
    let hidden = "200 of 500 requests are drawn, those that lost something first. 300 are hidden.";
    visit.browser.shows("#picture", hidden).await;
    assert_eq!(visit.browser.count("#picture g.lane").await, 200);
    assert_lost_come_first(&visit, &record).await;
    assert_eq!(visit.browser.count("#steps tr.group").await, 500);
    // A table of that length is closed at first, and can be opened.
    assert_eq!(visit.browser.count("#table[open]").await, 0);

    visit.browser.press("Show all 500").await;
    visit
        .browser
        .until("document.querySelectorAll('#picture g.lane').length === 500")
        .await;
    assert_eq!(visit.browser.count("#picture g.lane.is-lost").await, lost);
    assert_eq!(
        visit
            .browser
            .run("return document.activeElement.tagName", &[])
            .await,
        "svg"
    );
    print_frame_times(&visit).await;
    visit.end().await;
}

/// What is drawn has lost something or overwritten it, as far as there are such lanes.
async fn assert_lost_come_first(visit: &Visit, record: &Value) {
    let losses = record["losses"].as_array().unwrap().iter();
    let pairs = losses.flat_map(|it| [&it["lost"], &it["by"]]);
    let pairs: BTreeSet<_> = pairs.map(|it| it.as_u64().unwrap()).collect();
    let drawn = "return [...document.querySelectorAll('#picture g.lane')]\
                 .map((it) => Number(it.dataset.lane))";
    let drawn = visit.browser.run(drawn, &[]).await;
    let drawn = drawn.as_array().unwrap().iter();
    let of_pairs = drawn.filter(|it| pairs.contains(&it.as_u64().unwrap()));
    assert_eq!(of_pairs.count(), pairs.len().min(200));
}

async fn print_frame_times(visit: &Visit) {
    for act in ["losses", "zoom", "scroll"] {
        let times = visit.browser.run_async(FRAMES, &[json!(act)]).await;
        println!("500 lanes, {act}: milliseconds a frame: {times}");
    }
}
