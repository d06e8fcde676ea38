//! Headers that tell browsers and caches how to treat an answer.

use axum::http::HeaderValue;
use axum::http::header::{self, HeaderName};
use axum::response::Response;

const NO_SNIFFING: (HeaderName, HeaderValue) = (
    header::X_CONTENT_TYPE_OPTIONS,
    HeaderValue::from_static("nosniff"),
);

const SAME_ORIGIN: (HeaderName, HeaderValue) = (
    header::REFERRER_POLICY,
    HeaderValue::from_static("same-origin"),
);

/// For an answer to a user: no cache may keep it.
pub(super) async fn keep_private(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

/// For a page of the service: it runs no script, no other site frames it, and it loads nothing from
/// other sites.
pub(super) async fn protect_page(response: Response) -> Response {
    with_policy(
        response,
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    )
}

/// For a page of the console: it runs the service's own scripts, which send requests to the service
/// alone. nginx/nginx.conf has the same policy.
pub(super) async fn protect_console(response: Response) -> Response {
    with_policy(
        response,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
}

/// For Swagger UI: it may run its own scripts, set styles, show embedded pictures, and send
/// requests to this service.
pub(super) async fn protect_documentation(response: Response) -> Response {
    with_policy(
        response,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    )
}

fn with_policy(mut response: Response, policy: &'static str) -> Response {
    let policy = HeaderValue::from_static(policy);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.extend([NO_SNIFFING, SAME_ORIGIN]);
    response
}
