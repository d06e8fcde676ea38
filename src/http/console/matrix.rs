//! `GET /matrix…`: what was found on every engine, and the page of each cell.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use maud::Markup;
use serde::Deserialize;

use super::download::{self, Form};
use super::runs::name_in_path;
use super::token;
use crate::console::matrix::shipped;
use crate::console::pages::matrix::{self, CellPlace, Filters};
use crate::console::pages::{export, finding};
use crate::explore::report::{FindingData, Report, VERSION};
use crate::http::app::App;
use crate::http::problem::Problem;
use crate::http::signed_in_user::Visitor;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/matrix", get(show))
        .route("/matrix/{engine}/{level}/{*strategy}", get(cell))
}

/// The filters, as the page's address has them.
#[derive(Debug, Default, Deserialize)]
struct FilterQuery {
    #[serde(default)]
    engine: String,
    #[serde(default)]
    level: String,
    #[serde(default)]
    exhibit: String,
    #[serde(default)]
    verdict: String,
}

async fn show(
    visitor: Visitor,
    query: Result<Query<FilterQuery>, QueryRejection>,
) -> Result<Markup, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let filters = Filters {
        engine: query.engine,
        level: query.level,
        exhibit: query.exhibit,
        verdict: query.verdict,
    };
    Ok(matrix::page(shipped(), &filters, &token()?, visitor.name()))
}

async fn cell(
    visitor: Visitor,
    path: Result<Path<(String, String, String)>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    let (engine, level, strategy) = name_in_path(path)?;
    let (strategy, form) = Form::of(&strategy);
    let place = CellPlace {
        engine,
        level,
        strategy: strategy.to_owned(),
    };
    let Some(found) = matrix::find(shipped(), &place) else {
        return Err(Problem::unknown_path(uri).await);
    };
    let name = place.strategy.replace(['/', '~'], "-");
    Ok(match form {
        Form::Page => matrix::cell_page(shipped(), found, visitor.name()).into_response(),
        Form::Html => {
            let title = format!("{} on {}", found.strategy, found.engine);
            let file = export::file(&title, &finding::whole(found));
            download::html(&name, file)
        }
        Form::Json => axum::Json(report_of(found)).into_response(),
        Form::Sql => download::sql(&name, sql_of(found)),
        Form::Trace => download::trace_of(found)?,
    })
}

/// A report of this finding alone.
fn report_of(finding: &FindingData) -> Report {
    Report {
        version: VERSION,
        findings: vec![finding.clone()],
        missing: Vec::new(),
        broken: Vec::new(),
    }
}

fn sql_of(finding: &FindingData) -> String {
    finding.shown().map_or_else(
        || format!("-- {}: there is no schedule to show.\n", finding.verdict),
        |(_, example)| download::script_of(finding, example),
    )
}
