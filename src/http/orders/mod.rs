//! `/orders`: a strategy writes an order, the consumer ships what waits, and a book is audited.

mod body;

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, Request, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use body::{OrderBody, book, parse};

use crate::exhibits::orders::audit::Audit;
use crate::exhibits::orders::consumer::{self, Shipment};
use crate::exhibits::orders::{
    Failure, OrderId, PAIRS, Receipt, Refusal, STRATEGIES, Strategy, books,
};
use crate::http::app::App;
use crate::http::exchange::{Count, Exchange, strategy_in_path};
use crate::http::fields::Fields;
use crate::http::part::Part;
use crate::http::problem::Problem;
use crate::http::problem::declared::{AlwaysPossible, EngineRefused, UnknownBodyType, problems};
use crate::http::problem::strategy::Product;
use crate::observe::metrics::AnswerKind;
use crate::observe::timeline::{Arrival, QueuedTime, TimelineStep};
use crate::verdict::Outcome;

/// The orders.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: Some(ORDER.shown_by),
};

const ORDER: Product = Product {
    name: "order",
    shown_by: "the book's audit",
};

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/orders/{strategy}", post(write))
        .route("/orders/{strategy}/", post(write))
        .route("/orders/process", post(process))
        .route("/orders/audit", get(audit))
}

#[derive(OpenApi)]
#[openapi(paths(write, process, audit))]
struct Paths;

/// The answer to an order that was written.
#[derive(Debug, Serialize, ToSchema)]
struct OrderWritten {
    /// The strategy that wrote it.
    strategy: &'static str,
    /// The book that numbers it.
    book: i64,
    /// Its number, or its UUID; null if the strategy cannot know it.
    order: Option<OrderId>,
    /// The customer's number.
    customer_no: i64,
    /// Always `applied`.
    outcome: Outcome,
    /// The number of attempts, the last one included.
    attempts: u32,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    arrived_at_us: u64,
    /// What the request waited for: a worker, and connections to the database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queued: Vec<QueuedTime>,
    /// Every step, with its time since the request arrived.
    timeline: Vec<TimelineStep>,
}

problems! {
    /// Of an order.
    OrderProblems {
        400 => "A field is missing or wrong; the answer names it, and nothing was written",
        404 => "There is no such strategy",
        409 => "The engine refused, or the strategy gave up after several attempts",
        415 => "The body is not JSON",
    }

    /// Of the consumer.
    ConsumerProblems {
        400 => "The book's number is not valid",
        409 => "The engine refused; what was shipped before is on record",
    }

    /// Of an audit.
    AuditProblems {
        400 => "The book's number is not valid",
    }
}

