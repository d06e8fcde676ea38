//! `GET /scenarios…`: the corpus.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::routing::get;
use maud::Markup;

use super::runs::name_in_path;
use super::token;
use crate::console::{corpus, pages};
use crate::http::app::App;
use crate::http::problem::Problem;
use crate::http::signed_in_user::Visitor;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/scenarios", get(list))
        .route("/scenarios/{*path}", get(show))
}

async fn list(visitor: Visitor) -> Result<Markup, Problem> {
    Ok(pages::scenarios::list(&token()?, None, "", visitor.name()))
}

async fn show(
    visitor: Visitor,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Markup, Problem> {
    let path = name_in_path(path)?;
    let Some(file) = corpus::find(&path) else {
        return Err(Problem::unknown_path(uri).await);
    };
    Ok(pages::scenarios::page(file, &token()?, visitor.name()))
}
