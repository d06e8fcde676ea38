//! `GET /accounts.html`: the accounts, for people.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::Markup;

use crate::accounts;
use crate::console::pages;
use crate::http::app::App;
use crate::http::paging::PageQuery;
use crate::http::problem::Problem;
use crate::http::signed_in_user::Visitor;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/accounts.html", get(show))
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Markup, Problem> {
    let (page, limit) = PageQuery::parse(query)?;
    let mut accounts = accounts::list(&app.kept, page).await?;
    let next = limit.cut(&mut accounts, |account| account.id);
    Ok(pages::accounts::page(&accounts, next, visitor.name()))
}
