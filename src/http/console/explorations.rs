//! Explorations: `POST /explore` starts one on the lab's engine, `/explorations/{id}.json` is its
//! report, `/explorations/{id}/stop` stops it. `POST /scenarios` explores what a user has brought.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use maud::Markup;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::download::{self, Form};
use super::problems::may_be_a_page;
use super::run_pages::{began, progress};
use super::runs::{name_in_path, record_id};
use super::{again, token};
use crate::console::explorations::{
    self, ExplorationPlan, FIELDS, MOST_CLIENTS, UnfitExploration, of_form, of_text,
};
use crate::console::pages::explore::{self, ExplorationPage, ExplorePage, RecentExploration};
use crate::console::pages::form::{Filled, Texts};
use crate::console::pages::{self, export, finding};
use crate::console::record::State as Stage;
use crate::console::runs::{Kind, RecordId, Stored};
use crate::explore::report::{FindingData, Report};
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::fields::Fields;
use crate::http::problem::Problem;
use crate::http::problem::declared::{AlwaysPossible, UnknownBodyType, problems};
use crate::http::signed_in_user::{SignedInUser, Visitor};

/// How many explorations are listed.
const RECENT: i64 = 20;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/explore", get(form).post(start))
        .route("/explorations/{id}", get(show))
        .route("/explorations/{id}/stop", post(stop))
        .route("/scenarios", post(bring))
}

/// What programs may ask of explorations.
#[derive(OpenApi)]
#[openapi(paths(start, show, stop, bring))]
pub(super) struct Paths;

problems! {
    /// Of the start of an exploration.
    StartProblems {
        400 => "A field is missing or not valid; the detail names it and what would be right",
        403 => "The request comes from a page of another site",
        409 => "The engine refused",
        429 => "An exploration is under way already; Retry-After tells when to ask again",
    }

    /// Of a scenario that a user brings.
    BringProblems {
        400 => "It is no scenario; the detail names the line and what would be right",
        401 => "Nobody is signed in: a scenario runs SQL",
        403 => "The request comes from a page of another site",
        409 => "The engine refused",
        429 => "An exploration is under way already; Retry-After tells when to ask again",
    }

    /// Of an exploration that is named.
    ExplorationProblems {
        404 => "There is no such exploration; the newest 500 are kept",
        409 => "The engine refused",
    }

    /// Of a stop.
    StopProblems {
        403 => "The request comes from a page of another site",
        404 => "There is no such exploration; the newest 500 are kept",
        409 => "The engine refused",
    }
}

/// What the form is to hold at first.
#[derive(Debug, Default, Deserialize)]
struct FormQuery {
    strategy: Option<String>,
}

async fn form(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    query: Result<Query<FormQuery>, QueryRejection>,
) -> Result<Markup, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let strategy = query.strategy.map(|it| ("strategy", it));
    let filled = Filled::new(strategy.into_iter().collect());
    form_page(&app, &visitor, filled).await
}

/// The form with the newest explorations.
async fn form_page(app: &App, visitor: &Visitor, filled: Filled) -> Result<Markup, Problem> {
    let recent = app.runs.store().recent(Kind::Exploration, RECENT).await?;
    let recent: Vec<_> = recent.iter().filter_map(recent_exploration).collect();
    let page = ExplorePage {
        filled,
        token: &token()?,
        most_clients: MOST_CLIENTS as i64,
        levels: app.database.engine().flavour.isolation_levels(),
        engine: &app.database.engine().to_string(),
        recent: &recent,
    };
    Ok(page.page(visitor.name()))
}

fn recent_exploration(stored: &Stored) -> Option<RecentExploration> {
    let text = match (stored.text(), stored.error()) {
        (_, Some(error)) => error,
        ("", None) => stored.state.name(),
        (text, None) => text,
    };
    Some(RecentExploration {
        id: stored.id.to_string(),
        began: began(stored),
        what: stored.exploration()?.in_words(),
        state: stored.state,
        text: text.to_owned(),
    })
}

/// Start an exploration
///
/// The schedules of a strategy, of all of an exhibit, of a scenario of the corpus, or the matrix of
/// the lab's own engine. They run in a database of the explorer's own beside the lab's. A form that
/// is sent twice, with the same id, starts one exploration.
#[utoipa::path(
    post,
    path = "/explore",
    tag = "console",
    request_body(content(
        (ExploreForm = "application/x-www-form-urlencoded"),
        (ExploreForm = "multipart/form-data"),
        (ExploreForm = "application/json"),
    )),
    responses(
        (status = 303, description = "It is under way: the Location header names its page"),
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
    let mut fields = Fields::read(request, FIELDS).await?;
    let texts = again::texts(&mut fields, FIELDS);
    match begin(&app, &texts, &caller).await {
        Ok(id) => Ok(Redirect::to(&format!("/explorations/{id}")).into_response()),
        Err(problem) if is_for_a_page && again::is_about_the_form(&problem) => {
            let page = form_page(&app, &visitor, again::refused(texts, &problem)).await?;
            Ok(again::page(problem, page))
        }
        Err(problem) => Err(problem),
    }
}

