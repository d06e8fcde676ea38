//! Requests all together: every request waits on its own open connection, complete to the last
//! byte, until one loop lets them all go.
//!
//! 1. [`Burst::prepare`] opens a connection per request, then has each ask for the audit, all at
//!    the same time. Afterwards the server has accepted every connection, and whatever it sets up
//!    on first use (a task, a connection to its database) is set up.
//! 2. [`Burst::fire`] shuts the connections' [`Gate`]s and hands every request to hyper, which
//!    serialises it into its gate and flushes. A flush of a shut gate means: the request is
//!    complete and held. No byte of it has left, so that the server's clock for it has not
//!    started either.
//! 3. When all are held, [`release`] writes them, one system call per request, nothing between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::answer::{Answer, Inspection, Outcome};
use crate::consumer::Consumer;
use crate::error::Error;
use crate::gate::{Gate, GatedStream};
use crate::key::IDEMPOTENCY_KEY;
use crate::ordinary::{self, Client};
use crate::plan::Plan;
use crate::tasks::joined;
use crate::transport::{Received, TransportError, receive, within};
use crate::volley::{Progress, Volley};

/// One warm connection for each request of a plan.
#[derive(Debug)]
pub(crate) struct Burst {
    connections: Vec<Connection>,
}

/// An open connection that nobody else uses.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    gate: Arc<Gate>,
    /// Reads and writes for the sender; ends when this connection is dropped.
    _driver: JoinSet<()>,
}

impl Burst {
    /// Opens and warms all connections.
    pub(crate) async fn prepare(plan: &Plan) -> Result<Self, Error> {
        let requests = plan.requests.get();
        let not_warm = |cause| Error::NotWarm {
            connections: requests,
            cause,
        };

        let addresses = resolve(plan).await.map_err(not_warm)?;
        let opening = (0..requests).map(|_| open(plan.clone(), addresses.clone()));
        let open = all(opening).await.map_err(not_warm)?;
        let warming = open
            .into_iter()
            .map(|connection| warm(connection, plan.clone()));
        let connections = all(warming).await.map_err(not_warm)?;
        Ok(Self { connections })
    }

    /// Releases one request on every connection and waits for the answers. With the first of them the consumer
    /// starts: before, there would be nothing to read.
    pub(crate) async fn fire(
        self,
        client: &Client,
        consumer: &mut Consumer,
        progress: &mut impl FnMut(Progress),
    ) -> Volley {
        let gates: Vec<_> = self
            .connections
            .iter()
            .map(|c| Arc::clone(&c.gate))
            .collect();
        let mut in_flight = JoinSet::new();
        let mut held = Vec::with_capacity(gates.len());
        for (connection, index) in self.connections.into_iter().zip(0..) {
            held.push(connection.gate.shut());
            in_flight.spawn(post(connection, client.clone(), index));
        }
        for request in held {
            wait_until_held(request).await;
        }
        let releases = release(gates);

        let mut answers = Vec::with_capacity(in_flight.len());
        while let Some(finished) = in_flight.join_next().await {
            let ended: Ended = joined(finished);
            if answers.is_empty() {
                consumer.start();
            }
            let answer = ended.into_answer(&releases);
            progress(Progress::Answered {
                request: answer.request,
            });
            answers.push(answer);
        }
        Volley { answers, releases }
    }
}

/// Runs all the work at the same time and waits for all of it, or for the first failure.
async fn all<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = Result<T, TransportError>> + Send + 'static>,
) -> Result<Vec<T>, TransportError> {
    let mut running: JoinSet<_> = work.collect();
    let mut done = Vec::with_capacity(running.len());
    while let Some(finished) = running.join_next().await {
        done.push(joined(finished)?);
    }
    Ok(done)
}

/// Looks the host up once, so that a burst asks the name service one question, not a hundred.
async fn resolve(plan: &Plan) -> Result<Arc<[SocketAddr]>, TransportError> {
    within(plan.timeout, async {
        let addresses = tokio::net::lookup_host(plan.base_url.host_and_port())
            .await
            .map_err(|error| TransportError::connect(&error))?;
        Ok(addresses.collect())
    })
    .await
}

