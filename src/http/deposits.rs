//! `POST /demo/{strategy}/`: one deposit, made by that strategy.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::app::App;
use super::exchange::{Count, Exchange, strategy_in_path};
use super::fields::Fields;
use super::input::integer;
use super::part::Part;
use super::problem::Problem;
use super::problem::declared::{AlwaysPossible, UnknownBodyType, problems};
use super::problem::strategy::Product;
use crate::exhibits::deposits::key::{InvalidKey, Key};
use crate::exhibits::deposits::keys::Conflict;
use crate::exhibits::deposits::{
    Commits, Deposit, DepositAnswer, Failure, OnceKey, Place, Receipt, Refusal, STRATEGIES,
    Strategy,
};
use crate::observe::metrics::AnswerKind;
use crate::observe::timeline::{Arrival, QueuedTime, TimelineStep};
use crate::step::Observer;
use crate::verdict::Outcome;

/// The deposits.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: Some(DEPOSIT.shown_by),
};

const DEPOSIT: Product = Product {
    name: "deposit",
    shown_by: "the account",
};

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/demo/{strategy}", post(make))
        .route("/demo/{strategy}/", post(make))
}

#[derive(OpenApi)]
#[openapi(paths(make))]
struct Paths;

/// The answer to a deposit that was made.
#[derive(Debug, Serialize, ToSchema)]
struct DepositMade {
    /// The strategy that made it.
    strategy: &'static str,
    /// The account's number.
    account: i64,
    /// What was deposited.
    amount: i64,
    #[serde(flatten)]
    receipt: Receipt,
    /// Always `applied`.
    outcome: Outcome,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    arrived_at_us: u64,
    /// What the request waited for: a worker, and connections to the database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queued: Vec<QueuedTime>,
    /// Every step, with its time since the request arrived.
    timeline: Vec<TimelineStep>,
}

/// What to deposit, and where.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `parse` reads it field by field"
)]
struct DepositBody {
    /// The account's number.
    #[schema(example = 1, minimum = 0)]
    account: i64,
    /// What to add to its balance.
    #[schema(example = 100, minimum = 0)]
    amount: i64,
}

problems! {
    /// Of a deposit.
    DepositProblems {
        400 => "A field is missing, no integer, negative or out of range; or the key is not valid",
        404 => "There is no such account or strategy",
        409 => "The engine refused, or the strategy gave up after several attempts; or the deposit \
            with this key is in flight: Retry-After tells when to ask again",
        422 => "The balance would overflow; or the key is that of another deposit",
    }
}

