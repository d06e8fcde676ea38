//! The web console: its pages, and the data that they are drawn from.
//!
//! Each file has the routes of one kind of page. The pages themselves are in [`crate::console`].

mod accounts;
mod again;
mod compare;
mod download;
mod events;
mod explorations;
mod front;
mod instance;
mod matrix;
pub(super) mod open;
mod problems;
mod run_pages;
mod runs;
mod scenarios;
mod why;

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi;

use super::admin;
use super::app::App;
use super::part::Part;
use super::problem::Problem;
use crate::console::runs::RecordId;

pub(super) use events::PART as EVENTS;
pub(super) use instance::start as start_instance;
pub(super) use problems::{instead_of, show_problems, unknown_path};

/// The console. Only what programs read is described: its pages are for people.
pub(super) const PART: Part = Part {
    routes,
    paths,
    shown_by: None,
};

fn paths() -> utoipa::openapi::OpenApi {
    let mut paths = runs::Paths::openapi();
    paths.merge(explorations::Paths::openapi());
    paths
}

/// The largest body that a page takes, in bytes.
pub(super) const BODY_LIMIT: usize = 256 * 1024;

/// Draws the name of what a form will start, so that a form that is sent twice starts it once.
fn token() -> Result<String, Problem> {
    Ok(RecordId::draw()?.to_string())
}

fn routes() -> Router<Arc<App>> {
    Router::new()
        .merge(front::routes())
        .merge(why::routes())
        .merge(matrix::routes())
        .merge(scenarios::routes())
        .merge(accounts::routes())
        .merge(compare::routes())
        .merge(run_pages::routes())
        .merge(runs::routes())
        .merge(explorations::routes())
        .method_not_allowed_fallback(Problem::wrong_method)
        .route_layer(admin::from_this_site_only())
}
