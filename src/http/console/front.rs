//! `GET /`: the front page.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use maud::Markup;

use crate::console::pages;
use crate::http::app::App;
use crate::http::signed_in_user::Visitor;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/", get(show))
}

async fn show(visitor: Visitor) -> Markup {
    pages::front::page(None, "", visitor.name())
}
