//! `GET /`: the front page. In the compose lab nginx serves the same file.

use axum::response::Html;

pub(super) async fn page() -> Html<&'static str> {
    Html(include_str!("../../static/index.html"))
}
