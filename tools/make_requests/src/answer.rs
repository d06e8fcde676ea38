//! The answer to one request: a receipt, a refusal, or none at all.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::receipt::{Queued, Receipt, Step};
use crate::transport::{RawAnswer, TransportError, TransportErrorKind};
use crate::words::printable;

/// One request of a run and how it ended.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request's number, counted from 1 in the order of release.
    pub request: u32,
    /// The moment before its first byte was handed to the system.
    pub started: Instant,
    /// The moment when its answer was complete, or when the wait for it was given up.
    pub ended: Instant,
    /// How many times it was sent.
    pub sent: u32,
    /// How it ended the last time it was sent.
    pub outcome: Outcome,
}

impl Answer {
    /// A request whose answer is not waited for any longer, because the run was stopped.
    pub(crate) fn given_up(request: u32, started: Instant) -> Self {
        Self {
            request,
            started,
            ended: Instant::now(),
            sent: 1,
            outcome: Outcome::NoAnswer(TransportError::stopped()),
        }
    }

    /// How long the request took, as its client saw it.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.ended.saturating_duration_since(self.started)
    }

    /// The receipt. None if the request was not acknowledged with one.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        self.outcome.receipt()
    }

    /// What the service did for the request. None if it did not say.
    #[must_use]
    pub fn visit(&self) -> Option<Visit<'_>> {
        match &self.outcome {
            Outcome::Acknowledged { receipt, .. } => receipt.as_deref().map(|receipt| Visit {
                arrived_at_us: receipt.arrived_at_us,
                queued: &receipt.queued,
                timeline: &receipt.timeline,
            }),
            Outcome::Refused(problem) | Outcome::Partial(problem) | Outcome::Unknown(problem) => {
                Some(Visit {
                    arrived_at_us: problem.arrived_at_us,
                    queued: &problem.queued,
                    timeline: &problem.timeline,
                })
            }
            Outcome::NoAnswer(_) => None,
        }
    }

    /// The HTTP status. None if no answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.outcome {
            Outcome::Acknowledged { status, .. } => Some(*status),
            Outcome::Refused(problem) | Outcome::Partial(problem) | Outcome::Unknown(problem) => {
                Some(problem.status)
            }
            Outcome::NoAnswer(_) => None,
        }
    }
}

/// What a service did for a request, acknowledged or not.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// When the request arrived, by the server's clock, in µs since 1970.
    pub arrived_at_us: Option<i64>,
    /// The waits for what the service has a limited number of.
    pub queued: &'a [Queued],
    /// The steps in the order they ran.
    pub timeline: &'a [Step],
}

/// How a request ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The service promised that the result is kept.
    Acknowledged {
        /// The HTTP status, a success.
        status: u16,
        /// The receipt. None if the answer was something else.
        receipt: Option<Box<Receipt>>,
    },
    /// The service refused, and kept nothing.
    Refused(Problem),
    /// Code without a transaction failed half way: a part was kept.
    Partial(Problem),
    /// The service does not know whether anything was kept, e.g. because the answer to its commit
    /// was lost.
    Unknown(Problem),
    /// No complete answer arrived.
    NoAnswer(TransportError),
}

impl Outcome {
    /// Reads an answer. It never fails: of a body that makes no sense, the status remains.
    pub(crate) fn read(
        received: &RawAnswer,
        read_receipt: impl Fn(&[u8]) -> Option<Receipt>,
    ) -> Self {
        let RawAnswer { status, body, .. } = received;
        if status.is_success() {
            return Self::Acknowledged {
                status: status.as_u16(),
                receipt: read_receipt(body).map(Box::new),
            };
        }
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        let problem = Problem::read(received, &document);
        match document.get("outcome").and_then(Value::as_str) {
            Some("refused") => Self::Refused(problem),
            Some("partial") => Self::Partial(problem),
            Some("unknown") => Self::Unknown(problem),
            _ if is_a_refusal(*status) => Self::Refused(problem),
            _ => Self::Unknown(problem),
        }
    }

    /// The receipt, if there is one.
    pub(crate) fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Acknowledged { receipt, .. } => receipt.as_deref(),
            Self::Refused(_) | Self::Partial(_) | Self::Unknown(_) | Self::NoAnswer(_) => None,
        }
    }

    /// Whether this tool, or a gateway before the service, waited for the answer in vain.
    pub(crate) fn timed_out(&self) -> bool {
        match self {
            Self::NoAnswer(error) => error.kind == TransportErrorKind::Timeout,
            Self::Unknown(problem) => problem.status == StatusCode::GATEWAY_TIMEOUT,
            Self::Acknowledged { .. } | Self::Refused(_) | Self::Partial(_) => false,
        }
    }

    /// When to ask again, if an earlier request with the same key is still running.
    pub(crate) fn in_flight(&self) -> Option<Duration> {
        match self {
            Self::Refused(problem) if problem.status == StatusCode::CONFLICT => problem.retry_after,
            Self::Acknowledged { .. }
            | Self::Refused(_)
            | Self::Partial(_)
            | Self::Unknown(_)
            | Self::NoAnswer(_) => None,
        }
    }

    /// Whether the request may have been kept although it was not acknowledged.
    pub(crate) fn is_in_doubt(&self) -> bool {
        match self {
            Self::Acknowledged { .. } | Self::Refused(_) => false,
            Self::Partial(_) | Self::Unknown(_) => true,
            Self::NoAnswer(error) => error.was_sent(),
        }
    }
}

