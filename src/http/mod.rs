//! The HTTP service: one thin file per resource.
//!
//! A request flows one way: request → handler → strategy → session → step → engine → receipt →
//! response. `router` says what is where, [`serve`] runs it on a listener until it is told to
//! stop.
//!
//! What a client may take is in four files. `limits`: the numbers. `admission`: how many clients
//! may be connected. `connected`: what one connection is doing, and when it has to go. `socket`:
//! whether its client reads. `host` and `protection` are about headers.

mod accounts;
mod admin;
mod admission;
mod caller;
mod completion;
mod connected;
mod deposits;
mod exports;
mod fields;
mod front;
mod health;
mod host;
mod input;
mod instance;
mod limits;
mod metrics;
mod openapi;
mod orders;
mod paging;
mod probe;
mod problem;
mod protection;
mod room;
mod server;
mod socket;
mod statements;
mod strategies;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::ServiceBuilder;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::{Level, field};
use utoipa::OpenApi as _;
use utoipa_swagger_ui::SwaggerUi;

pub use admission::RESERVED_PLACES;
pub use instance::Instance;
pub use limits::Limits;
pub use probe::probe;
pub use problem::Problem;
pub use server::serve;

use crate::engine::{Database, PoolUse};
use crate::exhibits::deposits::keys::Terms;
use crate::exhibits::deposits::{LongDelay, Memory, Retry, STRATEGIES, batched};
use crate::exhibits::exports::Folder;
use crate::exhibits::statements::READERS;
use crate::observe::audit::Auditor;
use crate::observe::metrics::{BatchSteps, Metrics};
use crate::step::Observer;
use caller::Caller;
use completion::Completion;
use openapi::Description;
use room::Room;

/// How the service treats its clients.
#[derive(Debug, Clone)]
pub struct Settings {
    /// At most that many requests are carried out at a time, as by that many synchronous workers;
    /// as many as come where none is named.
    pub workers: Option<usize>,
    /// How long the `*_long_delay` strategies think.
    pub long_delay: LongDelay,
    /// How the strategies that try again pause between their attempts.
    pub retry: Retry,
    /// How long a client may take to send its request's headers, and again for its body.
    pub header_timeout: Duration,
    /// How long a client is kept waiting for an answer. The work goes on after that.
    pub request_timeout: Duration,
    /// How long an idempotency key is kept.
    pub idempotency_ttl: Duration,
    /// Whether a proxy stands between the clients and the service, so that its word is taken for who
    /// they are (`X-Forwarded-For`, `X-Forwarded-Proto`) and for a request's id (`X-Request-Id`).
    pub behind_proxy: bool,
    /// The name that tells this instance of the service from the others.
    pub instance: Instance,
    /// Where exports are written.
    pub exports: Folder,
    /// How much its clients may take together.
    pub limits: Limits,
}

/// What the handlers share.
#[derive(Debug)]
struct App {
    database: Database,
    /// The same, for the keeper, health and metrics.
    kept: Database,
    has_kept_connections: bool,
    long_delay: LongDelay,
    retry: Retry,
    keys: Terms,
    instance: Instance,
    /// This instance's, and no other's.
    memory: Memory,
    exports: Folder,
    /// As many permits as files may be audited at a time.
    audits: Arc<Semaphore>,
    /// Sees every step of every deposit.
    observer: Arc<dyn Observer>,
    metrics: Arc<Metrics>,
    auditor: Auditor,
    warned_of_the_pool: AtomicBool,
    room: Room,
}

impl App {
    /// What becomes of all connections to the database right now.
    fn pool_use(&self) -> PoolUse {
        match self.has_kept_connections {
            true => self.database.pool_use() + self.kept.pool_use(),
            false => self.database.pool_use(),
        }
    }

    /// Learns from how a deposit or an order ended whether the database has room.
    fn note_whether_there_is_room(&self, problem: Option<&Problem>) {
        self.room.learn(self.database.engine().flavour, problem);
    }

    /// Requests that queue for a connection do not race: says so, once.
    fn warn_if_the_pool_hides_the_race(&self) {
        if self.database.is_exhausted() && !self.warned_of_the_pool.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "all database connections are in use: further requests queue for one, and while \
                 they do, they do not race; --db-connections allows more"
            );
        }
    }
}

/// The description of the API, as `/openapi.json` serves it.
pub fn description() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// The service, ready to be served, and the requests it is carrying out.
#[derive(Debug)]
pub struct Service {
    router: Router,
    metrics: Arc<Metrics>,
    requests: TaskTracker,
    header_timeout: Duration,
    limits: Limits,
    behind_proxy: bool,
    /// Connections that are the service's own; None where it shares those of the database.
    kept: Option<Database>,
}

