//! Requests all together: each waits on its own open connection, complete to the last byte, until
//! one loop releases them all.
//!
//! 1. [`Burst::prepare`] opens one connection for each request. Then every connection reads the
//!    probe URL, all at the same time. Afterwards the server has accepted every connection and has
//!    set up what it needs for it, such as a task or a connection to its database.
//! 2. [`Burst::fire`] shuts the connections' [`Gate`]s and hands every request to hyper. hyper
//!    writes the request into its gate and flushes. A flush of a shut gate shows that the request
//!    is complete and held. No byte of it has left, so the server has not seen it yet.
//! 3. When all are held, [`release`] writes them: one system call for each, and nothing between.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, ACCEPT, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::answers::Answers;
use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::gate::{Gate, GatedStream};
use crate::key::IDEMPOTENCY_KEY;
use crate::plan::Plan;
use crate::poster::{FinalOutcome, Instances, Poster};
use crate::service::{JSON, USER_AGENT};
use crate::tasks::joined;
use crate::transport::{RawAnswer, TransportError, receive, within};
use crate::volley::{Progress, Stop, StopPhase, Volley};

/// One warm connection for each request of a plan.
#[derive(Debug)]
pub(crate) struct Burst {
    connections: Vec<Connection>,
}

/// An open connection for one request.
#[derive(Debug)]
struct Connection {
    base_url: BaseUrl,
    sender: SendRequest<Full<Bytes>>,
    gate: Arc<Gate>,
    /// Reads and writes for the sender. It ends when this connection is dropped.
    _driver: JoinSet<()>,
}

impl Burst {
    /// Opens and warms all connections, to the instances in turn.
    pub(crate) async fn prepare(plan: &Plan, instances: &Instances) -> Result<Self, Error> {
        let requests = plan.requests.get();
        let not_warm = |cause| Error::NotWarm {
            connections: requests,
            cause,
        };

        let mut addresses = Vec::new();
        for base_url in instances.all() {
            addresses.push(resolve(plan, base_url).await.map_err(not_warm)?);
        }
        let opening = (1..=requests).map(|request| {
            let place = instances.place_of(request);
            open(
                plan.clone(),
                instances.of(request).clone(),
                Arc::clone(&addresses[place]),
            )
        });
        let open = all(opening).await.map_err(not_warm)?;
        let warming = open
            .into_iter()
            .map(|connection| warm(connection, plan.clone()));
        let connections = all(warming).await.map_err(not_warm)?;
        Ok(Self { connections })
    }

    /// Releases one request on every connection, and waits for the answers. The first answer is
    /// halfway: before it there was nothing to look at.
    pub(crate) async fn fire(
        self,
        poster: &Poster,
        mut stop: Stop,
        progress: &mut impl FnMut(Progress),
    ) -> Volley {
        let connections = self.connections.iter();
        let gates: Vec<_> = connections.map(|it| Arc::clone(&it.gate)).collect();
        let mut in_flight = JoinSet::new();
        let mut held = Vec::with_capacity(gates.len());
        for (connection, request) in self.connections.into_iter().zip(1..) {
            held.push(connection.gate.shut());
            in_flight.spawn(post(connection, poster.clone(), request));
        }
        for request in held {
            wait_until_held(request).await;
        }
        let releases = release(gates);

        let mut answers = Vec::with_capacity(in_flight.len());
        loop {
            let finished = tokio::select! {
                finished = in_flight.join_next() => finished,
                phase = stop.next() => match phase {
                    StopPhase::NoFurtherRequest => continue,
                    StopPhase::NoFurtherAnswer => None,
                },
            };
            let Some(finished) = finished else {
                break;
            };
            if answers.is_empty() {
                poster.auditor.halfway();
            }
            let answer = with_start(joined(finished), &releases);
            progress(Progress::of(&answer));
            answers.push(answer);
        }
        answers.extend(given_up(&answers, &releases));
        Volley {
            answers: Answers::new(answers),
            releases,
        }
    }
}

