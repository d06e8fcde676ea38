//! `POST /demo/{strategy}/`: one deposit, made by that strategy.

use std::error::Error;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, FromRequest, Multipart, Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::{Form, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::App;
use super::input::integer;
use super::problem::{AlwaysPossible, Problem};
use crate::deposits::{Deposit, Outcome, Receipt, STRATEGIES, Strategy};
use crate::observe::timeline::{Arrival, Recorder, TimelineStep};

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
/// Adds the amount to the account's balance, in the way of the strategy. With most of them, money
/// gets lost when several requests meet.
#[utoipa::path(
    post,
    path = "/demo/{strategy}/",
    tag = "deposits",
    params(("strategy" = String, Path, description = "A strategy's name, as GET /strategies lists them", example = "atomic_long_delay")),
    request_body(content(
        (DepositBody = "application/x-www-form-urlencoded"),
        (DepositBody = "multipart/form-data"),
        (DepositBody = "application/json"),
    )),
    responses(
        (status = 200, description = "The deposit was made", body = DepositMade),
        (status = 400, description = "A field is missing, no integer, negative or out of range", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account or strategy", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The engine refused, or the strategy gave up after so many attempts", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither a form nor JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The balance would overflow", body = Problem, content_type = "application/problem+json"),
        AlwaysPossible,
    )
)]
pub(super) async fn make(
    State(app): State<Arc<App>>,
    strategy: Result<Path<String>, PathRejection>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Result<Json<DepositMade>, Problem> {
    let Path(name) = strategy.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let strategy = Strategy::named(&name).ok_or_else(|| {
        Problem::unknown_strategy(&name, &STRATEGIES.each_ref().map(|known| known.name))
    })?;
    let deposit = parse(request).await?;
    app.warn_if_the_pool_hides_the_race();

    let recorder = Recorder::before(app.observer.clone());
    let think = strategy.think(&app.long_delay);
    let result = strategy
        .perform(&app.database, &deposit, &app.memory, think, &recorder)
        .await;

    let arrived_at_us = arrival.epoch_us();
    let timeline = recorder.timeline(&arrival);
    match result {
        Ok(receipt) => Ok(Json(DepositMade {
            strategy: strategy.name,
            account: deposit.account,
            amount: deposit.amount,
            receipt,
            outcome: Outcome::Applied,
            arrived_at_us,
            timeline,
        })),
        Err(failure) => Err(
            Problem::of_deposit(deposit.account, deposit.amount, failure)
                .with_timeline(arrived_at_us, timeline),
        ),
    }
}

/// The fields as they come, before anything is known about them.
#[derive(Debug, Default, Deserialize)]
struct Fields {
    account: Option<String>,
    amount: Option<String>,
}

/// The same in JSON. The raw text, so that a number out of range can be named as it was sent.
#[derive(Debug, Deserialize)]
struct JsonFields<'b> {
    #[serde(borrow)]
    account: Option<&'b RawValue>,
    #[serde(borrow)]
    amount: Option<&'b RawValue>,
}

/// Reads the body: a form as racy-django's clients send it, of either kind, or a JSON object.
async fn parse(request: Request) -> Result<Deposit, Problem> {
    let fields = match content_type(&request)?.as_deref() {
        Some("application/x-www-form-urlencoded") => of_form(request).await?,
        Some("multipart/form-data") => of_multipart(request).await?,
        Some("application/json") => of_json(&body(request).await?)?,
        Some(other) => return Err(Problem::unsupported_type(other)),
        // A request without a body has no type either. What it lacks is its fields.
        None if body(request).await?.is_empty() => Fields::default(),
        None => return Err(Problem::unsupported_type("missing")),
    };
    Ok(Deposit {
        account: integer("account", fields.account)?,
        amount: integer("amount", fields.amount)?,
    })
}

/// The media type in lower case and without its parameters.
fn content_type(request: &Request) -> Result<Option<String>, Problem> {
    let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
    let Some(first) = types.next() else {
        return Ok(None);
    };
    if types.next().is_some() {
        return Err(Problem::unsupported_type("given twice"));
    }
    let text = first
        .to_str()
        .map_err(|_| Problem::unsupported_type("not text"))?;
    let essence = text.split(';').next().unwrap_or_default();
    Ok(Some(essence.trim().to_ascii_lowercase()))
}

async fn body(request: Request) -> Result<Bytes, Problem> {
    Bytes::from_request(request, &())
        .await
        .map_err(|rejection| Problem::invalid(rejection.body_text()))
}

async fn of_form(mut request: Request) -> Result<Fields, Problem> {
    // The type is known by now; axum would compare its spelling once more, and more strictly.
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, form);
    match Form::from_request(request, &()).await {
        Ok(Form(fields)) => Ok(fields),
        Err(rejection) => Err(Problem::invalid(format!(
            "The form cannot be read: {}.",
            innermost(&rejection)
        ))),
    }
}

async fn of_multipart(request: Request) -> Result<Fields, Problem> {
    let unreadable =
        |reason: String| Problem::invalid(format!("The multipart form cannot be read: {reason}."));
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|rejection| unreadable(rejection.body_text()))?;
    let mut fields = Fields::default();
    while let Some(part) = form
        .next_field()
        .await
        .map_err(|error| unreadable(error.body_text()))?
    {
        let (field, name) = match part.name() {
            Some("account") => (&mut fields.account, "account"),
            Some("amount") => (&mut fields.amount, "amount"),
            _ => continue,
        };
        let text = part
            .text()
            .await
            .map_err(|error| unreadable(error.body_text()))?;
        if field.replace(text).is_some() {
            return Err(unreadable(format!("duplicate field `{name}`")));
        }
    }
    Ok(fields)
}

fn of_json(body: &[u8]) -> Result<Fields, Problem> {
    // serde would read an array as well, its items in the order of the fields.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::invalid(
            "The JSON body is an array; send an object with \"account\" and \"amount\".",
        ));
    }
    let fields: JsonFields<'_> = serde_json::from_slice(body)
        .map_err(|error| Problem::invalid(format!("The JSON object cannot be read: {error}.")))?;
    let text = |field: Option<&RawValue>| field.map(|value| value.get().to_owned());
    Ok(Fields {
        account: text(fields.account),
        amount: text(fields.amount),
    })
}

/// The cause at the bottom of an error: what those above say is about Rust and not about the request.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