async fn begin(app: &App, texts: &Texts, caller: &Caller) -> Result<RecordId, Problem> {
    let id = record_id(texts)?;
    let take = |name: &'static str| texts.get(name).cloned();
    let request = of_form(take, app.database.engine().flavour)?;
    explorations::start(&app.runs, &id, request, caller.address).await?;
    Ok(id)
}

/// The fields of a scenario that a user brings.
const BRING_FIELDS: &[&str] = &["id", "token", "name", "file", "scenario"];

/// Explore a scenario of one's own
///
/// It runs the SQL of the file, so only a user who is signed in may bring one.
#[utoipa::path(
    post,
    path = "/scenarios",
    tag = "console",
    request_body(content(
        (BringForm = "multipart/form-data"),
        (BringForm = "application/x-www-form-urlencoded"),
        (BringForm = "application/json"),
    )),
    responses(
        (status = 303, description = "It is under way: the Location header names its page"),
        BringProblems,
        UnknownBodyType,
        AlwaysPossible,
    ),
    security(("token" = []), ("session" = []))
)]
async fn bring(
    State(app): State<Arc<App>>,
    SignedInUser(user): SignedInUser,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let is_for_a_page = may_be_a_page(request.headers());
    let mut fields = Fields::read(request, BRING_FIELDS).await?;
    let texts = again::texts(&mut fields, BRING_FIELDS);
    let brought = ["file", "scenario"].iter().filter_map(|it| texts.get(it));
    let text = brought.into_iter().find(|it| !it.trim().is_empty());
    let text = text.map_or("", String::as_str);
    match explore_text(&app, &texts, text, &caller).await {
        Ok(id) => Ok(Redirect::to(&format!("/explorations/{id}")).into_response()),
        Err(problem) if is_for_a_page && again::is_about_the_form(&problem) => {
            let complaint = Some((problem.title, problem.detail.as_str()));
            let page = pages::scenarios::list(&token()?, complaint, text, Some(&user.username));
            Ok(again::page(problem, page))
        }
        Err(problem) => Err(problem),
    }
}

async fn explore_text(
    app: &App,
    texts: &Texts,
    text: &str,
    caller: &Caller,
) -> Result<RecordId, Problem> {
    let id = record_id(texts)?;
    let name = texts.get("name").map_or("brought.toml", String::as_str);
    let request = of_text(name, text).map_err(|wrong| Problem {
        title: "This is no scenario that can be explored",
        ..wrong.into()
    })?;
    explorations::start(&app.runs, &id, request, caller.address).await?;
    Ok(id)
}

impl From<UnfitExploration> for Problem {
    fn from(unfit: UnfitExploration) -> Self {
        Self {
            field: unfit.field(),
            ..Self::invalid(unfit.to_string())
        }
    }
}

/// The finding that is shown.
#[derive(Debug, Deserialize)]
struct FindingQuery {
    finding: Option<usize>,
}

/// Show an exploration's report
///
/// The same as `racy explore --format json` prints. An exploration that is under way has no
/// findings yet.
#[utoipa::path(
    get,
    path = "/explorations/{id}.json",
    tag = "console",
    params(("id" = String, Path, description = "The exploration's name")),
    responses(
        (status = 200, description = "The report", body = Report),
        ExplorationProblems,
        AlwaysPossible,
    )
)]
async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<FindingQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let name = name_in_path(name)?;
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let number = query.finding.unwrap_or(1);
    let (id, form) = Form::of(&name);
    let (stored, plan) = find(&app, id).await?;
    // A large report takes a while to read, and other requests must not wait for it.
    let read = tokio::task::spawn_blocking(move || (stored.report(), stored)).await;
    let (report, stored) = read.map_err(|_| Problem::internal())?;
    let chosen = number.checked_sub(1).and_then(|at| report.findings.get(at));
    Ok(match form {
        Form::Page => page(&stored, &plan, &report, number, &visitor)?.into_response(),
        Form::Json => Json(report).into_response(),
        Form::Html => {
            let main = chosen.map(finding::whole).unwrap_or_default();
            let title = format!("Exploration of {}", plan.in_words());
            download::html(id, export::file(&title, &main))
        }
        Form::Sql => download::sql(id, sql_of(chosen)),
        Form::Trace => match chosen {
            Some(finding) => download::trace_of(finding)?,
            None => return Err(Problem::unknown_run(&name)),
        },
    })
}