/// The requests that no answer came to before the run was stopped.
fn given_up(answers: &[Answer], releases: &[Instant]) -> Vec<Answer> {
    let answered: BTreeSet<_> = answers.iter().map(|answer| answer.request).collect();
    let requests = (1..).zip(releases.iter().take(releases.len().saturating_sub(1)));
    requests
        .filter(|(request, _)| !answered.contains(request))
        .map(|(request, released)| Answer::given_up(request, *released))
        .collect()
}

/// The answer with its start: the stamp before its release. Requests are numbered from 1.
fn with_start(last: FinalOutcome, releases: &[Instant]) -> Answer {
    let released = last.request as usize - 1;
    let started = releases.get(released).copied().unwrap_or(last.ended);
    last.started_at(started)
}

/// Does all work at the same time, and waits until all is done or one part fails.
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

/// Looks the host up once, so that a burst does not ask the name service once per connection.
async fn resolve(plan: &Plan, base_url: &BaseUrl) -> Result<Arc<[SocketAddr]>, TransportError> {
    within(plan.timeout, async {
        let addresses = tokio::net::lookup_host(base_url.host_and_port())
            .await
            .map_err(|error| TransportError::connect(&error))?;
        Ok(addresses.collect())
    })
    .await
}

async fn open(
    plan: Plan,
    base_url: BaseUrl,
    addresses: Arc<[SocketAddr]>,
) -> Result<Connection, TransportError> {
    within(plan.timeout, async {
        let stream = connect(&addresses)
            .await
            .map_err(|error| TransportError::connect(&error))?;
        let gate = Arc::new(Gate::new(stream));
        let io = TokioIo::new(GatedStream::new(Arc::clone(&gate)));
        let (sender, driver) = http1::handshake(io)
            .await
            .map_err(|error| TransportError::on_connection(&error))?;
        // The sender gets the driver's errors too.
        let driver = [async { drop(driver.await) }].into_iter().collect();
        Ok(Connection {
            base_url,
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

/// Reads the probe URL over the connection. Any answer will do.
async fn warm(mut connection: Connection, plan: Plan) -> Result<Connection, TransportError> {
    within(plan.timeout, async {
        let base_url = &connection.base_url;
        let request = request_head(base_url, "GET", &plan.probe_url_at(base_url))
            .body(Full::default())
            .map_err(|error| TransportError::on_connection(&error))?;
        send(&mut connection.sender, request).await?;
        // A server that closes the connection after each answer cannot be warmed.
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

/// Sends one request into the connection's gate and waits for the answer. The timeout starts here,
/// a few milliseconds before the release. If the request is sent again, the burst is long over, so
/// it goes over an ordinary connection.
async fn post(mut connection: Connection, poster: Poster, request: u32) -> FinalOutcome {
    let plan = &poster.plan;
    let answer = within(plan.timeout, async {
        let body = poster.body(request);
        let base_url = &connection.base_url;
        let mut post = request_head(base_url, "POST", &plan.post_url_at(base_url));
        if let Some(key) = poster.key(request) {
            post = post.header(IDEMPOTENCY_KEY, key);
        }
        let post = post
            .header(CONTENT_TYPE, body.content_type)
            .body(Full::from(body.text))
            .map_err(|error| TransportError::on_connection(&error))?;
        send(&mut connection.sender, post).await
    })
    .await;
    let first = poster.outcome(answer);
    poster.settle(request, first).await
}

fn request_head(base_url: &BaseUrl, method: &str, url: &Url) -> hyper::http::request::Builder {
    let query = url.query().map(|query| format!("?{query}"));
    Request::builder()
        .method(method)
        .uri(format!("{}{}", url.path(), query.unwrap_or_default()))
        .header(HOST, base_url.authority())
        .header(header::USER_AGENT, USER_AGENT)
        .header(ACCEPT, JSON)
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<RawAnswer, TransportError> {
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| TransportError::on_connection(&error))?;
    receive(response).await
}

/// Waits until the gate holds its request, or until the connection ended before that. In the second
/// case the request's own task reports the error.
async fn wait_until_held(request: oneshot::Receiver<()>) {
    drop(request.await);
}

/// Writes every held request, and notes the time before the first and after each.
///
/// The loop does nothing else: each microsecond in it puts the first request further ahead of the
/// last. The connection writes later what its socket did not take at once.
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
