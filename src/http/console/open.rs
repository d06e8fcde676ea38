//! `/open`: a report that a visitor brings. It is shown, and not stored.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use maud::Markup;
use tokio::sync::Semaphore;

use crate::console::pages;
use crate::explore::report::{MOST_BYTES, read};
use crate::http::app::App;
use crate::http::fields::Fields;
use crate::http::problem::Problem;
use crate::http::signed_in_user::Visitor;

/// The largest request, in bytes: the largest report, and what is around it in a form.
pub(in crate::http) const BODY_LIMIT: usize = MOST_BYTES + 64 * 1024;

/// How many reports are read at a time. Each keeps a processor busy.
static READERS: Semaphore = Semaphore::const_new(2);

pub(in crate::http) fn routes() -> Router<Arc<App>> {
    let page = get(show).post(open);
    Router::new()
        .route("/open", page)
        // What is around this route limits the body.
        .layer(DefaultBodyLimit::disable())
        .method_not_allowed_fallback(Problem::wrong_method)
        .route_layer(crate::http::admin::from_this_site_only())
}

async fn show(visitor: Visitor) -> Markup {
    pages::open::form(MOST_BYTES, None, visitor.name())
}

async fn open(visitor: Visitor, request: Request) -> Result<Response, Problem> {
    let mut fields = Fields::read(request, &["file", "report", "finding"]).await?;
    let brought = [fields.take("file"), fields.take("report")];
    let json = brought
        .into_iter()
        .flatten()
        .find(|it| !it.trim().is_empty());
    let finding = fields.take("finding").and_then(|it| it.parse().ok());
    let refuse = |why: &str| {
        let page = pages::open::form(MOST_BYTES, Some(why), visitor.name());
        Ok((StatusCode::BAD_REQUEST, page).into_response())
    };
    let Some(json) = json else {
        return refuse("Choose a file, or paste the text of one.");
    };
    let _reader = READERS.acquire().await;
    // A long report takes a while, and other requests must not wait for it.
    let parsed = tokio::task::spawn_blocking(move || (read(json.as_bytes()), json)).await;
    let Ok((report, json)) = parsed else {
        return Err(Problem::internal());
    };
    match report {
        Ok(report) => {
            let finding = finding.unwrap_or(1);
            let page = pages::open::page(&report, &json, finding, visitor.name());
            Ok(page.into_response())
        }
        Err(wrong) => refuse(&format!("It cannot be read: {wrong}.")),
    }
}
