//! Runs: `POST /runs` starts one, `/runs/{id}.json` is its record, `/runs/{id}/stop` stops it.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use utoipa::{OpenApi, ToSchema};

use super::download::{self, Form};
use super::problems::may_be_a_page;
use super::{again, run_pages};
use crate::accounts;
use crate::console::pages::form::Texts;
use crate::console::record::{RunPlan, RunRecord};
use crate::console::runs::form::{self, BadField};
use crate::console::runs::{Kind, RecordId, Stored, script};
use crate::console::trace;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::fields::Fields;
use crate::http::problem::Problem;
use crate::http::problem::declared::{AlwaysPossible, UnknownBodyType, problems};
use crate::http::signed_in_user::Visitor;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/runs", post(start))
        .route("/runs/{id}", get(show))
        .route("/runs/{id}/stop", post(stop))
        .route("/runs/{id}/trace.json", get(trace))
}

/// What programs may ask of runs.
#[derive(OpenApi)]
#[openapi(paths(start, show, stop, trace))]
pub(super) struct Paths;

problems! {
    /// Of the start of a run.
    StartProblems {
        400 => "A field is missing or not valid; the detail names it, its value and what would be \
            right",
        403 => "The request comes from a page of another site",
        409 => "The engine refused",
        429 => "As many runs are under way as may be; Retry-After tells when to ask again",
    }

    /// Of a run that is named.
    RunProblems {
        404 => "There is no such run; the newest 500 are kept",
        409 => "The engine refused",
    }

    /// Of a stop.
    StopProblems {
        403 => "The request comes from a page of another site",
        404 => "There is no such run; the newest 500 are kept",
        409 => "The engine refused",
    }
}

/// Start a run
///
/// The service fires the requests at instances of its own, over real HTTP, and keeps a record. A
/// form that is sent twice, with the same id, starts one run.
#[utoipa::path(
    post,
    path = "/runs",
    tag = "console",
    request_body(content(
        (RunForm = "application/x-www-form-urlencoded"),
        (RunForm = "multipart/form-data"),
        (RunForm = "application/json"),
    )),
    responses(
        (status = 303, description = "The run is under way: the Location header names its page"),
        StartProblems,
        UnknownBodyType,
        AlwaysPossible,
    )
)]
async fn start(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    visitor: Visitor,
    request: Request,
) -> Result<Response, Problem> {
    let is_for_a_page = may_be_a_page(request.headers());
    let mut fields = Fields::read(request, form::FIELDS).await?;
    let texts = again::texts(&mut fields, form::FIELDS);
    match begin(&app, &texts, &caller).await {
        Ok(id) => Ok(Redirect::to(&format!("/runs/{id}")).into_response()),
        Err(problem) if is_for_a_page && again::is_about_the_form(&problem) => {
            let filled = again::refused(texts, &problem);
            let page = run_pages::form(&app, &visitor, filled).await?;
            Ok(again::page(problem, page))
        }
        Err(problem) => Err(problem),
    }
}

async fn begin(app: &App, texts: &Texts, caller: &Caller) -> Result<RecordId, Problem> {
    let id = record_id(texts)?;
    let flavour = app.database.engine().flavour;
    let take = |name: &'static str| texts.get(name).cloned();
    let plan = form::parse(take, app.runs.limits(), flavour)?;
    must_have_the_account(app, &plan).await?;
    app.runs.start(&id, plan, caller.address).await?;
    Ok(id)
}

/// The record that a form names: a program by an id, and a page by a token and all that was typed.
/// A program that sends neither gets a new record.
pub(super) fn record_id(texts: &Texts) -> Result<RecordId, Problem> {
    let named = |text: &String| {
        text.parse().map_err(|right: &str| {
            Problem::from(BadField {
                name: "id",
                right: right.to_owned(),
                value: Some(text.clone()),
            })
        })
    };
    match (texts.get("id"), texts.get("token")) {
        (Some(id), _) => named(id),
        (None, Some(token)) => {
            let token: RecordId = named(token)?;
            Ok(token.with(texts.iter().map(|(name, text)| (*name, text.as_str()))))
        }
        (None, None) => Ok(RecordId::draw()?),
    }
}

pub(super) async fn must_have_the_account(app: &App, plan: &RunPlan) -> Result<(), Problem> {
    if plan.exhibit == "orders" || accounts::find(&app.kept, plan.account).await?.is_some() {
        return Ok(());
    }
    Err(BadField {
        name: "account",
        value: Some(plan.account.to_string()),
        right: "an account that exists; GET /accounts lists them".to_owned(),
    }
    .into())
}

