//! Errors as `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::auth::Refused;
use crate::engine::{Fault, FaultKind};
use crate::exhibits::deposits::keys::Conflict;
use crate::exhibits::deposits::{Failure, Refusal};
use crate::exhibits::exports::{self, FileName};
use crate::exhibits::orders;
use crate::keeper::NotChanged;
use crate::observe::timeline::TimelineStep;
use crate::verdict::Outcome;

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
    /// What became of the deposit, or of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The account's balance, where it is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i128>)]
    pub balance: Option<i128>,
    /// How often it was tried, where it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at_us: Option<u64>,
    /// The steps up to the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Vec<TimelineStep>>,
    /// When to come back, for the header of that name.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    /// The engine's own words, for the log alone.
    #[serde(skip)]
    pub engine_words: Option<Box<str>>,
}

/// The part of a [`Problem`] that people read. Every response that is one carries it as an extension, for
/// whoever shows it in another form.
#[derive(Debug, Clone)]
pub(super) struct Complaint {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) detail: String,
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
    /// The database is out of reach, at a limit, read-only, or lacks a right or a table, or too
    /// many clients are connected; where another try may succeed, Retry-After tells when
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
    /// The database has no room left
    #[response(status = 507, content_type = "application/problem+json")]
    NoRoom(#[to_schema] Problem),
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
            retry_after: None,
            engine_words: None,
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

    /// 404: there is no such export.
    pub fn unknown_export(name: &FileName) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-export",
            "There is no such export",
            format!(
                "There is no export {name}. Exports are deleted some time after they were made."
            ),
        )
    }

    /// 404: the account has no such transaction.
    pub fn unknown_transaction(account: i64, id: i64) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-transaction",
            "There is no such transaction",
            format!(
                "Account {account} has no transaction {id}; GET /accounts/{account}/transactions lists \
                 those it has."
            ),
        )
    }

    /// 401: only who is signed in may do this.
    pub fn not_signed_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not-signed-in",
            "Nobody is signed in",
            "Sign in at /admin/login, or send an API token (racy token create) as \
             \"Authorization: Bearer TOKEN\". A session ends after some hours.",
        )
    }

    /// 401: no such user with that password.
    pub fn wrong_password() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "wrong-password",
            "Not signed in",
            "There is no such user with that password. Upper and lower case count.",
        )
    }

    /// 403: another site's page has sent the request.
    pub fn cross_site() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "cross-site",
            "The request comes from another site",
            "The browser says that a page of another site has sent this request. Nothing was changed.",
        )
    }

    /// 429: there were too many guesses at a password.
    pub fn too_many_guesses(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-guesses",
                "Too many guesses",
                format!(
                    "There were too many wrong passwords for this user or from this address. Try again \
                     in {} minutes.",
                    retry_after.as_secs().div_ceil(60)
                ),
            )
        }
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

    /// 415: the body has to be JSON.
    pub fn not_json(found: &str) -> Self {
        Self {
            detail: format!("The Content-Type is {found}; send application/json."),
            ..Self::unsupported_type(found)
        }
    }

    /// 503: as many clients are connected as may be, and none of them is idle.
    pub fn too_many_clients(most: usize) -> Self {
        Self {
            retryable: true,
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-clients",
                "Too many clients are connected",
                format!(
                    "All {most} connections that clients may have are busy. Nothing was done; ask again \
                     in a moment. --client-connections allows more."
                ),
            )
        }
    }

    /// 503: others are having files audited.
    pub fn too_many_audits() -> Self {
        Self {
            retryable: true,
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-audits",
                "Too many files are being audited",
                "Others are having files audited. Ask again in a moment.",
            )
        }
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

    /// 503: no deposit could be made at the moment, and why. The kind is the fault's, even if its
    /// own status is another one: readiness is answered with 200 or 503 alone.
    pub fn not_ready(fault: Fault) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            ..Self::from(fault)
        }
    }

    /// 400: a request has to name the host that it is for, and once.
    pub fn wrong_host(what: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "wrong-host",
            "The request does not name one host",
            format!("{what}. Send exactly one Host header, such as \"Host: localhost:8080\"."),
        )
    }

    /// 409: every attempt was lost to somebody else.
    fn gave_up(attempts: u32) -> Self {
        let detail = match attempts {
            1 => "Somebody else was faster, and it was not tried again.".to_owned(),
            _ => format!("It was tried {attempts} times, and each time somebody else was faster."),
        };
        Self {
            retryable: true,
            attempts: Some(attempts),
            ..Self::new(
                StatusCode::CONFLICT,
                "gave-up",
                "The strategy gave up",
                detail,
            )
        }
    }

    /// 409 or 422: the idempotency key does not allow the deposit.
    fn of_key(conflict: Conflict) -> Self {
        let conflicts = |name, title, detail| Self::new(StatusCode::CONFLICT, name, title, detail);
        match conflict {
            Conflict::InFlight { retry_after } => Self {
                retryable: true,
                retry_after: Some(retry_after),
                ..conflicts(
                    "key-in-flight",
                    "The deposit with this key is in flight",
                    "The first request with this Idempotency-Key is still being carried out. Send the \
                     same again after Retry-After seconds: it is made once.",
                )
            },
            Conflict::OtherDeposit => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-of-another-deposit",
                "The key is that of another deposit",
                "This Idempotency-Key was sent before with another strategy, account or amount. A new \
                 deposit needs a key of its own.",
            ),
            Conflict::ClaimLost => Self {
                retryable: true,
                ..conflicts(
                    "key-taken-over",
                    "Another request has taken the key over",
                    "This took longer than a request may last, and another request with the same \
                     Idempotency-Key has taken over. Nothing was kept of this one.",
                )
            },
            Conflict::KeptInPart => conflicts(
                "key-kept-in-part",
                "The deposit with this key was kept in part",
                "The first request with this Idempotency-Key failed half way.",
            ),
        }
    }

    /// An export that is not there.
    pub fn of_export(account: i64, refusal: exports::Refusal) -> Self {
        let problem = match refusal {
            exports::Refusal::UnknownAccount => Self::unknown_account(account),
            exports::Refusal::Fault(fault) => Self::from(fault),
        };
        Self {
            outcome: Some(Outcome::Refused),
            ..problem
        }
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
            Refusal::GaveUp { attempts } => Self::gave_up(attempts),
            Refusal::Key(conflict) => Self::of_key(conflict),
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

impl Problem {
    /// An order that was not acknowledged.
    pub fn of_order(failure: orders::Failure) -> Self {
        let problem = match failure.refusal {
            orders::Refusal::GaveUp { attempts } => Self::gave_up(attempts),
            orders::Refusal::Engine(fault) => Self::from(fault),
        };
        let (hint, retryable) = match failure.outcome {
            Outcome::Applied | Outcome::Refused => ("", problem.retryable),
            Outcome::Partial => (
                " Part of the order was kept: this strategy is not atomic.",
                false,
            ),
            Outcome::Unknown => (
                " Whether the order was kept is unknown: look at the book's audit before sending it again.",
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
            FaultKind::ForeignKeyViolation => (
                StatusCode::CONFLICT,
                "What the row would belong to is not there",
            ),
            FaultKind::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is out of reach",
            ),
            FaultKind::LimitReached => (
                StatusCode::SERVICE_UNAVAILABLE,
                "A limit of the database server is reached",
            ),
            FaultKind::Interrupted => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database server has cancelled the statement",
            ),
            FaultKind::ReadOnly => (StatusCode::SERVICE_UNAVAILABLE, "The database is read-only"),
            FaultKind::NotAllowed => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The lab's database user may not do this",
            ),
            FaultKind::DatabaseFull => (
                StatusCode::INSUFFICIENT_STORAGE,
                "There is no room left in the database",
            ),
            FaultKind::DatabaseStorage => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database's storage fails",
            ),
            FaultKind::SchemaMissing => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database lacks what the lab has made in it",
            ),
            FaultKind::StatementLost => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database has lost a prepared statement",
            ),
            FaultKind::OutOfRange => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "A number does not fit its column",
            ),
            FaultKind::DiskFull => (
                StatusCode::INSUFFICIENT_STORAGE,
                "There is no room left in the export folder",
            ),
            FaultKind::Storage => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The export folder cannot be used",
            ),
            FaultKind::Other => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The engine refused for a reason that the lab does not know",
            ),
        };
        let name = fault.kind.name().replace('_', "-");
        let detail = fault.public_words();
        Self {
            fault: Some(fault.kind),
            code: fault.code.clone(),
            retryable: fault.kind.is_retryable(),
            engine_words: (fault.message != detail).then(|| fault.message.as_str().into()),
            ..Self::new(status, &name, title, detail)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            let engine = self.engine_words.as_deref();
            tracing::warn!(
                problem = self.kind,
                code = self.code,
                engine,
                detail = self.detail
            );
        }
        // An obedient client would send again what must not be sent twice.
        let may_retry = status == StatusCode::SERVICE_UNAVAILABLE && self.retryable;
        let retry_after = self.retry_after.or(may_retry.then_some(RETRY_AFTER));
        let complaint = Complaint {
            status,
            title: self.title,
            detail: self.detail.clone(),
        };
        let mut response = (status, Json(self)).into_response();
        response.extensions_mut().insert(complaint);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(retry_after) = retry_after {
            // Whole seconds, and not too early.
            let seconds = retry_after.as_secs_f64().ceil() as u64;
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"racy\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<NotChanged> for Problem {
    fn from(why: NotChanged) -> Self {
        match why {
            NotChanged::UnknownAccount(account) => Self::unknown_account(account),
            NotChanged::UnknownTransaction { account, id } => {
                Self::unknown_transaction(account, id)
            }
            NotChanged::TooMuch => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "overflow",
                "The opening balance would overflow",
                why.to_string(),
            ),
            NotChanged::Fault(fault) => fault.into(),
        }
    }
}

impl From<Refused> for Problem {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Wrong => Self::wrong_password(),
            Refused::TooManyGuesses(ends_in) => Self::too_many_guesses(ends_in),
            Refused::Fault(fault) => fault.into(),
        }
    }
}