fn page(
    stored: &Stored,
    plan: &ExplorationPlan,
    report: &Report,
    finding: usize,
    visitor: &Visitor,
) -> Result<Markup, Problem> {
    let what = plan.in_words();
    if stored.state == Stage::Running {
        let path = format!("/explorations/{}", stored.id);
        let progress = progress(stored, &path, "schedules", 0);
        return Ok(explore::under_way(
            &what,
            &progress,
            &token()?,
            visitor.name(),
        ));
    }
    let page = ExplorationPage {
        id: stored.id.as_str(),
        what: &what,
        state: stored.state,
        error: stored.error(),
        report: Some(report).filter(|it| stored.record.is_some() || !it.findings.is_empty()),
        finding,
    };
    Ok(page.page(visitor.name()))
}

fn sql_of(finding: Option<&FindingData>) -> String {
    let shown = finding.and_then(|it| Some((it, it.shown()?.1)));
    shown.map_or_else(
        || "-- There is no schedule to show.\n".to_owned(),
        |(finding, example)| download::script_of(finding, example),
    )
}

/// Stop an exploration
///
/// The schedules under way come to their end, and what was found is kept. Any instance of the
/// service may be asked.
#[utoipa::path(
    post,
    path = "/explorations/{id}/stop",
    tag = "console",
    params(("id" = String, Path, description = "The exploration's name")),
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
    let (stored, _) = find(&app, &name_in_path(name)?).await?;
    app.runs.stop(&stored.id).await?;
    Ok(Redirect::to(&format!("/explorations/{}", stored.id)))
}

/// An exploration as it is stored.
async fn find(app: &App, id: &str) -> Result<(Stored, ExplorationPlan), Problem> {
    let unknown = || Problem::unknown_run(id);
    let name: RecordId = id.parse().map_err(|_| unknown())?;
    let stored = app.runs.store().find(&name).await?.ok_or_else(unknown)?;
    let plan = stored.exploration().ok_or_else(unknown)?;
    Ok((stored, plan))
}

/// What is to be explored. Only the strategy has no default.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `of_form` reads it field by field"
)]
struct ExploreForm {
    /// The record's name, as the page with the form has drawn it. A new one unless given.
    id: Option<String>,
    /// `strategy`, `exhibit`, `scenario` or `matrix`; `strategy` unless given.
    what: Option<String>,
    /// The strategy's full name.
    #[schema(example = "atomic_no_delay")]
    strategy: Option<String>,
    /// The exhibit, whose strategies are all explored.
    exhibit: Option<String>,
    /// The path of a file of the corpus.
    #[schema(example = "patterns/counter-cache/lost.toml")]
    scenario: Option<String>,
    /// The number of clients; 2 unless given. A scenario has its own.
    #[schema(minimum = 1, maximum = 4)]
    clients: Option<u8>,
    /// The number of instances of the service; each that makes a difference unless given.
    instances: Option<u8>,
    /// The isolation level; the lab's own unless given.
    #[schema(example = "READ COMMITTED")]
    isolation: Option<String>,
    /// `exhaustive`, `random` or `replay`.
    policy: Option<String>,
    /// What the random policy draws from.
    seed: Option<u64>,
    /// How many schedules the random policy draws.
    runs: Option<u32>,
    /// The schedule to replay.
    #[schema(example = "A A B B B B B A A A")]
    schedule: Option<String>,
    /// The most schedules of each strategy.
    #[schema(minimum = 1, maximum = 20000)]
    limit: Option<u64>,
    /// The most preemptions of a schedule. In a preemption a client has to stop although it could
    /// go on.
    #[schema(minimum = 0, maximum = 100)]
    preemptions: Option<u8>,
    /// `on` to run one of the schedules that must end alike, `off` to run all of them. `on` for
    /// three clients or more unless given.
    reduction: Option<String>,
}

/// A scenario that a user brings.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `bring` reads it field by field"
)]
struct BringForm {
    /// The record's name, as the page with the form has drawn it. A new one unless given.
    id: Option<String>,
    /// The file's name, for what is said of it.
    name: Option<String>,
    /// The file.
    file: Option<String>,
    /// Or its text.
    scenario: Option<String>,
}
