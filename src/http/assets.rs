//! The files that the pages are made of. In the compose lab nginx serves the same files.
//!
//! A browser asks each time whether a file is still the same. So a page never meets the script of
//! another version.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;
use super::protection;
use crate::console::assets::{self, Asset};

pub(super) fn router() -> Router {
    let add = |router: Router, asset: &'static Asset| {
        let tag = tag(asset.text);
        let answer = async move |headers: HeaderMap| serve(asset, &tag, &headers);
        router.route(asset.path, get(answer))
    };
    assets::all()
        .fold(Router::new(), add)
        .layer(middleware::map_response(protection::protect_console))
}

fn serve(asset: &Asset, tag: &str, headers: &HeaderMap) -> Response {
    let caching = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache")];
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let is_known = known
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .any(|it| it.trim().trim_start_matches("W/") == tag);
    if is_known {
        (StatusCode::NOT_MODIFIED, caching).into_response()
    } else {
        let content_type = [(header::CONTENT_TYPE, asset.media_type)];
        (caching, content_type, asset.text).into_response()
    }
}

/// A name for this text, and for no other.
fn tag(text: &str) -> String {
    let hash = Sha256::digest(text);
    let hex: String = hash.iter().take(16).map(|it| format!("{it:02x}")).collect();
    format!("\"{hex}\"")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_the_browser_has_is_not_sent_again() {
        let asset = &assets::STYLE;
        let tag = tag(asset.text);
        let mut headers = HeaderMap::new();
        assert_eq!(serve(asset, &tag, &headers).status(), StatusCode::OK);
        headers.insert(header::IF_NONE_MATCH, format!("W/{tag}").parse().unwrap());
        let answer = serve(asset, &tag, &headers);
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(answer.headers()[header::ETAG], tag.as_str());
    }
}