impl Service {
    /// Builds the service over a database. The observer sees every step of every deposit; the one
    /// to take outside tests is [`Unobserved`](crate::step::Unobserved).
    pub fn new(database: Database, settings: &Settings, observer: Arc<dyn Observer>) -> Self {
        let completion = Completion {
            tasks: TaskTracker::new(),
            workers: settings
                .workers
                .map(|workers| Arc::new(Semaphore::new(workers))),
            body_timeout: settings.header_timeout,
            request_timeout: settings.request_timeout,
        };
        let requests = completion.tasks.clone();
        let deposits = STRATEGIES.iter().map(|it| it.name);
        let orders = crate::exhibits::orders::STRATEGIES
            .iter()
            .map(|it| it.full_name);
        let of_exports = crate::exhibits::exports::STRATEGIES
            .iter()
            .map(|it| it.full_name);
        let metrics = Metrics::new(deposits.chain(orders).chain(of_exports))
            .with_readers(READERS.iter().map(|it| it.full_name));
        let metrics = Arc::new(metrics);
        let writers_observer = BatchSteps {
            strategy: batched::NAME,
            metrics: Arc::clone(&metrics),
            next: Arc::clone(&observer),
        };
        let kept = match settings.limits.kept_database_connections {
            0 => None,
            connections => Some(database.beside(connections)),
        };
        let app = App {
            has_kept_connections: kept.is_some(),
            kept: kept.clone().unwrap_or_else(|| database.clone()),
            database,
            long_delay: settings.long_delay.clone(),
            retry: settings.retry,
            keys: Terms {
                kept_for: settings.idempotency_ttl,
                // Whoever asks again only after that is told no more that the first one is in flight.
                claim_lasts: settings.request_timeout,
            },
            instance: settings.instance.clone(),
            exports: settings.exports.clone(),
            audits: Arc::new(Semaphore::new(exports::MOST_AUDITS)),
            memory: Memory::observed_by(Arc::new(writers_observer)),
            observer,
            metrics: Arc::clone(&metrics),
            auditor: Auditor::default(),
            warned_of_the_pool: AtomicBool::new(false),
            room: Room::default(),
        };
        Self {
            router: router(Arc::new(app), completion),
            metrics,
            requests,
            header_timeout: settings.header_timeout,
            limits: settings.limits,
            kept,
            behind_proxy: settings.behind_proxy,
        }
    }

    /// What it counts, for those who have something to add.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// The requests under way, also those whose clients have left.
    pub fn requests(&self) -> TaskTracker {
        self.requests.clone()
    }

    /// Closes the connections to the database that are its own.
    async fn close(&self) {
        if let Some(kept) = &self.kept {
            kept.close().await;
        }
    }

    /// Puts a layer around the whole service, e.g. one that watches its requests come and go.
    pub fn wrapped(mut self, wrap: impl FnOnce(Router) -> Router) -> Self {
        self.router = wrap(self.router);
        self
    }
}

fn router(app: Arc<App>, completion: Completion) -> Router {
    let without_workers = Completion {
        workers: None,
        ..completion.clone()
    };
    let to_the_end = middleware::from_fn_with_state(completion, completion::run_to_the_end);
    // If the keeper queued behind deposits, there would be no way in to put an end to them.
    let keepers_to_the_end =
        middleware::from_fn_with_state(without_workers, completion::run_to_the_end);
    let work = Router::new()
        .route("/demo/{strategy}", post(deposits::make))
        .route("/demo/{strategy}/", post(deposits::make))
        .route("/accounts", get(accounts::list))
        .route("/accounts/{id}", get(accounts::show))
        .route("/accounts/{id}/transactions", get(accounts::transactions))
        .route("/accounts/{id}/statement", get(statements::show))
        .route("/orders/{strategy}", post(orders::write))
        .route("/orders/{strategy}/", post(orders::write))
        .route("/orders/process", post(orders::process))
        .route("/orders/audit", get(orders::audit))
        // What is posted to is a strategy, what is got a file.
        .route(
            "/exports/{name}",
            post(exports::make).get(exports::download),
        )
        .route("/exports/{name}/", post(exports::make))
        .route("/exports/{name}/audit", get(exports::audit))
        .route("/strategies", get(strategies::list))
        .route_layer(to_the_end);
    let keeper = admin::api()
        .route_layer(keepers_to_the_end.clone())
        .route_layer(middleware::map_response(protection::keep_private));
    let pages = admin::pages()
        .route_layer(keepers_to_the_end)
        .route_layer(middleware::from_fn(admin::show_problems))
        .route_layer(middleware::map_response(protection::protect_page))
        .route_layer(middleware::map_response(protection::keep_private));
    // "none": the page is not to call a validator on the internet.
    let documentation = SwaggerUi::new("/docs")
        .url("/openapi.json", Description::openapi())
        .config(utoipa_swagger_ui::Config::from("/openapi.json").validator_url("none"));
    let documentation = Router::from(documentation)
        .layer(middleware::from_fn(front::show_nothing_as_a_problem))
        .layer(middleware::map_response(protection::protect_documentation));
    let front = Router::new()
        .route("/", get(front::page))
        .route("/racy.css", get(front::look))
        .layer(middleware::map_response(protection::protect_page));
    let logged = work
        .merge(keeper)
        .merge(pages)
        .with_state(Arc::clone(&app))
        .merge(front)
        .merge(documentation)
        .fallback(Problem::unknown_path)
        .method_not_allowed_fallback(Problem::wrong_method)
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(request_span)
                .on_request(())
                .on_failure(())
                .on_response(DefaultOnResponse::new().level(Level::INFO)),
        );
    let instance = app.instance.clone();
    logged.merge(health(app)).layer(
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(middleware::map_response_with_state(
                instance,
                instance::sign,
            ))
            .layer(middleware::from_fn(admission::admit))
            .layer(middleware::from_fn(host::only_one)),
    )
}

/// Answered at once, also when every worker is busy; and not logged, because some program asks every
/// few seconds.
fn health(app: Arc<App>) -> Router {
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::scrape))
        .method_not_allowed_fallback(Problem::wrong_method)
        .with_state(app)
}

fn request_span(request: &Request) -> tracing::Span {
    let id = request.headers().get("x-request-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let caller = request.extensions().get::<Caller>();
    tracing::info_span!(
        "request",
        id,
        client = caller.map(|caller| field::display(caller.address)),
        secure = caller.map(|caller| caller.secure),
        method = %request.method(),
        path = request.uri().path(),
    )
}
