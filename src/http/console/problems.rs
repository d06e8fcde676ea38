//! Errors as pages. Programs get the same errors as JSON.

use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use maud::Markup;

use crate::console::pages::Place;
use crate::console::pages::problem::{self, WayOn};
use crate::http::problem::{Complaint, Problem};

/// Shows every problem of the console as a page, except those of data and of streams.
pub(in crate::http) async fn show_problems(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_for_a_program = is_data(path) || !may_be_a_page(request.headers());
    let (place, way_on) = place(path);
    let response = next.run(request).await;
    if is_for_a_program {
        return response;
    }
    as_page(response, Some(place), way_on)
}

/// Where in the console a path is, and where its visitor can begin again.
fn place(path: &str) -> (Place, WayOn<'static>) {
    let first = path.split('/').nth(1).unwrap_or_default();
    match first {
        "explore" | "explorations" => (Place::Explore, ("/explore", "To the form")),
        "matrix" => (Place::Matrix, ("/matrix", "To the matrix")),
        "why" => (Place::Strategies, ("/why", "To the strategies")),
        "scenarios" => (Place::Scenarios, ("/scenarios", "To the scenarios")),
        "compare" => (Place::Compare, ("/compare", "To the form")),
        "open" => (Place::Open, ("/open", "To the form")),
        _ => (Place::Run, ("/runs", "To the form and the newest runs")),
    }
}

/// The answer to a path that nothing is at: a page for a browser, JSON for a program.
pub(in crate::http) async fn unknown_path(headers: HeaderMap, uri: Uri) -> Response {
    let problem = Problem::unknown_path(uri).await.into_response();
    if accepts_html(&headers) {
        as_page(problem, None, ("/", "To the first page"))
    } else {
        problem
    }
}

fn is_data(path: &str) -> bool {
    path.ends_with(".json") || path.ends_with("/events")
}

/// A client that asks for nothing in particular gets a page.
pub(super) fn may_be_a_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    accept.is_none_or(|it| it.contains("text/html") || it.contains("*/*"))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    accept.is_some_and(|it| it.contains("text/html"))
}

fn as_page(response: Response, place: Option<Place>, way_on: WayOn<'_>) -> Response {
    let Some(complaint) = response.extensions().get::<Complaint>() else {
        return response;
    };
    let page = problem::page(complaint.title, &complaint.detail, place, None, way_on);
    instead_of(response, page)
}

/// Replaces a response's body by a page, and keeps its status and headers.
pub(in crate::http) fn instead_of(response: Response, page: Markup) -> Response {
    let (mut parts, _body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    parts.extensions.remove::<Complaint>();
    (parts, page).into_response()
}
