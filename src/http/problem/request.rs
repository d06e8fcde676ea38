//! Problems of a request that cannot be carried out as it stands.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};

use super::Problem;

impl Problem {
    /// 400: something in the request is wrong; `detail` names it.
    pub(in crate::http) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-request",
            "The request is not valid",
            detail,
        )
    }

    /// 400: the request does not name exactly one host.
    pub(in crate::http) fn wrong_host(what: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "wrong-host",
            "The request does not name one host",
            format!("{what}. Send exactly one Host header, such as \"Host: localhost:8080\"."),
        )
    }

    /// 404: there is nothing at that path.
    pub(in crate::http) async fn unknown_path(uri: Uri) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-path",
            "There is nothing here",
            format!(
                "There is nothing at {}; /docs shows what there is.",
                uri.path()
            ),
        )
    }

    /// 404: there is no such strategy.
    pub(in crate::http) fn unknown_strategy(name: &str, known: &[&str]) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-strategy",
            "There is no such strategy",
            format!(
                "There is no strategy {name:?}; there are {}.",
                known.join(", ")
            ),
        )
    }

    /// 404: there is no such account.
    pub(in crate::http) fn unknown_account(id: i64) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-account",
            "There is no such account",
            format!("There is no account {id}; GET /accounts lists those there are."),
        )
    }

    /// 405: the path is right, the method is not.
    pub(in crate::http) async fn wrong_method(method: Method, request: Request) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The method is not allowed here",
            format!(
                "{} does not take {method}; the Allow header names what it takes.",
                request.uri().path()
            ),
        )
    }

    /// 408: the body did not come in time.
    pub(in crate::http) fn slow_body(limit: Duration) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow-request",
            "The request did not arrive in time",
            format!("The request's body was not complete after {limit:?}."),
        )
    }

    /// 413: the body is larger than any that the service needs.
    pub(in crate::http) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The request is too large",
            format!("The request's body is larger than {limit} bytes."),
        )
    }

    /// 415: the body is of a type that is not understood.
    pub(in crate::http) fn unsupported_type(found: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-type",
            "The body's type is not supported",
            format!(
                "The Content-Type is {found}; send application/x-www-form-urlencoded, \
                 multipart/form-data or application/json."
            ),
        )
    }

    /// 415: the body has to be JSON.
    pub(in crate::http) fn not_json(found: &str) -> Self {
        Self {
            detail: format!("The Content-Type is {found}; send application/json."),
            ..Self::unsupported_type(found)
        }
    }
}
