//! The web console: its pages, and the data that they are drawn from.
//!
//! Each file has the routes of one kind of page. The pages themselves are in [`crate::console`].

mod front;
mod problems;

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi;

use super::admin;
use super::app::App;
use super::part::Part;
use super::problem::Problem;

pub(super) use problems::{show_problems, unknown_path};

/// The console. Only what programs read is described: its pages are for people.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: None,
};

#[derive(OpenApi)]
struct Paths;

/// The largest body that a page takes, in bytes.
pub(super) const BODY_LIMIT: usize = 256 * 1024;

fn routes() -> Router<Arc<App>> {
    Router::new()
        .merge(front::routes())
        .method_not_allowed_fallback(Problem::wrong_method)
        .route_layer(admin::from_this_site_only())
}
