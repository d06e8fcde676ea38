//! The web console, on real engines.

mod explorations;
mod forms;
mod pages;
mod runs;
mod stepped;
mod watching;

use std::collections::BTreeMap;
use std::time::Duration;

use racy::engine::Settings;
use reqwest::header::ACCEPT;
use reqwest::{Client, Response, redirect};
use serde_json::Value;

use crate::support::service::RunningService;
use crate::support::{Lab, TestEngine, until};

/// What ended, in whatever way.
const OVER: [&str; 3] = ["ended", "stopped", "failed"];

/// A lab with a connection for each request of a burst of ten, and for what looks at them.
async fn lab(engine: TestEngine) -> Lab {
    let settings = Settings {
        connections: 16,
        ..Settings::default()
    };
    engine.lab_with(settings).await
}

/// A browser that follows no redirect.
fn browser() -> Client {
    let client = Client::builder().redirect(redirect::Policy::none());
    client.build().unwrap()
}

/// Sends a form as a script does: a problem comes as JSON.
async fn send(service: &RunningService, path: &str, form: &[(&str, &str)]) -> Response {
    let url = format!("http://{}{path}", service.address);
    let post = browser().post(url).header(ACCEPT, "application/json");
    post.form(form).send().await.unwrap()
}

/// Starts a run, and returns its path.
async fn start(service: &RunningService, form: &[(&str, &str)]) -> String {
    let answer = send(service, "/runs", form).await;
    assert_eq!(answer.status(), 303, "{:?}", answer.text().await);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// The record of a run.
async fn record(service: &RunningService, path: &str) -> Value {
    service.json(&format!("{path}.json")).await
}

/// The record of a run that is over.
async fn ended(service: &RunningService, path: &str) -> Value {
    until("the run is over", || async {
        let state = record(service, path).await["state"].clone();
        OVER.iter().any(|over| state == *over)
    })
    .await;
    record(service, path).await
}

/// Starts a run, and returns its record when it is over.
async fn run(service: &RunningService, form: &[(&str, &str)]) -> Value {
    let path = start(service, form).await;
    ended(service, &path).await
}

/// The fields of a form, in which later ones replace earlier ones.
fn fields<'f>(parts: &[&[(&'f str, &'f str)]]) -> Vec<(&'f str, &'f str)> {
    let all = parts.iter().flat_map(|part| part.iter().copied());
    all.collect::<BTreeMap<_, _>>().into_iter().collect()
}

/// Longer than any run of a test.
const LONG: Duration = Duration::from_secs(30);
