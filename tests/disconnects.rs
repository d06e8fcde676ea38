//! A client that disconnects never leaves a deposit half done or a connection dirty.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use racy::engine::Settings;
use racy::exhibits::deposits::{LongDelay, STRATEGIES};
use racy::http;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tower::{Layer, Service};

use crate::support::service::{RunningService, settings};
use crate::support::stepper::{Arrivals, Gate};
use crate::support::{Lab, TestEngine, until};

on_engines!(
    every:
        a_client_that_leaves_at_any_step_leaves_a_whole_deposit,
        after_a_client_that_left_every_strategy_works;
);

const STEPS: [&str; 6] = [
    "begin",
    "read balance",
    "think",
    "insert transaction",
    "write balance",
    "commit",
];

/// A service on a pool of one connection, whose clients' departures are seen.
struct Cut {
    lab: Lab,
    service: RunningService,
    arrived: Arrivals,
    given_up: UnboundedReceiver<()>,
}

impl Cut {
    async fn start(engine: TestEngine) -> Self {
        let one = Settings {
            connections: 1,
            ..Settings::default()
        };
        let lab = engine.lab_with(one).await;
        let delay = Duration::from_millis(1);
        let thinking = http::Settings {
            long_delay: LongDelay(delay..=delay),
            ..settings()
        };
        let (gate, arrived) = Gate::new();
        let (gone, given_up) = unbounded_channel();
        let watch = |router: Router| router.layer(Departures(gone));
        let gate = Arc::new(gate);
        let service = RunningService::start_wrapped(&lab.database, &thinking, gate, watch).await;
        Self {
            lab,
            service,
            arrived,
            given_up,
        }
    }

    /// Sends a deposit, cuts its client before this step, and lets the deposit end.
    async fn deposit_cut_at(&mut self, label: &str) {
        let client = send_deposit(&self.service).await;
        let step = self.arrived.go_to(label).await;
        drop(client);
        // The server has noticed: it has dropped the future that was to answer.
        let noticed = timeout(Duration::from_secs(20), self.given_up.recv());
        noticed.await.unwrap();
        step.go();
        for _ in STEPS.iter().skip_while(|it| **it != label).skip(1) {
            self.arrived.next().await.unwrap().go();
        }
    }
}

/// The deposit is made all the same, nothing stays open, and the next request finds a clean
/// connection.
async fn a_client_that_leaves_at_any_step_leaves_a_whole_deposit(engine: TestEngine) {
    let mut cut = Cut::start(engine).await;
    for (deposits, label) in (1..).zip(STEPS) {
        cut.deposit_cut_at(label).await;
        until("the deposit is done", || async {
            cut.lab.account().await.balance == 100 * i128::from(deposits)
        })
        .await;
        let account = cut.lab.account().await;
        let books = (account.transactions, account.lost);
        assert_eq!(books, (deposits, 0), "cut at {label}");
        assert!(!cut.lab.has_open_transactions().await, "cut at {label}");
    }
    let steps = cut.arrived.let_all_through();
    cut.service.stop().await;
    steps.await.unwrap();
}

async fn after_a_client_that_left_every_strategy_works(engine: TestEngine) {
    let mut cut = Cut::start(engine).await;
    cut.deposit_cut_at("insert transaction").await;
    let steps = cut.arrived.let_all_through();
    for strategy in &STRATEGIES {
        let response = cut.service.deposit(strategy.name, 1, 100).await;
        assert_eq!(response.status(), 200, "{}", strategy.name);
    }
    cut.service.stop().await;
    steps.await.unwrap();
}

async fn send_deposit(service: &RunningService) -> TcpStream {
    let mut client = TcpStream::connect(service.address).await.unwrap();
    let body = "account=1&amount=100";
    let request = format!(
        "POST /demo/atomic_long_delay/ HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    client
}

/// Tells when the server drops a request's future before it has answered.
#[derive(Debug, Clone)]
struct Departures(UnboundedSender<()>);

impl<S> Layer<S> for Departures {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched {
            inner,
            departures: self.clone(),
        }
    }
}

#[derive(Debug, Clone)]
struct Watched<S> {
    inner: S,
    departures: Departures,
}

impl<S: Service<Request>> Service<Request> for Watched<S>
where
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let answering = self.inner.call(request);
        let departure = Departure(Some(self.departures.0.clone()));
        Box::pin(async move {
            let answer = answering.await;
            departure.did_not_happen();
            answer
        })
    }
}

struct Departure(Option<UnboundedSender<()>>);

impl Departure {
    fn did_not_happen(mut self) {
        self.0 = None;
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        if let Some(gone) = self.0.take() {
            let _ = gone.send(());
        }
    }
}
