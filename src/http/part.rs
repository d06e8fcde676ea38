//! The parts of the API.

use std::sync::Arc;

use axum::Router;
use utoipa::openapi::OpenApi;

use super::app::App;

/// A part of the API, such as an exhibit: its routes, and their description beside them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) routes: fn() -> Router<Arc<App>>,
    pub(super) paths: fn() -> OpenApi,
    /// Where a client can see whether an unanswered request was carried out, e.g. "the account".
    /// None if the part changes nothing.
    pub(super) shown_by: Option<&'static str>,
}
