//! Errors as `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::deposits::{Failure, Outcome, Refusal};
use crate::engine::{Fault, FaultKind};
use crate::observe::timeline::TimelineStep;

/// An error, for programs and for people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is, stable: `urn:racy:problem:` and a name, which is the fault's
    /// where the engine refused.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened in this case, and what to do about it.
    pub detail: String,
    /// The engine's refusal, classified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultKind>,
    /// The engine's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Whether the same request may well succeed when it is sent again, without a risk of doing
    /// its work twice.
    pub retryable: bool,
    /// What became of the deposit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The account's balance, where it is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<i64>,
    /// How often the deposit was tried before it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at_us: Option<u64>,
    /// The steps up to the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Vec<TimelineStep>>,
}

/// What may be answered to any request that takes a worker, for the description of the API.
#[derive(IntoResponses)]
#[expect(
    dead_code,
    reason = "only described; the answers are made by `Problem`"
)]
pub(super) enum AlwaysPossible {
    /// The body did not arrive in time
    #[response(status = 408, content_type = "application/problem+json")]
    SlowBody(#[to_schema] Problem),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// A mistake in the lab itself
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(#[to_schema] Problem),
    /// The database is out of reach; Retry-After tells when to ask again
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
    /// The answer takes too long; the work goes on
    #[response(status = 504, content_type = "application/problem+json")]
    TookTooLong(#[to_schema] Problem),
}

/// When to ask again a database that is out of reach.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Problem {
    fn new(status: StatusCode, name: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:racy:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            fault: None,
            code: None,
            retryable: false,
            outcome: None,
            balance: None,
            attempts: None,
            arrived_at_us: None,
            timeline: None,
        }
    }

    /// 400: something in the request is wrong; `detail` names it.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-request",
            "The request is not valid",
            detail,
        )
    }

    /// 404: there is no such account.
    pub fn unknown_account(id: i64) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-account",
            "There is no such account",
            format!("There is no account {id}; GET /accounts lists those there are."),
        )
    }

    /// 404: there is no such strategy.
    pub fn unknown_strategy(name: &str, known: &[&str]) -> Self {
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

    /// 404: there is nothing at that path.
    pub async fn unknown_path(uri: Uri) -> Self {
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

    /// 405: the path is right, the method is not.
    pub async fn wrong_method(method: Method, request: Request) -> Self {
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
    pub fn slow_body(limit: Duration) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow-request",
            "The request did not arrive in time",
            format!("The request's body was not complete after {limit:?}."),
        )
    }

    /// 413: the body is larger than any deposit needs.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The request is too large",
            format!("The request's body is larger than {limit} bytes."),
        )
    }

    /// 415: the body is of a type that is not understood.
    pub fn unsupported_type(found: &str) -> Self {
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

    /// 500: a mistake in the lab itself.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong in the lab",
            "This is a mistake in the lab, not in the request; the log says more.",
        )
    }

    /// 504: the answer takes longer than the server waits. The work goes on.
    pub fn took_too_long(limit: Duration) -> Self {
        Self {
            outcome: Some(Outcome::Unknown),
            ..Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "took-too-long",
                "The answer took too long",
                format!(
                    "There was no answer after {limit:?}. The work goes on and may still be done: \
                     look at the account before sending it again."
                ),
            )
        }
    }

    /// Adds when the request arrived, and its steps up to the refusal.
    pub fn with_timeline(mut self, arrived_at_us: u64, timeline: Vec<TimelineStep>) -> Self {
        self.arrived_at_us = Some(arrived_at_us);
        self.timeline = Some(timeline);
        self
    }

    /// A deposit that was not acknowledged.
    pub fn of_deposit(account: i64, amount: i64, failure: Failure) -> Self {
        let problem = match failure.refusal {
            Refusal::UnknownAccount => Self::unknown_account(account),
            Refusal::Overflow { balance } => Self {
                balance: Some(balance),
                ..Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "overflow",
                    "The balance would overflow",
                    format!(
                        "The balance is {balance}; with {amount} more it would be over {}.",
                        i64::MAX
                    ),
                )
            },
            Refusal::GaveUp { attempts } => Self {
                attempts: Some(attempts),
                retryable: true,
                ..Self::new(
                    StatusCode::CONFLICT,
                    "gave-up",
                    "Somebody else was faster every time",
                    format!("The deposit was tried {attempts} times and then given up."),
                )
            },
            Refusal::Engine(fault) => Self::from(fault),
        };
        let (hint, retryable) = match failure.outcome {
            Outcome::Applied | Outcome::Refused => ("", problem.retryable),
            Outcome::Partial => (
                " Part of the deposit was kept: this strategy is not atomic.",
                false,
            ),
            Outcome::Unknown => (
                " Whether the deposit was kept is unknown: look at the account before sending it \
                 again.",
                false,
            ),
        };
        Self {
            detail: format!("{}{hint}", problem.detail),
            retryable,
            outcome: Some(failure.outcome),
            ..problem
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let (status, title) = match fault.kind {
            FaultKind::Deadlock => (StatusCode::CONFLICT, "The engine found a deadlock"),
            FaultKind::LockTimeout => (StatusCode::CONFLICT, "A lock was not to be had in time"),
            FaultKind::SnapshotConflict => (
                StatusCode::CONFLICT,
                "Somebody else changed the row in between",
            ),
            FaultKind::SerializationFailure => (
                StatusCode::CONFLICT,
                "The transaction does not fit into an order of one after the other",
            ),
            FaultKind::TransactionAborted => (
                StatusCode::CONFLICT,
                "The transaction had been refused before",
            ),
            FaultKind::Busy => (StatusCode::CONFLICT, "Somebody else is writing"),
            FaultKind::UniqueViolation => (StatusCode::CONFLICT, "The key exists already"),
            FaultKind::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is out of reach",
            ),
            FaultKind::Other => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The engine refused for a reason that the lab does not know",
            ),
        };
        let name = fault.kind.name().replace('_', "-");
        Self {
            fault: Some(fault.kind),
            code: fault.code,
            retryable: fault.kind.retryable(),
            ..Self::new(status, &name, title, fault.message)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::warn!(problem = self.kind, code = self.code, detail = self.detail);
        }
        // An obedient client would send again what must not be sent twice.
        let may_retry = status == StatusCode::SERVICE_UNAVAILABLE && self.retryable;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if may_retry {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER.as_secs().into());
        }
        response
    }
}