/// Show a run's record
///
/// What became of each request, step by step, what was lost, and by which two requests. A run that
/// is under way has no lanes yet.
#[utoipa::path(
    get,
    path = "/runs/{id}.json",
    tag = "console",
    params(("id" = String, Path, description = "The run's name")),
    responses(
        (status = 200, description = "The record", body = RunRecord),
        RunProblems,
        AlwaysPossible,
    )
)]
async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let name = name_in_path(name)?;
    match Form::of(&name) {
        (id, Form::Page) => run_pages::page(&stored(&app, id).await?, &visitor),
        (id, Form::Html) => Ok(run_pages::file(&find(&app, id).await?)),
        (id, Form::Json) => Ok(Json(find(&app, id).await?).into_response()),
        (id, Form::Sql) => Ok(download::sql(id, script(&find(&app, id).await?))),
        (id, Form::Trace) => download::trace(&trace::of_run(&find(&app, id).await?)),
    }
}

/// Show a run as a trace
///
/// In Chrome's format, which ui.perfetto.dev and chrome://tracing open. An instance of the service
/// is a process, and a request is a thread in it.
#[utoipa::path(
    get,
    path = "/runs/{id}/trace.json",
    tag = "console",
    params(("id" = String, Path, description = "The run's name")),
    responses(
        (status = 200, description = "The trace", body = serde_json::Value),
        RunProblems,
        AlwaysPossible,
    )
)]
async fn trace(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let record = find(&app, &name_in_path(name)?).await?;
    download::trace(&trace::of_run(&record))
}

/// Stop a run
///
/// No further request is released. What was answered is kept, and the record says that the run was
/// stopped. Any instance of the service may be asked.
#[utoipa::path(
    post,
    path = "/runs/{id}/stop",
    tag = "console",
    params(("id" = String, Path, description = "The run's name")),
    responses(
        (status = 303, description = "It is asked to stop: the Location header names its page"),
        StopProblems,
        AlwaysPossible,
    )
)]
async fn stop(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Redirect, Problem> {
    let name = name_in_path(name)?;
    let stored = stored(&app, &name).await?;
    app.runs.stop(&stored.id).await?;
    Ok(Redirect::to(&format!("/runs/{}", stored.id)))
}

/// What a path names. A path that cannot be read is a problem like any other.
pub(super) fn name_in_path<T>(name: Result<Path<T>, PathRejection>) -> Result<T, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    Ok(name)
}

/// The record of a run.
pub(super) async fn find(app: &App, id: &str) -> Result<RunRecord, Problem> {
    stored(app, id)
        .await?
        .run()
        .ok_or_else(|| Problem::unknown_run(id))
}

/// A run as it is stored.
pub(super) async fn stored(app: &App, id: &str) -> Result<Stored, Problem> {
    let unknown = || Problem::unknown_run(id);
    let name: RecordId = id.parse().map_err(|_| unknown())?;
    let stored = app.runs.store().find(&name).await?;
    stored.filter(|it| it.kind == Kind::Run).ok_or_else(unknown)
}

/// What a run is to be. Only the strategy has no default.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `form::parse` reads it field by field"
)]
struct RunForm {
    /// The record's name, as the page with the form has drawn it. A new one unless given.
    id: Option<String>,
    /// `deposits`, `orders` or `exports`. Not needed with a strategy's full name.
    exhibit: Option<String>,
    /// The strategy.
    #[schema(example = "atomic_long_delay")]
    strategy: String,
    /// The number of requests; 10 unless given.
    #[schema(minimum = 1, maximum = 500)]
    requests: Option<u32>,
    /// `together`, or `wait` for a pause between two requests.
    pace: Option<String>,
    /// The pause, in milliseconds.
    wait_ms: Option<u64>,
    /// How long the strategy thinks, in milliseconds; 150 unless given.
    #[schema(maximum = 10000)]
    delay_ms: Option<u64>,
    /// The account; 1 unless given. A run of orders has a book of its own.
    account: Option<i64>,
    /// The amount of each deposit; 100 unless given.
    #[schema(minimum = 1)]
    amount: Option<i64>,
    /// The number of instances of the service; 1 unless given.
    #[schema(minimum = 1, maximum = 2)]
    instances: Option<u32>,
    /// The isolation level; the lab's own unless given.
    #[schema(example = "READ COMMITTED")]
    isolation: Option<String>,
    /// What the visitor predicts.
    predicted: Option<i64>,
}