async fn open(plan: Plan, addresses: Arc<[SocketAddr]>) -> Result<Connection, TransportError> {
    within(plan.timeout, async {
        let stream = connect(&addresses)
            .await
            .map_err(|error| TransportError::connect(&error))?;
        let gate = Arc::new(Gate::new(stream));
        let io = TokioIo::new(GatedStream::new(Arc::clone(&gate)));
        let (sender, driver) = http1::handshake(io)
            .await
            .map_err(|error| TransportError::on_connection(&error))?;
        // The driver's errors reach the sender too.
        let driver = [async { drop(driver.await) }].into_iter().collect();
        Ok(Connection {
            sender,
            gate,
            _driver: driver,
        })
    })
    .await
}

async fn connect(addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(addresses).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Fetches the audit over the connection: any answer will do.
async fn warm(mut connection: Connection, plan: Plan) -> Result<Connection, TransportError> {
    within(plan.timeout, async {
        let request = request(&plan, "GET", &plan.probe_url())
            .body(Full::default())
            .map_err(|error| TransportError::on_connection(&error))?;
        send(&mut connection.sender, request).await?;
        // A server that hangs up after each answer leaves nothing to keep warm.
        connection
            .sender
            .ready()
            .await
            .map_err(|error| TransportError::on_connection(&error))?;
        Ok(())
    })
    .await?;
    Ok(connection)
}

/// How one request ended, before it is known when it was released.
struct Ended {
    index: usize,
    at: Instant,
    sent: u32,
    outcome: Outcome,
    inspection: Option<Inspection>,
}

impl Ended {
    /// The stamp before a release is the one after the release before it.
    fn into_answer(self, releases: &[Instant]) -> Answer {
        let started = releases.get(self.index).copied().unwrap_or(self.at);
        Answer {
            request: number(self.index),
            started,
            ended: self.at,
            sent: self.sent,
            outcome: self.outcome,
            inspection: self.inspection,
        }
    }
}

/// Requests are numbered from 1, in the order of release.
fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// Sends one request into the connection's gate and waits for the answer. The timeout starts
/// here, the few milliseconds before the release included. Where it is sent again, the others are
/// long gone, and it goes the ordinary way.
async fn post(mut connection: Connection, client: Client, index: usize) -> Ended {
    let plan = &client.plan;
    let answer = within(plan.timeout, async {
        let body = plan.target.body(number(index));
        let mut post = request(plan, "POST", &plan.post_url());
        if let Some(key) = client.key(number(index)) {
            post = post.header(IDEMPOTENCY_KEY, key);
        }
        let request = post
            .header(CONTENT_TYPE, body.content_type)
            .body(Full::from(body.text))
            .map_err(|error| TransportError::on_connection(&error))?;
        send(&mut connection.sender, request).await
    })
    .await;
    let first = Outcome::of(answer);
    let (outcome, sent) = client.insist(number(index), first).await;
    let at = Instant::now();
    Ended {
        index,
        at,
        sent,
        inspection: client.inspect_answer(&outcome).await,
        outcome,
    }
}

fn request(plan: &Plan, method: &str, url: &Url) -> hyper::http::request::Builder {
    let query = url.query().map(|query| format!("?{query}"));
    Request::builder()
        .method(method)
        .uri(format!("{}{}", url.path(), query.unwrap_or_default()))
        .header(HOST, plan.base_url.authority())
        .header(USER_AGENT, ordinary::USER_AGENT)
        .header(ACCEPT, ordinary::JSON)
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Received, TransportError> {
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| TransportError::on_connection(&error))?;
    receive(response).await
}

/// An error means that the connection ended before it held its request. The request's own task
/// tells so; nobody needs to wait for it.
async fn wait_until_held(request: oneshot::Receiver<()>) {
    drop(request.await);
}

/// The barrier: writes every held request, and notes the time before the first and after each.
///
/// The loop does nothing else, since every microsecond in it is one in which the first request
/// is ahead of the last. What a socket did not take is left to its connection afterwards.
fn release(gates: Vec<Arc<Gate>>) -> Vec<Instant> {
    let requests: Vec<_> = gates.iter().map(|gate| gate.take_held()).collect();
    let mut written = Vec::with_capacity(gates.len());
    let mut stamps = Vec::with_capacity(gates.len() + 1);

    stamps.push(Instant::now());
    for (gate, request) in gates.iter().zip(&requests) {
        written.push(gate.try_write(request));
        stamps.push(Instant::now());
    }

    for ((gate, request), written) in gates.into_iter().zip(requests).zip(written) {
        gate.open(request, written);
    }
    stamps
}
