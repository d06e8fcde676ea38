//! `POST /demo/{strategy}/`: one deposit, made by that strategy.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::fields::Fields;
use super::input::integer;
use super::problem::{AlwaysPossible, Problem};
use crate::exhibits::deposits::key::{InvalidKey, Key};
use crate::exhibits::deposits::{
    Commits, Deposit, DepositAnswer, Failure, OnceKey, Place, Receipt, Refusal, STRATEGIES,
    Strategy,
};
use crate::observe::metrics::{AnswerKind, AnsweredRequest};
use crate::observe::timeline::{Arrival, TimelineStep, timeline};
use crate::recorder::Recorder;
use crate::verdict::Outcome;

/// The answer to a deposit that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DepositMade {
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
    /// Every step, with its time since the request arrived.
    timeline: Vec<TimelineStep>,
}

/// What to deposit, and where.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `parse` reads it field by field"
)]
pub(super) struct DepositBody {
    /// The account's number.
    #[schema(example = 1, minimum = 0)]
    account: i64,
    /// What to add to its balance.
    #[schema(example = 100, minimum = 0)]
    amount: i64,
}

/// Make a deposit
///
/// Adds the amount to the account's balance, in the way of the strategy. With some of them, money
/// gets lost when several requests meet.
///
/// With an `Idempotency-Key` a deposit that is sent again is not made again: the receipt of the first
/// one is answered, with the header `Idempotency-Replayed: true`, the time and the timeline of this request.
/// Strategies in autocommit keep that promise at most once: their own explanation says why.
#[utoipa::path(
    post,
    path = "/demo/{strategy}/",
    tag = "deposits",
    params(
        ("strategy" = String, Path, description = "A strategy's name, as GET /strategies lists them", example = "atomic_long_delay"),
        ("Idempotency-Key" = Option<String>, Header, description = "The client's own name for this deposit: 1 to 255 visible ASCII characters, in double quotes or without them", example = "8e03978e-40d5-43dd-bc93-6894a57f9324"),
    ),
    request_body(content(
        (DepositBody = "application/x-www-form-urlencoded"),
        (DepositBody = "multipart/form-data"),
        (DepositBody = "application/json"),
    )),
    responses(
        (status = 200, description = "The deposit was made", body = DepositMade, headers(
            ("Idempotency-Replayed" = Option<String>, description = "`true` where it was made before, under the same key")
        )),
        (status = 400, description = "A field is missing, no integer, negative or out of range; or the key is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account or strategy", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The engine refused, or the strategy gave up after several attempts; or the deposit with this key is in flight: Retry-After tells when to ask again", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither a form nor JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The balance would overflow; or the key is that of another deposit", body = Problem, content_type = "application/problem+json"),
        AlwaysPossible,
    )
)]
pub(super) async fn make(
    State(app): State<Arc<App>>,
    strategy: Result<Path<String>, PathRejection>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Result<(HeaderMap, Json<DepositMade>), Problem> {
    let Path(name) = strategy.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let strategy = Strategy::named(&name).ok_or_else(|| {
        Problem::unknown_strategy(&name, &STRATEGIES.each_ref().map(|known| known.name))
    })?;
    let asked = Asked::read(request, &app).await.inspect_err(|problem| {
        app.metrics.count_invalid(strategy.name, problem.status);
    })?;
    let deposit = asked.deposit;
    app.warn_if_the_pool_hides_the_race();

    let recorder = Recorder::around(app.observer.clone());
    let pace = strategy.pace(&app.long_delay, app.retry);
    let result = match &asked.once {
        None => strategy
            .perform(&app.database, &deposit, &app.memory, pace, &recorder)
            .await
            .map(DepositAnswer::now),
        Some(once) => {
            strategy
                .perform_once(&app.database, &deposit, once, &app.memory, pace, &recorder)
                .await
        }
    };

    let records = recorder.into_records();
    count_batch(&app, strategy, &result);
    let (outcome, attempts) = ended(&result);
    let replayed = result.as_ref().is_ok_and(|made| made.replayed);
    let result =
        result.map_err(|failure| Problem::of_deposit(deposit.account, deposit.amount, failure));
    let problem = result.as_ref().err();
    app.note_whether_there_is_room(problem);
    let kind = if replayed {
        AnswerKind::Replay
    } else {
        AnswerKind::Write { outcome, attempts }
    };
    app.metrics.count(&AnsweredRequest {
        strategy: strategy.name,
        kind,
        status: problem.map_or(200, |problem| problem.status),
        took: arrival.instant.elapsed(),
        fault: problem.and_then(|problem| Some((problem.fault?, problem.code.as_deref()))),
        records: &records,
        in_a_batch: strategy.commits == Commits::Together,
    });

    let arrived_at_us = arrival.epoch_us();
    let timeline = timeline(records, &arrival);
    match result {
        Ok(made) => {
            let answer = DepositMade {
                strategy: strategy.name,
                account: deposit.account,
                amount: deposit.amount,
                receipt: made.receipt,
                outcome: Outcome::Applied,
                arrived_at_us,
                timeline,
            };
            Ok((headers(made), Json(answer)))
        }
        Err(problem) => Err(problem.with_timeline(arrived_at_us, timeline)),
    }
}

/// Each batch has one deposit that is its first.
fn count_batch(app: &App, strategy: &Strategy, result: &Result<DepositAnswer, Failure>) {
    let place = result.as_ref().ok().and_then(|made| made.receipt.batch);
    if let Some(Place { number: 1, of }) = place {
        app.metrics.count_batch(strategy.name, of);
    }
}

/// What became of a deposit, and how often it was tried.
fn ended(result: &Result<DepositAnswer, Failure>) -> (Outcome, u32) {
    match result {
        Ok(made) => (Outcome::Applied, made.receipt.attempts),
        Err(failure) => {
            let attempts = match failure.refusal {
                Refusal::GaveUp { attempts } => attempts,
                Refusal::UnknownAccount
                | Refusal::Overflow { .. }
                | Refusal::Key(_)
                | Refusal::Engine(_) => 1,
            };
            (failure.outcome, attempts)
        }
    }
}

/// What tells a first answer that is given again.
fn headers(made: DepositAnswer) -> HeaderMap {
    let name = HeaderName::from_static("idempotency-replayed");
    let told = made
        .replayed
        .then_some((name, HeaderValue::from_static("true")));
    told.into_iter().collect()
}

/// What a request asks for.
struct Asked {
    deposit: Deposit,
    /// Under which key, where it has one.
    once: Option<OnceKey>,
}

impl Asked {
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
    // What is no text is no visible ASCII either.
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
