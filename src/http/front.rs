//! `GET /`: the front page, and the look that all pages share. In the compose lab nginx serves the same
//! files.

use axum::http::{HeaderName, header};
use axum::response::Html;

pub(super) async fn page() -> Html<&'static str> {
    Html(include_str!("../../static/index.html"))
}

pub(super) async fn look() -> ([(HeaderName, &'static str); 1], &'static str) {
    let css = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (css, include_str!("../../static/racy.css"))
}