/// Write an order
///
/// Writes the order's head and its lines, in the strategy's way. With some strategies, two orders
/// get the same number when requests meet, or the consumer ships half an order.
#[utoipa::path(
    post,
    path = "/orders/{strategy}/",
    tag = "orders",
    params(("strategy" = String, Path, description = "A strategy's name, as GET /strategies lists \
        those of the orders", example = "max_id_head_first")),
    request_body = OrderBody,
    responses(
        (status = 200, description = "The order was written", body = OrderWritten),
        OrderProblems,
        AlwaysPossible,
    )
)]
async fn write(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Result<Json<OrderWritten>, Problem> {
    let known = STRATEGIES.each_ref().map(|strategy| strategy.name);
    let strategy = strategy_in_path(name, Strategy::named, &known)?;
    let order = app.count_if_invalid(strategy.full_name, parse(request).await)?;
    books::open(&app.database, order.book).await?;

    let exchange = Exchange::begin(&app, arrival);
    let pauses = app.retry.pauses();
    let performed = strategy.perform(&app.database, &order, pauses, exchange.observer());
    let result = performed.await;
    let count = Count {
        strategy: strategy.full_name,
        kind: answer_kind(&result),
        in_a_batch: false,
    };
    let result = result.map_err(Problem::of_order);
    app.learn_about_room(result.as_ref().err());
    let answer = exchange.end(count, result)?;

    Ok(Json(OrderWritten {
        strategy: strategy.name,
        book: order.book,
        order: answer.receipt.order,
        customer_no: order.customer_no,
        outcome: Outcome::Applied,
        attempts: answer.receipt.attempts,
        arrived_at_us: answer.arrived_at_us,
        queued: answer.queued,
        timeline: answer.timeline,
    }))
}

fn answer_kind(result: &Result<Receipt, Failure>) -> AnswerKind {
    let (outcome, attempts) = match result {
        Ok(receipt) => (Outcome::Applied, receipt.attempts),
        Err(Failure { refusal, outcome }) => match refusal {
            Refusal::GaveUp { attempts } => (*outcome, *attempts),
            Refusal::Engine(_) => (*outcome, 1),
        },
    };
    AnswerKind::Write { outcome, attempts }
}

impl Problem {
    /// An order that was not acknowledged.
    fn of_order(failure: Failure) -> Self {
        let problem = match failure.refusal {
            Refusal::GaveUp { attempts } => Self::gave_up(attempts),
            Refusal::Engine(fault) => Self::from(fault),
        };
        problem.with_outcome(failure.outcome, ORDER)
    }
}

/// The book that the consumer works on.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body to OpenAPI")]
struct BookBody {
    /// The book's number; 1 unless given.
    #[schema(example = 1, minimum = 1)]
    book: Option<i64>,
}

/// What the consumer has shipped.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Processed)]
struct ShipmentReport {
    /// The book's number.
    book: i64,
    /// The orders that had waited in the book.
    shipped: Vec<Shipment>,
    /// Every step, with its time since the request arrived.
    timeline: Vec<TimelineStep>,
}

/// Let the consumer ship what waits
///
/// Runs the consumer once, as `racy orders process` does. It reads the heads that are not
/// processed. For each it reads the lines, marks the head, and records what it has shipped.
#[utoipa::path(
    post,
    path = "/orders/process",
    tag = "orders",
    request_body(content(
        (BookBody = "application/json"),
        (BookBody = "application/x-www-form-urlencoded"),
        (BookBody = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "What was shipped", body = ShipmentReport),
        ConsumerProblems,
        UnknownBodyType,
        AlwaysPossible,
    )
)]
async fn process(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Result<Json<ShipmentReport>, Problem> {
    let book = book(Fields::read(request, &["book"]).await?.take("book"))?;
    let exchange = Exchange::begin(&app, arrival);
    let shipped = consumer::perform(&app.database, book, exchange.observer()).await;
    let answer = exchange.end_uncounted(shipped.map_err(Problem::from))?;
    Ok(Json(ShipmentReport {
        book,
        shipped: answer.receipt,
        timeline: answer.timeline,
    }))
}

/// The book to audit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct BookQuery {
    /// The book's number; 1 unless given.
    #[param(value_type = Option<i64>, minimum = 1)]
    book: Option<String>,
}

/// Audit a book
///
/// Counts the book's orders and lines, and what is wrong with them: each anomaly has a name, a
/// count and one example, and every name is listed. `never_shipped` and `gap` are no anomalies by
/// themselves. Ask when no client writes: an order that is half written looks like one that lacks
/// lines.
#[utoipa::path(
    get,
    path = "/orders/audit",
    tag = "orders",
    params(BookQuery),
    responses(
        (status = 200, description = "The audit", body = Audit),
        AuditProblems,
        EngineRefused,
        AlwaysPossible,
    )
)]
async fn audit(
    State(app): State<Arc<App>>,
    query: Result<Query<BookQuery>, QueryRejection>,
) -> Result<Json<Audit>, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let book = book(query.book)?;
    Ok(Json(Audit::of(&app.database, book, &PAIRS).await?))
}