/// Make a deposit
///
/// Adds the amount to the account's balance, in the strategy's way. With some strategies, money
/// gets lost when requests meet.
///
/// With an `Idempotency-Key` a deposit that is sent again is not made again. The answer is then the
/// receipt of the first one, with the header `Idempotency-Replayed: true` and the time and timeline
/// of this request. Strategies in autocommit keep this promise at most once; their explanation says
/// why.
#[utoipa::path(
    post,
    path = "/demo/{strategy}/",
    tag = "deposits",
    params(
        ("strategy" = String, Path, description = "A strategy's name, as GET /strategies lists \
            them", example = "atomic_long_delay"),
        ("Idempotency-Key" = Option<String>, Header, description = "The client's own name for this \
            deposit: 1 to 255 visible ASCII characters, in double quotes or without them",
            example = "8e03978e-40d5-43dd-bc93-6894a57f9324"),
    ),
    request_body(content(
        (DepositBody = "application/x-www-form-urlencoded"),
        (DepositBody = "multipart/form-data"),
        (DepositBody = "application/json"),
    )),
    responses(
        (status = 200, description = "The deposit was made", body = DepositMade, headers(
            ("Idempotency-Replayed" = Option<String>, description = "`true` if it was made \
                before, under the same key")
        )),
        DepositProblems,
        UnknownBodyType,
        AlwaysPossible,
    )
)]
async fn make(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Result<(HeaderMap, Json<DepositMade>), Problem> {
    let known = STRATEGIES.each_ref().map(|strategy| strategy.name);
    let strategy = strategy_in_path(name, Strategy::named, &known)?;
    let request = DepositRequest::read(request, &app).await;
    let request = app.count_if_invalid(strategy.name, request)?;
    let Deposit {
        account, amount, ..
    } = request.deposit;

    let exchange = Exchange::begin(&app, arrival);
    let result = perform(&app, strategy, &request, exchange.observer()).await;
    count_batch(&app, strategy, &result);
    let count = Count {
        strategy: strategy.name,
        kind: answer_kind(&result),
        in_a_batch: strategy.commits == Commits::Together,
    };
    let result = result.map_err(|failure| Problem::of_deposit(account, amount, failure));
    app.learn_about_room(result.as_ref().err());
    let answer = exchange.end(count, result)?;

    Ok((
        replay_header(answer.receipt.replayed),
        Json(DepositMade {
            strategy: strategy.name,
            account,
            amount,
            receipt: answer.receipt.receipt,
            outcome: Outcome::Applied,
            arrived_at_us: answer.arrived_at_us,
            queued: answer.queued,
            timeline: answer.timeline,
        }),
    ))
}

async fn perform(
    app: &App,
    strategy: &Strategy,
    request: &DepositRequest,
    observer: &dyn Observer,
) -> Result<DepositAnswer, Failure> {
    let DepositRequest { deposit, once } = request;
    let pace = strategy.pace(&app.long_delay, app.retry);
    match once {
        None => strategy
            .perform(&app.database, deposit, &app.memory, pace, observer)
            .await
            .map(DepositAnswer::now),
        Some(once) => {
            strategy
                .perform_once(&app.database, deposit, once, &app.memory, pace, observer)
                .await
        }
    }
}

/// Counts a batch once, with its first deposit.
fn count_batch(app: &App, strategy: &Strategy, result: &Result<DepositAnswer, Failure>) {
    let place = result.as_ref().ok().and_then(|made| made.receipt.batch);
    if let Some(Place { number: 1, of }) = place {
        app.metrics.count_batch(strategy.name, of);
    }
}

fn answer_kind(result: &Result<DepositAnswer, Failure>) -> AnswerKind {
    match result {
        Ok(made) if made.replayed => AnswerKind::Replay,
        Ok(made) => AnswerKind::Write {
            outcome: Outcome::Applied,
            attempts: made.receipt.attempts,
        },
        Err(Failure { refusal, outcome }) => AnswerKind::Write {
            outcome: *outcome,
            attempts: match refusal {
                Refusal::GaveUp { attempts } => *attempts,
                Refusal::UnknownAccount
                | Refusal::Overflow { .. }
                | Refusal::Key(_)
                | Refusal::Engine(_) => 1,
            },
        },
    }
}

/// The header that says that a first answer is given again.
fn replay_header(replayed: bool) -> HeaderMap {
    let header = (
        HeaderName::from_static("idempotency-replayed"),
        HeaderValue::from_static("true"),
    );
    replayed.then_some(header).into_iter().collect()
}

/// What a request asks for.
struct DepositRequest {
    deposit: Deposit,
    /// The idempotency key, if the request has one.
    once: Option<OnceKey>,
}

impl DepositRequest {
    async fn read(request: Request, app: &App) -> Result<Self, Problem> {
        let key = key(request.headers())?;
        let terms = app.keys;
        Ok(Self {
            deposit: parse(request).await?,
            once: key.map(|key| OnceKey { key, terms }),
        })
    }
}

fn key(headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = given.next() else {
        return Ok(None);
    };
    let wrong = |what| Problem::invalid(format!("The header Idempotency-Key is wrong: {what}."));
    if given.next().is_some() {
        return Err(wrong("there are several of it".to_owned()));
    }
    // A value that is no text has characters that no key may have, and so has the empty one.
    let key = value.to_str().unwrap_or_default().trim().parse();
    key.map(Some)
        .map_err(|invalid: InvalidKey| wrong(invalid.to_string()))
}

const IDEMPOTENCY_KEY: &str = "idempotency-key";

async fn parse(request: Request) -> Result<Deposit, Problem> {
    let mut fields = Fields::read(request, &["account", "amount"]).await?;
    Ok(Deposit {
        account: integer("account", fields.take("account"))?,
        amount: integer("amount", fields.take("amount"))?,
        claim: None,
    })
}

impl Problem {
    /// A deposit that was not acknowledged.
    pub fn of_deposit(account: i64, amount: i64, failure: Failure) -> Self {
        let problem = match failure.refusal {
            Refusal::UnknownAccount => Self::unknown_account(account),
            Refusal::Overflow { balance } => Self::overflow(balance, amount),
            Refusal::GaveUp { attempts } => Self::gave_up(attempts),
            Refusal::Key(conflict) => Self::of_key(conflict),
            Refusal::Engine(fault) => Self::from(fault),
        };
        problem.with_outcome(failure.outcome, DEPOSIT)
    }

    /// 422: the balance plus the amount is more than a balance can hold.
    fn overflow(balance: i128, amount: i64) -> Self {
        Self {
            balance: Some(balance),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "overflow",
                "The balance would overflow",
                format!(
                    "The balance is {balance}; with {amount} more it would be over {}.",
                    i64::MAX
                ),
            )
        }
    }

    /// 409 or 422: the idempotency key does not allow the deposit.
    fn of_key(conflict: Conflict) -> Self {
        let conflicts = |name, title, detail| Self::new(StatusCode::CONFLICT, name, title, detail);
        match conflict {
            Conflict::InFlight { retry_after } => Self {
                retryable: true,
                retry_after: Some(retry_after),
                ..conflicts(
                    "key-in-flight",
                    "The deposit with this key is in flight",
                    "The first request with this Idempotency-Key is still being carried out. Send \
                     the same again after Retry-After seconds: it is made once.",
                )
            },
            Conflict::OtherDeposit => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-of-another-deposit",
                "The key is that of another deposit",
                "This Idempotency-Key was sent before with another strategy, account or amount. A \
                 new deposit needs a key of its own.",
            ),
            Conflict::ClaimLost => Self {
                retryable: true,
                ..conflicts(
                    "key-taken-over",
                    "Another request has taken the key over",
                    "This took longer than a request may last, and another request with the same \
                     Idempotency-Key has taken over. Nothing was kept of this one.",
                )
            },
            Conflict::KeptInPart => conflicts(
                "key-kept-in-part",
                "The deposit with this key was kept in part",
                "The first request with this Idempotency-Key failed half way.",
            ),
        }
    }
}