/// Whether the status alone says that nothing was kept. After 500, 502 and 504 a part may have
/// been kept: the server failed, or a gateway lost the server behind it.
fn is_a_refusal(status: StatusCode) -> bool {
    !status.is_server_error()
        || status == StatusCode::SERVICE_UNAVAILABLE
        || status == StatusCode::NOT_IMPLEMENTED
}

/// What a service said instead of acknowledging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The problem's type, a URI, e.g. `urn:racy:problem:gave-up`.
    pub kind: Option<String>,
    /// A short sentence. If the body had none, it is the status's own name.
    pub title: String,
    /// More about this case.
    pub detail: Option<String>,
    /// The class of the database's refusal, e.g. `deadlock`.
    pub fault: Option<String>,
    /// The database's own code, e.g. `1213`.
    pub code: Option<String>,
    /// How many times the service ran the request. None if it did not say.
    pub attempts: Option<u32>,
    /// When to ask again, if the service says so.
    pub retry_after: Option<Duration>,
    /// When the request arrived, by the server's clock, in µs since 1970.
    pub arrived_at_us: Option<i64>,
    /// The waits for what the service has a limited number of.
    pub queued: Vec<Queued>,
    /// The steps up to the refusal.
    pub timeline: Vec<Step>,
}

impl Problem {
    fn read(received: &RawAnswer, document: &Value) -> Self {
        let text = |name: &str| match document.get(name)? {
            Value::String(text) => Some(printable(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let status = received.status;
        let name_of_status = || status.canonical_reason().unwrap_or("no title").to_owned();
        Self {
            status: status.as_u16(),
            kind: text("type"),
            title: text("title").unwrap_or_else(name_of_status),
            detail: text("detail"),
            fault: text("fault"),
            code: text("code"),
            attempts: document
                .get("attempts")
                .and_then(Value::as_u64)
                .and_then(|it| it.try_into().ok()),
            retry_after: received.retry_after,
            arrived_at_us: document.get("arrived_at_us").and_then(Value::as_i64),
            queued: list(document, "queued"),
            timeline: list(document, "timeline"),
        }
    }
}

/// A list in a document. Empty if there is none, or one that makes no sense.
fn list<T: DeserializeOwned>(document: &Value, name: &str) -> Vec<T> {
    let list = document.get(name).cloned().unwrap_or_default();
    serde_json::from_value(list).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Outcome {
        let received = RawAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            body: body.to_owned().into(),
        };
        Outcome::read(&received, |_| None)
    }

    #[test]
    fn a_success_without_a_receipt_is_acknowledged_too() {
        let outcome = read(201, "<html>ok</html>");
        assert!(matches!(
            outcome,
            Outcome::Acknowledged {
                status: 201,
                receipt: None
            }
        ));
    }

    #[test]
    fn the_problem_says_whether_anything_was_kept() {
        let problem = |outcome| format!(r#"{{"outcome": "{outcome}", "fault": "unavailable"}}"#);
        let outcome = read(500, &problem("refused"));
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
        let outcome = read(500, &problem("partial"));
        assert!(matches!(outcome, Outcome::Partial(_)), "{outcome:?}");
        let outcome = read(409, &problem("unknown"));
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        let outcome = read(409, &problem("a later word"));
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }

    #[test]
    fn without_an_outcome_the_status_decides() {
        for status in [302, 400, 404, 409, 429, 501, 503] {
            let outcome = read(status, "<html>");
            assert!(matches!(outcome, Outcome::Refused(_)), "{status}");
        }
        for status in [500, 502, 504] {
            let outcome = read(status, "<html>");
            assert!(matches!(outcome, Outcome::Unknown(_)), "{status}");
        }
    }

    #[test]
    fn a_problem_is_read_field_by_field() {
        let read = |status, body| match read(status, body) {
            Outcome::Refused(problem) => problem,
            other => panic!("{other:?}"),
        };
        let deadlock = read(409, r#"{"title": 1, "fault": "deadlock", "code": 1213}"#);
        assert_eq!(deadlock.fault.as_deref(), Some("deadlock"));
        assert_eq!(deadlock.code.as_deref(), Some("1213"));
        let late = r#"{"type": "urn:racy:problem:gave-up", "attempts": 6}"#;
        let late = read(409, late);
        assert_eq!(late.kind.as_deref(), Some("urn:racy:problem:gave-up"));
        assert_eq!((late.attempts, deadlock.attempts), (Some(6), None));
        let title = read(400, r#"{"title": "No\namount", "detail": []}"#).title;
        assert_eq!(title, "No amount");
        assert_eq!(read(404, "garbage").title, "Not Found");
        assert_eq!(read(499, "[]").title, "no title");
    }
}
