//! `/compare`: two runs of the same burst, made one after the other, and shown beside each other.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use maud::Markup;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::problems::may_be_a_page;
use super::run_pages::{most, progress};
use super::runs::{must_have_the_account, record_id};
use super::{again, token};
use crate::console::pages::compare;
use crate::console::pages::form::{Filled, Texts};
use crate::console::record::{RunPlan, State as Stage};
use crate::console::runs::form::{self, BadField};
use crate::console::runs::{Inserted, RecordId, Runs, StartError, Stored};
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::fields::Fields;
use crate::http::problem::Problem;
use crate::http::signed_in_user::Visitor;

/// How long the second run waits for its place, after the first has ended.
const PLACE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a page waits for the second run to begin.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The pause between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The fields of the form: those of a run, but for each strategy its own.
const FIELDS: &[&str] = &[
    "token",
    "first",
    "second",
    "first_isolation",
    "second_isolation",
    "requests",
    "delay_ms",
    "account",
    "instances",
];

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/compare", get(show).post(start))
}

#[derive(Debug, Default, Deserialize)]
struct CompareQuery {
    a: Option<String>,
    b: Option<String>,
    first: Option<String>,
    second: Option<String>,
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    query: Result<Query<CompareQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    if let (Some(a), Some(b)) = (&query.a, &query.b) {
        return pair(&app, &visitor, a, b).await;
    }
    let texts = [("first", query.first), ("second", query.second)];
    let given = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)));
    let filled = Filled::new(given.collect());
    Ok(form_page(&app, &visitor, &filled)?.into_response())
}

fn form_page(app: &App, visitor: &Visitor, filled: &Filled) -> Result<Markup, Problem> {
    let (most, token) = (most(app.runs.limits()), token()?);
    let levels = app.database.engine().flavour.isolation_levels();
    Ok(compare::form(filled, most, levels, &token, visitor.name()))
}

/// Two runs beside each other, or how far they are.
async fn pair(app: &App, visitor: &Visitor, a: &str, b: &str) -> Result<Response, Problem> {
    let path = format!("/compare?a={a}&b={b}");
    let first = super::runs::stored(app, a).await?;
    if first.state == Stage::Running {
        return under_way(&first, "The first of two runs", &path, visitor);
    }
    let id: RecordId = b.parse().map_err(|_| Problem::unknown_run(b))?;
    let mut second = app.runs.store().find(&id).await?;
    let give_up = Instant::now() + LOOK_AGAIN;
    while second.is_none() && is_recent(&first) && Instant::now() < give_up {
        sleep(BETWEEN_LOOKS).await;
        second = app.runs.store().find(&id).await?;
    }
    match second {
        Some(second) if second.state == Stage::Running => {
            under_way(&second, "The second of two runs", &path, visitor)
        }
        Some(second) => {
            let (a, b) = (record(&first)?, record(&second)?);
            Ok(compare::page(&a, &b, visitor.name()).into_response())
        }
        None if is_recent(&first) => {
            let page = compare::between("Between two runs", &path, visitor.name());
            Ok(page.into_response())
        }
        None => Err(Problem::unknown_run(b)),
    }
}

fn record(stored: &Stored) -> Result<crate::console::record::RunRecord, Problem> {
    let record = stored.run();
    record.ok_or_else(|| Problem::unknown_run(stored.id.as_str()))
}

/// Whether a run may have ended a moment ago, so that the second is about to begin.
fn is_recent(stored: &Stored) -> bool {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since_epoch.unwrap_or_default().as_micros();
    let took = stored.run().map_or(0, |it| it.took_us.unsigned_abs());
    let ended = u128::from(stored.created_at.unsigned_abs()) * 1000 + u128::from(took);
    now < ended + 2 * PLACE_TIMEOUT.as_micros()
}

fn under_way(
    stored: &Stored,
    title: &str,
    path: &str,
    visitor: &Visitor,
) -> Result<Response, Problem> {
    let run = format!("/runs/{}", stored.id);
    let plan: Option<RunPlan> = serde_json::from_value(stored.plan.clone()).ok();
    let requests = plan.map_or(0, |plan| plan.requests.into());
    let progress = progress(stored, &run, "requests", requests);
    let page = compare::under_way(title, &progress, path, &token()?, visitor.name());
    Ok(page.into_response())
}

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
        Ok(path) => Ok(Redirect::to(&path).into_response()),
        Err(problem) if is_for_a_page && again::is_about_the_form(&problem) => {
            let page = form_page(&app, &visitor, &again::refused(texts, &problem))?;
            Ok(again::page(problem, page))
        }
        Err(problem) => Err(problem),
    }
}

/// Starts the two runs, and returns where they will be shown.
async fn begin(app: &App, texts: &Texts, caller: &Caller) -> Result<String, Problem> {
    let first = record_id(texts)?;
    let (one, two) = plans(app, texts)?;
    must_have_the_account(app, &one).await?;
    must_have_the_account(app, &two).await?;
    // The second name follows from the first, so a form that is sent twice names the same two.
    let second = first.next();
    let path = format!("/compare?a={first}&b={second}");
    if app.runs.start(&first, one, caller.address).await? == Inserted::New {
        let follow = follow(app.runs.clone(), first, second, two, caller.address);
        app.runs.laboratory().tasks.spawn(follow);
    }
    Ok(path)
}

/// The two plans, which differ in strategy and level alone.
fn plans(app: &App, texts: &Texts) -> Result<(RunPlan, RunPlan), Problem> {
    let plan = |strategy: &'static str, isolation: &'static str| {
        let own = |name| match name {
            "strategy" => strategy,
            "isolation" => isolation,
            _ => name,
        };
        let take = |name| texts.get(own(name)).cloned();
        let plan = form::parse(take, app.runs.limits(), app.database.engine().flavour);
        plan.map_err(|bad| BadField {
            name: own(bad.name),
            ..bad
        })
    };
    let first = plan("first", "first_isolation")?;
    Ok((first, plan("second", "second_isolation")?))
}

/// Starts the second run when the first has ended, unless the service stops meanwhile.
async fn follow(runs: Runs, first: RecordId, second: RecordId, plan: RunPlan, caller: IpAddr) {
    let stopping = runs.laboratory().stopping.clone();
    let work = async {
        while is_running(&runs, &first).await {
            sleep(BETWEEN_LOOKS).await;
        }
        let give_up = Instant::now() + PLACE_TIMEOUT;
        loop {
            match runs.start(&second, plan.clone(), caller).await {
                // The first run's place is about to be free, or another visitor has taken it.
                Err(StartError::NoPlace(_)) if Instant::now() < give_up => {
                    sleep(BETWEEN_LOOKS).await;
                }
                Err(StartError::NoPlace(no_place)) => {
                    tracing::warn!(why = no_place.words, "a second run was not started");
                    break;
                }
                Err(StartError::Fault(fault)) => {
                    tracing::error!(%fault, "a second run could not be started");
                    break;
                }
                Ok(_) => break,
            }
        }
    };
    tokio::select! {
        () = stopping.cancelled() => {}
        () = work => {}
    }
}

async fn is_running(runs: &Runs, id: &RecordId) -> bool {
    let stored = runs.store().glance(id).await;
    stored.is_ok_and(|it| it.is_some_and(|it| it.state == Stage::Running))
}
