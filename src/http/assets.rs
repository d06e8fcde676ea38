//! The files that the pages are made of: the front page, and the style sheet that all pages share.
//! In the compose lab nginx serves the same files.

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::problem::Problem;
use super::protection;

/// A file that is part of the program.
#[derive(Debug, Clone, Copy)]
struct Asset {
    path: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 2] = [
    Asset {
        path: "/",
        media_type: "text/html; charset=utf-8",
        bytes: include_bytes!("../../static/index.html"),
    },
    Asset {
        path: "/racy.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../static/racy.css"),
    },
];

pub(super) fn router() -> Router {
    let add = |router: Router, asset: &Asset| {
        let content_type = [(header::CONTENT_TYPE, asset.media_type)];
        let answer = (content_type, asset.bytes);
        router.route(asset.path, get(async move || answer))
    };
    ASSETS
        .iter()
        .fold(Router::new(), add)
        .layer(middleware::map_response(protection::protect_page))
}

/// Swagger UI answers a missing file with nothing or with plain text. This makes it the same
/// problem as everywhere.
pub(super) async fn show_nothing_as_a_problem(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let response = next.run(request).await;
    if [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&response.status()) {
        Problem::unknown_path(uri).await.into_response()
    } else {
        response
    }
}
