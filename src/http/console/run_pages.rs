//! The pages of runs: the form with the newest runs, and a page for each.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use maud::Markup;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{download, token};
use crate::accounts;
use crate::console::pages::form::Filled;
use crate::console::pages::live::Progress;
use crate::console::pages::run;
use crate::console::pages::runs::{Holding, Most, RecentRun, RunsPage};
use crate::console::pages::{export, parts};
use crate::console::record::{RunPlan, RunRecord, State as Stage};
use crate::console::runs::{Kind, Limits, Stored};
use crate::http::app::App;
use crate::http::problem::Problem;
use crate::http::signed_in_user::Visitor;

/// How many runs are listed.
const RECENT: i64 = 20;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/runs", get(list))
}

/// What the form is to hold at first.
#[derive(Debug, Default, Deserialize)]
struct FormQuery {
    strategy: Option<String>,
    requests: Option<i64>,
    wait_ms: Option<i64>,
    delay_ms: Option<i64>,
    account: Option<i64>,
    instances: Option<i64>,
    isolation: Option<String>,
    /// `1` leaves the prediction out, for teachers.
    reveal: Option<String>,
}

impl FormQuery {
    fn filled(self) -> Filled {
        let number = |number: Option<i64>| number.map(|it| it.to_string());
        let pace = self.wait_ms.map(|_| "wait".to_owned());
        let texts = [
            ("strategy", self.strategy),
            ("requests", number(self.requests)),
            ("pace", pace),
            ("wait_ms", number(self.wait_ms)),
            ("delay_ms", number(self.delay_ms)),
            ("account", number(self.account)),
            ("instances", number(self.instances)),
            ("isolation", self.isolation),
            ("reveal", self.reveal),
        ];
        let given = texts
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)));
        Filled::new(given.collect())
    }
}

async fn list(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    query: Result<Query<FormQuery>, QueryRejection>,
) -> Result<Markup, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    form(&app, &visitor, query.filled()).await
}

/// The form with the newest runs.
pub(super) async fn form(app: &App, visitor: &Visitor, filled: Filled) -> Result<Markup, Problem> {
    let recent = app.runs.store().recent(Kind::Run, RECENT).await?;
    let recent: Vec<_> = recent.iter().filter_map(recent_run).collect();
    let page = RunsPage {
        holding: holding(app, filled.text("account", "1")).await?,
        filled,
        token: &token()?,
        most: most(app.runs.limits()),
        levels: app.database.engine().flavour.isolation_levels(),
        recent: &recent,
    };
    Ok(page.page(visitor.name()))
}

/// What an account holds. None if there is no such account.
async fn holding(app: &App, account: &str) -> Result<Option<Holding>, Problem> {
    let Ok(account) = account.trim().parse() else {
        return Ok(None);
    };
    let found = accounts::find(&app.kept, account).await?;
    Ok(found.map(|it| Holding {
        account,
        balance: it.balance,
    }))
}

/// What visitors may ask for, as forms say it.
pub(super) fn most(limits: &Limits) -> Most {
    Most {
        requests: limits.requests.into(),
        delay_ms: i64::try_from(limits.delay.as_millis()).unwrap_or(i64::MAX),
        instances: limits.instances.into(),
        seconds: i64::try_from(limits.duration.as_secs()).unwrap_or(i64::MAX),
    }
}

fn recent_run(stored: &Stored) -> Option<RecentRun> {
    let plan: RunPlan = serde_json::from_value(stored.plan.clone()).ok()?;
    let verdict = match stored.progress["verdict"].as_str() {
        Some("anomaly") => Some("anomaly"),
        Some("refused") => Some("refused"),
        Some("safe") => Some("safe"),
        _ => None,
    };
    let text = match (stored.text(), stored.error()) {
        (_, Some(error)) => error,
        ("", None) => stored.state.name(),
        (text, None) => text,
    };
    Some(RecentRun {
        id: stored.id.to_string(),
        began: began(stored),
        strategy: parts::full_name(&plan.exhibit, &plan.strategy)
            .unwrap_or(&plan.strategy)
            .to_owned(),
        requests: plan.requests,
        state: stored.state,
        text: text.to_owned(),
        verdict,
    })
}

/// When a record began, in UTC and short: `29 Nov 2026, 18:35:07`.
pub(super) fn began(stored: &Stored) -> String {
    let since_epoch = std::time::Duration::from_millis(stored.created_at.unsigned_abs());
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + since_epoch);
    // From a date in the form of HTTP, such as `Sun, 29 Nov 2026 18:35:07 GMT`.
    let mut words = date.split(' ').skip(1);
    let day: Vec<_> = words.by_ref().take(3).collect();
    format!("{}, {}", day.join(" "), words.next().unwrap_or_default())
}

/// The page of a run, in whatever state it is.
pub(super) fn page(stored: &Stored, visitor: &Visitor) -> Result<Response, Problem> {
    let id = stored.id.as_str();
    let record = stored.run().ok_or_else(|| Problem::unknown_run(id))?;
    let page = match record.state {
        Stage::Running => {
            let path = format!("/runs/{id}");
            let progress = progress(stored, &path, "requests", record.plan.requests.into());
            run::under_way(&record.plan, &progress, &token()?, visitor.name())
        }
        Stage::Failed if record.lanes.is_empty() => {
            let why = record.error.as_deref().unwrap_or_default();
            run::broken_off(&record.plan, why, visitor.name())
        }
        Stage::Ended | Stage::Stopped | Stage::Failed => run::page(&record, visitor.name()),
    };
    Ok(page.into_response())
}

/// How far a record is.
pub(super) fn progress<'a>(
    stored: &'a Stored,
    path: &'a str,
    unit: &'a str,
    of: u64,
) -> Progress<'a> {
    Progress {
        path,
        unit,
        done: stored.progress["done"].as_u64().unwrap_or_default(),
        of: Json::as_u64(&stored.progress["of"]).or(Some(of).filter(|it| *it > 0)),
        text: match stored.text() {
            "" => "It begins…",
            text => text,
        },
    }
}

/// The run as one file that needs no server.
pub(super) fn file(record: &RunRecord) -> Response {
    let main = maud::html! {
        p.over { (run::about(record)) }
        (run::result(record))
    };
    download::html(&record.id, export::file(&run::title(&record.plan), &main))
}
