//! The part of the application that asks who one is: a cookie, a token in a page, and one in JSON.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::shop::{Caller, Failure, Shop};

pub fn routes(router: Router<Arc<Shop>>) -> Router<Arc<Shop>> {
    router
        .route("/login", get(page).post(log_in))
        .route("/members/deposit", post(deposit))
}

/// A page with a form, and its token in a hidden field.
async fn page() -> Response {
    let form = "<form><input name=\"csrf\" value=\"of-the-page\"></form>";
    ([(SET_COOKIE, "visitor=somebody")], Html(form)).into_response()
}

#[derive(Debug, Deserialize)]
struct LogIn {
    csrf: String,
    user: String,
}

async fn log_in(headers: HeaderMap, Form(form): Form<LogIn>) -> Response {
    if form.csrf != "of-the-page" || cookie(&headers, "visitor") != Some("somebody") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let session = format!("session={}", form.user);
    let token = json!({ "tokens": [{ "value": format!("of {}", form.user) }] });
    ([(SET_COOKIE, session)], Json(token)).into_response()
}

/// Leads to the login page without a session, as most frameworks do.
async fn deposit(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    caller: Caller,
) -> Result<Response, Failure> {
    let Some(user) = cookie(&headers, "session") else {
        return Ok(Redirect::to("/login").into_response());
    };
    let token = headers.get("x-token").and_then(|it| it.to_str().ok());
    if token != Some(format!("of {user}").as_str()) {
        return Err(Failure::Status(StatusCode::FORBIDDEN));
    }
    let read = "SELECT balance FROM account WHERE id = 1";
    let balance = caller.read(&shop.pool, read, &[]).await?;
    let write = "UPDATE account SET balance = ? WHERE id = 1";
    caller.write(&shop.pool, write, &[balance + 10]).await?;
    Ok(Json(json!({ "user": user })).into_response())
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let mut pairs = cookies.split("; ").filter_map(|it| it.split_once('='));
    pairs.find(|(it, _)| *it == name).map(|(_, value)| value)
}
