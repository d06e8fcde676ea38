//! Errors as `application/problem+json` (RFC 9457).
//!
//! | file | the problems of |
//! |---|---|
//! | `request` | a request that cannot be carried out as it stands |
//! | `service` | a service that is busy, slow or wrong |
//! | `faults` | the engine and the disk |
//! | `strategy` | every exhibit: a strategy gave up, or its outcome has to be looked up |
//! | `console` | what visitors of the console ask for |
//! | `keeper` | signing in, and the changes to accounts |
//! | `declared` | the description of the API |
//!
//! What only one exhibit answers is beside its handlers.

mod console;
pub(super) mod declared;
mod faults;
mod keeper;
mod request;
mod service;
pub(super) mod strategy;

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::FaultKind;
use crate::observe::timeline::{QueuedTime, TimelineStep};
use crate::verdict::Outcome;

/// An error, for programs and for people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// The kind of problem, which never changes: `urn:racy:problem:` and a name. If the engine
    /// refused, it is the fault's name.
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
    /// Whether the same request may succeed when it is sent again, without the risk that its work
    /// is done twice.
    pub retryable: bool,
    /// What became of what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The account's balance, if it is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i128>)]
    pub balance: Option<i128>,
    /// The number of attempts, if the strategy gave up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at_us: Option<u64>,
    /// What the request waited for: a worker, and connections to the database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queued: Vec<QueuedTime>,
    /// The steps up to the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Vec<TimelineStep>>,
    /// The field of a form that is wrong. The form's page marks it.
    #[serde(skip)]
    pub field: Option<&'static str>,
    /// The time for the Retry-After header.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    /// The engine's own words, for the log alone.
    #[serde(skip)]
    pub engine_words: Option<Box<str>>,
}

/// The part of a [`Problem`] that people read. Every response that is a problem carries it as an
/// extension, so that the keeper's pages can show it as HTML.
#[derive(Debug, Clone)]
pub(super) struct Complaint {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) detail: String,
}

/// When to ask again if the database is out of reach.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        name: &str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
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
            queued: Vec::new(),
            timeline: None,
            field: None,
            retry_after: None,
            engine_words: None,
        }
    }

    /// Adds when the request arrived, and its steps up to the refusal.
    pub(super) fn with_timeline(
        mut self,
        arrived_at_us: u64,
        queued: Vec<QueuedTime>,
        timeline: Vec<TimelineStep>,
    ) -> Self {
        self.arrived_at_us = Some(arrived_at_us);
        self.queued = queued;
        self.timeline = Some(timeline);
        self
    }

    fn write_to_the_log(&self) {
        let engine = self.engine_words.as_deref();
        tracing::warn!(
            problem = self.kind,
            code = self.code,
            engine,
            detail = self.detail
        );
    }

    /// The Retry-After header's value, in whole seconds and never too early. Only a status that
    /// promises that nothing was done gets one by itself: an obedient client would send again what
    /// must not be sent twice.
    fn retry_after_seconds(&self) -> Option<u64> {
        let nothing_was_done = self.status == StatusCode::SERVICE_UNAVAILABLE && self.retryable;
        let retry_after = self.retry_after.or(nothing_was_done.then_some(RETRY_AFTER));
        retry_after.map(|wait| wait.as_secs_f64().ceil() as u64)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            self.write_to_the_log();
        }
        let retry_after = self.retry_after_seconds();
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
            HeaderValue::from_static(declared::CONTENT_TYPE),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"racy\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
