//! `GET /why…`: the strategies, explained beside their code.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::routing::get;
use maud::Markup;

use super::runs::name_in_path;
use crate::console::matrix::shipped;
use crate::console::pages::{matrix, why};
use crate::exhibits;
use crate::http::app::App;
use crate::http::problem::Problem;
use crate::http::signed_in_user::Visitor;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/why", get(list))
        .route("/why/{*strategy}", get(show))
}

async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Markup {
    let engine = app.database.engine();
    let finding = |name: &str| matrix::find_on(shipped(), engine, name);
    why::list(engine, finding, visitor.name())
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    strategy: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Markup, Problem> {
    let strategy = name_in_path(strategy)?;
    let Some(specimen) = exhibits::specimen(&strategy) else {
        return Err(Problem::unknown_path(uri).await);
    };
    let engine = app.database.engine();
    let finding = matrix::find_on(shipped(), engine, &strategy);
    Ok(why::page(specimen, engine, finding, visitor.name()))
}
