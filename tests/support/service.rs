//! The service, served in this process on a free loopback port.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use racy::engine::Database;
use racy::exhibits::deposits::{LongDelay, Retry};
use racy::exhibits::exports::Folder;
use racy::exhibits::tables::Tables;
use racy::http::{self, Limits, Service, Settings};
use racy::step::{Observer, Unobserved};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::described;
use super::stepper::{Arrivals, Gate};

/// A service that runs until it is [stopped](Self::stop).
#[derive(Debug)]
pub struct RunningService {
    pub address: SocketAddr,
    pub client: Client,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// No delay, no limit of workers, time enough for any test.
pub fn settings() -> Settings {
    Settings {
        workers: None,
        long_delay: LongDelay(Duration::ZERO..=Duration::ZERO),
        retry: Retry::default(),
        header_timeout: Duration::from_secs(20),
        request_timeout: Duration::from_secs(20),
        idempotency_ttl: Duration::from_hours(24),
        behind_proxy: false,
        instance: "here".parse().unwrap(),
        // A test that exports brings a folder of its own.
        exports: Folder::at("no export folder"),
        tables: Tables::at("no tables"),
        limits: Limits::default(),
    }
}

impl RunningService {
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, &settings()).await
    }

    pub async fn start_with(database: &Database, settings: &Settings) -> Self {
        Self::start_wrapped(database, settings, Arc::new(Unobserved), |router| router).await
    }

    /// Starts a service whose clients park before each step.
    pub async fn start_gated(database: &Database, settings: &Settings) -> (Self, Arrivals) {
        let (gate, arrivals) = Gate::new();
        let service =
            Self::start_wrapped(database, settings, Arc::new(gate), |router| router).await;
        (service, arrivals)
    }

    /// Starts a service with an observer of its own, and with layers around its routes.
    pub async fn start_wrapped(
        database: &Database,
        settings: &Settings,
        observer: Arc<dyn Observer>,
        wrap: impl FnOnce(Router) -> Router,
    ) -> Self {
        let service = Service::new(database.clone(), settings, observer).wrapped(wrap);
        Self::serve(service, (Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Starts a service at a [port that is held](super::HeldPort) for it.
    pub async fn start_at(address: SocketAddr, database: &Database) -> Self {
        let service = Service::new(database.clone(), &settings(), Arc::new(Unobserved));
        Self::serve(service, address).await
    }

    async fn serve(service: Service, address: SocketAddr) -> Self {
        let service = service.wrapped(described::checked);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(http::serve(listener, service, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            client: Client::new(),
            stop,
            serving,
        }
    }

    /// Stops it as a signal does, and waits until every request is done.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.serving.await.unwrap();
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.address))
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("http://{}{path}", self.address))
    }

    /// Deposits with a form, as racy-django's clients do.
    pub async fn deposit(&self, strategy: &str, account: i64, amount: i64) -> Response {
        let deposit = self.deposit_request(strategy, account, amount);
        deposit.send().await.unwrap()
    }

    /// Sends a deposit of 100 into account 1, and does not wait for its answer.
    pub fn begin_deposit(&self, strategy: &str) -> JoinHandle<reqwest::Result<Response>> {
        tokio::spawn(self.deposit_request(strategy, 1, 100).send())
    }

    pub fn deposit_request(&self, strategy: &str, account: i64, amount: i64) -> RequestBuilder {
        let request = self.post(&format!("/demo/{strategy}/"));
        request.form(&[("account", account), ("amount", amount)])
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        let response = self.get("/metrics").send().await.unwrap();
        response.text().await.unwrap()
    }
}

/// Checks that each of these is a line of the text.
pub fn assert_has_lines(text: &str, lines: impl IntoIterator<Item: AsRef<str>>) {
    for line in lines {
        let line = line.as_ref();
        assert!(text.lines().any(|it| it == line), "no {line:?} in {text}");
    }
}

/// Checks that an answer is a problem of this kind with this status, and returns it.
pub async fn problem(response: Response, status: u16, kind: &str) -> Value {
    let content_type = response.headers().get("content-type").cloned();
    assert_eq!(response.status(), status);
    assert_eq!(content_type.unwrap(), "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["type"], format!("urn:racy:problem:{kind}"));
    assert_eq!(problem["status"], status);
    assert!(problem["title"].is_string() && problem["detail"].is_string());
    problem
}

/// Checks that an answer is such a [`problem`], with these words in its detail.
pub async fn problem_with(response: Response, status: u16, kind: &str, words: &str) -> Value {
    let problem = problem(response, status, kind).await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(words), "{words:?} is not in {detail:?}");
    problem
}
