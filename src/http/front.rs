//! `GET /`: the front page, and the look that all pages share. In the compose lab nginx serves the same
//! files.

use axum::extract::Request;
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};

use super::problem::Problem;

pub(super) async fn page() -> Html<&'static str> {
    Html(include_str!("../../static/index.html"))
}

pub(super) async fn look() -> ([(HeaderName, &'static str); 1], &'static str) {
    let css = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (css, include_str!("../../static/racy.css"))
}

/// Swagger UI says nothing, or plain text, of a file that it does not have: that is a problem as everywhere.
pub(super) async fn show_nothing_as_a_problem(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let response = next.run(request).await;
    match response.status() {
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => {
            Problem::unknown_path(uri).await.into_response()
        }
        _ => response,
    }
}
