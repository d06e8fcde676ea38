//! `racy watch` as a person runs it, against a service that is served here.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use racy::step::Unobserved;
use tokio::time::timeout;

use crate::commands::{output, text};
use crate::support::process::{mortal, racy, signal};
use crate::support::service::{RunningService, settings};
use crate::support::{HeldPort, TestEngine, until};

on_engines!(
    every:
        one_look_shows_what_the_strategies_do;
);

/// Three deposits are made between the first look at the metrics and the second.
fn deposited_into_between_looks(router: Router) -> Router {
    let looks = Arc::new(AtomicUsize::new(0));
    router.layer(from_fn(move |request: Request, next: Next| {
        let is_look = request.uri().path() == "/metrics";
        let is_second = is_look && looks.fetch_add(1, Ordering::Relaxed) == 1;
        async move {
            if is_second {
                let host = request.headers()["host"].to_str().unwrap();
                deposit_three_times(host).await;
            }
            next.run(request).await
        }
    }))
}

async fn deposit_three_times(host: &str) {
    for _ in 0..3 {
        let deposit = reqwest::Client::new().post(format!("http://{host}/demo/atomic_no_delay/"));
        let deposit = deposit.form(&[("account", 1), ("amount", 100)]);
        assert_eq!(deposit.send().await.unwrap().status(), 200);
    }
}

const COLUMNS: [&str; 8] = [
    "UTC",
    "strategy",
    "req/s",
    "applied/s",
    "conflict",
    "retries",
    "p50",
    "p99",
];

async fn one_look_shows_what_the_strategies_do(engine: TestEngine) {
    let lab = engine.lab().await;
    let (observer, wrap) = (Arc::new(Unobserved), deposited_into_between_looks);
    let service = RunningService::start_wrapped(&lab.database, &settings(), observer, wrap).await;
    let url = format!("http://{}", service.address);
    let watch = ["watch", "--url", &url, "--interval", "200ms", "--once"];
    let output = output(racy(&watch)).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let shown = text(&output.stdout);
    let lines: Vec<Vec<_>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], COLUMNS, "{shown}");
    let [
        _time,
        strategy,
        requests,
        applied,
        conflicts,
        _percent,
        retries,
        ..,
    ] = lines[1][..]
    else {
        panic!("{shown}");
    };
    assert_eq!(
        [strategy, conflicts, retries],
        ["atomic_no_delay", "0.0", "0.00"]
    );
    assert!(requests.parse::<f64>().unwrap() > 0.0, "{shown}");
    assert_eq!(requests, applied);
    for words in ["of 8 connections in use", "lost: nothing"] {
        assert!(shown.contains(words), "{shown}");
    }
    assert_eq!(lines.len(), 4, "{shown}");
    service.stop().await;
}

/// A `racy watch` under way, ended with the test.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process has written so far.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn by(mut output: impl Read + Send + 'static) -> Self {
        let written = Self::default();
        let more = written.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                more.0.lock().unwrap().extend(&buffer[..length]);
            }
        });
        written
    }

    async fn until(&self, words: &str, times: usize) {
        until(words, || async {
            let written = self.0.lock().unwrap().clone();
            String::from_utf8_lossy(&written).matches(words).count() >= times
        })
        .await;
    }
}

#[tokio::test]
async fn a_service_that_went_away_is_waited_for() {
    let lab = TestEngine::Sqlite.lab().await;
    let port = HeldPort::new();
    let service = RunningService::start_at(port.address(), &lab.database).await;
    let url = format!("http://{}", port.address());
    let mut watch = racy(&["watch", "--url", &url, "--interval", "100ms"]);
    watch.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watch = Watching(watch.spawn().unwrap());
    let figures = Written::by(watch.0.stdout.take().unwrap());
    let complaints = Written::by(watch.0.stderr.take().unwrap());

    figures.until("lost: nothing", 1).await;
    service.stop().await;
    complaints.until("trying again", 1).await;
    let service = RunningService::start_at(port.address(), &lab.database).await;
    let response = service.deposit("atomic_no_delay", 1, 100).await;
    assert_eq!(response.status(), 200);
    figures.until("atomic_no_delay", 1).await;

    signal("INT", &watch.0);
    assert_eq!(watch.0.wait().unwrap().code(), Some(0));
    service.stop().await;
}

#[tokio::test]
async fn one_look_at_a_port_without_a_service_is_an_error() {
    let nobody = HeldPort::new();
    let url = format!("http://{}", nobody.address());
    let output = output(racy(&["watch", "--url", &url, "--once"])).await;
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("{url}/metrics: ")), "{said}");
    assert!(said.contains("refused"), "{said}");
}

/// `script` is a terminal for a command.
#[tokio::test]
async fn on_a_terminal_the_picture_is_redrawn() {
    const CLEAR_LINE: &str = "\u{1b}[2K";
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let binary = env!("CARGO_BIN_EXE_racy");
    let address = service.address;
    let watch = format!("exec {binary} watch --url http://{address} --interval 100ms");
    let terminal = mortal("script")
        .args(["--quiet", "--command", &watch, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut terminal = Watching(terminal.unwrap());
    let drawn = Written::by(terminal.0.stdout.take().unwrap());
    drawn.until("connections in use", 1).await;
    drawn.until(CLEAR_LINE, 1).await;
    drawn.until("connections in use", 2).await;
    service.stop().await;
}

/// Without an answering service, nothing is written that would meet the closed pipe.
#[tokio::test]
async fn a_reader_that_leaves_ends_it() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let nobody = HeldPort::new();
    for address in [service.address, nobody.address()] {
        let url = format!("http://{address}");
        let mut watch = racy(&["watch", "--url", &url, "--interval", "100ms"]);
        watch.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut watch = Watching(watch.spawn().unwrap());
        drop(watch.0.stdout.take());
        let ended = move || watch.0.wait().unwrap().code();
        let ended = tokio::task::spawn_blocking(ended);
        let ended = timeout(Duration::from_secs(20), ended).await;
        assert_eq!(ended.expect("it goes on").unwrap(), Some(0));
    }
    service.stop().await;
}

/// Under `nohup`, the signal that tells of the end of the terminal is ignored.
#[tokio::test]
async fn a_terminal_that_is_gone_ends_it() {
    let lab = TestEngine::Sqlite.lab().await;
    let service = RunningService::start(&lab.database).await;
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let made = mortal("mkfifo").arg(&said).status().unwrap();
    assert!(made.success());
    let watch = format!(
        "trap '' HUP; exec 2>{}; {} watch --url http://{} --interval 100ms; echo status $? >&2",
        said.display(),
        env!("CARGO_BIN_EXE_racy"),
        service.address
    );
    let mut script = mortal("script");
    script.args(["--quiet", "--command", &watch, "/dev/null"]);
    script.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut terminal = Watching(script.spawn().unwrap());
    let drawn = Written::by(terminal.0.stdout.take().unwrap());
    // Its other end is open until the command has ended.
    let said = read_to_the_end(said);
    drawn.until("connections in use", 1).await;
    drop(terminal);
    let said = timeout(Duration::from_secs(20), said).await;
    assert_eq!(said.expect("it goes on").unwrap(), "status 0\n");
    service.stop().await;
}

fn read_to_the_end(path: impl AsRef<Path> + Send + 'static) -> tokio::task::JoinHandle<String> {
    tokio::task::spawn_blocking(move || std::fs::read_to_string(path).unwrap())
}
