//! What came back for one request: a receipt, a refusal, or no answer at all.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::audit::{FileAudit, Id};
use crate::error::Error;
use crate::transport::{Received, TransportError, TransportErrorKind};
use crate::words::{number_if_any, printable, printable_label};

/// One request of a run and how it ended.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request's number, counted from 1 in the order of release.
    pub request: u32,
    /// The moment before its first byte was handed to the system.
    pub started: Instant,
    /// The moment its answer was complete, or was given up.
    pub ended: Instant,
    /// How often it was sent.
    pub sent: u32,
    /// How it ended, the last time.
    pub outcome: Outcome,
    /// The file that it was answered with, looked at on the spot; `None` where it was no export.
    pub inspection: Option<Inspection>,
}

/// A look at an exported file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The file's name.
    pub file: String,
    /// How many bytes its download had, or why it did not come to its end.
    pub download: Result<u64, Error>,
    /// What the service's audit said right after the download, or why it said nothing.
    pub audit: Result<FileAudit, Error>,
}

impl Inspection {
    /// Why the download did not come to its end, although the service had said how long it would be:
    /// as where somebody empties the file meanwhile.
    pub(crate) fn broken_off(&self) -> Option<&TransportError> {
        match &self.download {
            Err(Error::BrokenOff { cause, .. }) => Some(cause),
            _ => None,
        }
    }

    /// Why one of the two failed, where one did; a download that broke off is a finding and no failure.
    pub(crate) fn failure(&self) -> Option<&Error> {
        let download = self.download.as_ref().err();
        let download = download.filter(|_| self.broken_off().is_none());
        download.or(self.audit.as_ref().err())
    }
}

impl Answer {
    /// How long the request took, as its client saw it.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.ended.saturating_duration_since(self.started)
    }

    /// The receipt, where the request was acknowledged with one.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        self.outcome.receipt()
    }

    /// The HTTP status, where there was an answer.
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

/// How a request ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The service promised that what was asked for is kept.
    Acknowledged {
        /// The HTTP status, a success.
        status: u16,
        /// What the service told about it. Absent where the answer was no receipt.
        receipt: Option<Box<Receipt>>,
    },
    /// The service said no, and kept nothing.
    Refused(Problem),
    /// Code without a transaction failed half way: a part was kept.
    Partial(Problem),
    /// The service does not know whether anything was kept, e.g. since the answer to its
    /// commit was lost.
    Unknown(Problem),
    /// No complete answer arrived.
    NoAnswer(TransportError),
}

impl Outcome {
    /// What an answer says, or what it means that there is none.
    pub(crate) fn of(answer: Result<Received, TransportError>) -> Self {
        let received = match answer {
            Ok(received) => received,
            Err(error) => return Self::NoAnswer(error),
        };
        match Self::read(received.status, &received.body) {
            Self::Refused(problem) => Self::Refused(Problem {
                retry_after: received.retry_after,
                ..problem
            }),
            other => other,
        }
    }

    /// The receipt, where there is one.
    pub(crate) fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Acknowledged { receipt, .. } => receipt.as_deref(),
            _ => None,
        }
    }

    /// Whether the answer did not come in time: neither to this tool nor to a gateway in between.
    pub(crate) fn timed_out(&self) -> bool {
        match self {
            Self::NoAnswer(error) => error.kind == TransportErrorKind::Timeout,
            Self::Unknown(problem) => problem.status == StatusCode::GATEWAY_TIMEOUT,
            Self::Acknowledged { .. } | Self::Refused(_) | Self::Partial(_) => false,
        }
    }

    /// When to ask again for a request that is in flight under the same key.
    pub(crate) fn in_flight(&self) -> Option<Duration> {
        match self {
            Self::Refused(problem) if problem.status == StatusCode::CONFLICT => problem.retry_after,
            _ => None,
        }
    }

    /// Reads an answer. Never fails: a body that makes no sense leaves what the status says.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Self {
        if status.is_success() {
            return Self::Acknowledged {
                status: status.as_u16(),
                receipt: serde_json::from_slice(body).ok(),
            };
        }
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        let problem = Problem::read(status, &document);
        match document.get("outcome").and_then(Value::as_str) {
            Some("refused") => Self::Refused(problem),
            Some("partial") => Self::Partial(problem),
            Some("unknown") => Self::Unknown(problem),
            _ if keeps_nothing(status) => Self::Refused(problem),
            _ => Self::Unknown(problem),
        }
    }
}

/// Whether the status alone says that the request was not carried out. A server that failed, or
/// a gateway that lost the server behind it (500, 502, 504), cannot say so.
fn keeps_nothing(status: StatusCode) -> bool {
    !status.is_server_error()
        || status == StatusCode::SERVICE_UNAVAILABLE
        || status == StatusCode::NOT_IMPLEMENTED
}

/// A service's account of an acknowledged request. Whatever it does not tell is absent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Receipt {
    /// What was made.
    #[serde(flatten)]
    pub made: Made,
    /// How many times the service ran the request until one run was kept.
    #[serde(default)]
    pub attempts: Option<u32>,
    /// When the request arrived, by the server's clock, in µs since 1970.
    #[serde(default)]
    pub arrived_at_us: Option<i64>,
    /// The steps in the order they ran, failed attempts included.
    #[serde(default)]
    pub timeline: Vec<Step>,
}

/// What an acknowledged request made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Made {
    /// A deposit.
    Deposit(Deposited),
    /// An order.
    Order(Ordered),
    /// An export.
    Export(Exported),
}

/// A deposit that was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Deposited {
    /// What was deposited.
    pub amount: i64,
    /// The balance that the deposit was computed from.
    #[serde(default)]
    pub balance_read: Option<i64>,
    /// The balance that it wrote.
    #[serde(default)]
    pub balance_written: Option<i64>,
}

/// An order that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ordered {
    /// Its number, where the strategy can learn it.
    #[serde(default)]
    pub order: Option<Id>,
    /// Who ordered.
    pub customer_no: i64,
}

/// A file that was exported.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Exported {
    /// The export that every row of it should come from.
    pub export: Id,
    /// The file's name.
    #[serde(deserialize_with = "printable_label")]
    pub file: String,
    /// Where it is downloaded from, by its path.
    pub url: String,
    /// How many rows were written.
    pub rows: u64,
}

impl Receipt {
    /// The deposit, where it is of one.
    #[must_use]
    pub fn deposit(&self) -> Option<&Deposited> {
        match &self.made {
            Made::Deposit(deposited) => Some(deposited),
            _ => None,
        }
    }

    /// The order, where it is of one.
    #[must_use]
    pub fn order(&self) -> Option<&Ordered> {
        match &self.made {
            Made::Order(ordered) => Some(ordered),
            _ => None,
        }
    }

    /// The export, where it is of one.
    #[must_use]
    pub fn export(&self) -> Option<&Exported> {
        match &self.made {
            Made::Export(exported) => Some(exported),
            _ => None,
        }
    }
}

/// One visible step of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Step {
    /// What kind of step it is.
    pub action: Action,
    /// What it is called, e.g. `write balance`.
    #[serde(default, deserialize_with = "printable_label")]
    pub label: String,
    /// When it started, in µs after the request's arrival.
    pub start_us: i64,
    /// How long it took, in µs.
    #[serde(default)]
    pub duration_us: i64,
    /// The value that was read or written, where it is a number.
    #[serde(default, deserialize_with = "number_if_any")]
    pub value: Option<i64>,
    /// Whether it was to change rows and found none.
    #[serde(default)]
    pub matched_no_row: bool,
}

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A transaction begins.
    Begin,
    /// Something is read.
    Read,
    /// The code takes its time: the delay.
    Think,
    /// Something is written.
    Write,
    /// A transaction ends and is kept.
    Commit,
    /// A transaction ends and is not kept.
    Rollback,
    /// A kind that this tool does not know.
    #[serde(other)]
    Other,
}

/// What a service said instead of acknowledging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A short sentence; the status's own name where the body had none.
    pub title: String,
    /// More about this very case.
    pub detail: Option<String>,
    /// The database's refusal by its class, e.g. `deadlock`.
    pub fault: Option<String>,
    /// The database's own code, e.g. `1213`.
    pub code: Option<String>,
    /// When to ask again, where the service says so.
    pub retry_after: Option<Duration>,
}

impl Problem {
    fn read(status: StatusCode, document: &Value) -> Self {
        let text = |name: &str| match document.get(name)? {
            Value::String(text) => Some(printable(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let name_of_status = || status.canonical_reason().unwrap_or("no title").to_owned();
        Self {
            status: status.as_u16(),
            title: text("title").unwrap_or_else(name_of_status),
            detail: text("detail"),
            fault: text("fault"),
            code: text("code"),
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Outcome {
        Outcome::read(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn a_receipt_may_lack_much_and_hold_more() {
        let Outcome::Acknowledged {
            receipt: Some(receipt),
            ..
        } = read(
            200,
            r#"{"amount": 5, "later": [1], "timeline": [
                {"action": "teleport", "label": "a\u001b[2Jb", "start_us": 1, "sql": "SELECT 1"}]}"#,
        )
        else {
            panic!("no receipt");
        };
        let deposited = receipt.deposit().unwrap();
        assert_eq!((deposited.amount, deposited.balance_read), (5, None));
        assert_eq!(receipt.timeline[0].action, Action::Other);
        assert_eq!(receipt.timeline[0].label, "a [2Jb");
    }

    #[test]
    fn orders_and_exports_have_receipts_too() {
        let receipt = |body| match read(200, body) {
            Outcome::Acknowledged {
                receipt: Some(receipt),
                ..
            } => *receipt,
            other => panic!("{other:?}"),
        };
        let numbered = receipt(
            r#"{"strategy": "x", "book": 1, "order": 17, "customer_no": 3, "attempts": 2,
                "timeline": [{"action": "read", "start_us": 1, "value": "not a number"}]}"#,
        );
        let order = numbered.order().unwrap();
        assert_eq!(order.order.as_ref().unwrap().to_string(), "17");
        assert_eq!(
            (numbered.attempts, numbered.timeline[0].value),
            (Some(2), None)
        );
        let unlearned = receipt(r#"{"order": null, "customer_no": 3}"#);
        assert_eq!(unlearned.order().unwrap().order, None);

        let exported = receipt(
            r#"{"account": 1, "export": 9, "file": "t.csv", "url": "/exports/t.csv", "rows": 2}"#,
        );
        assert_eq!(exported.export().unwrap().url, "/exports/t.csv");
    }

    #[test]
    fn a_success_without_a_receipt_is_acknowledged_all_the_same() {
        for body in ["", "<html>ok</html>", "{}", "null", r#"{"amount": "many"}"#] {
            assert!(
                matches!(
                    read(201, body),
                    Outcome::Acknowledged {
                        status: 201,
                        receipt: None
                    }
                ),
                "{body}"
            );
        }
    }

    #[test]
    fn the_problem_says_what_became_of_the_deposit() {
        let problem = |outcome| format!(r#"{{"outcome": "{outcome}", "fault": "unavailable"}}"#);
        assert!(matches!(
            read(500, &problem("refused")),
            Outcome::Refused(_)
        ));
        assert!(matches!(
            read(500, &problem("partial")),
            Outcome::Partial(_)
        ));
        assert!(matches!(
            read(409, &problem("unknown")),
            Outcome::Unknown(_)
        ));
        assert!(matches!(
            read(409, &problem("later word")),
            Outcome::Refused(_)
        ));
    }

    #[test]
    fn without_a_word_the_status_decides() {
        for status in [302, 400, 404, 409, 429, 501, 503] {
            assert!(
                matches!(read(status, "<html>"), Outcome::Refused(_)),
                "{status}"
            );
        }
        for status in [500, 502, 504] {
            assert!(
                matches!(read(status, "<html>"), Outcome::Unknown(_)),
                "{status}"
            );
        }
    }

    #[test]
    fn problems_are_read_field_by_field() {
        let read = |status, body| match read(status, body) {
            Outcome::Refused(problem) => problem,
            other => panic!("{other:?}"),
        };
        let deadlock = read(409, r#"{"title": 1, "fault": "deadlock", "code": 1213}"#);
        assert_eq!(deadlock.fault.as_deref(), Some("deadlock"));
        assert_eq!(deadlock.code.as_deref(), Some("1213"));
        assert_eq!(
            read(400, r#"{"title": "No\namount", "detail": []}"#).title,
            "No amount"
        );
        assert_eq!(read(404, "garbage").title, "Not Found");
        assert_eq!(read(499, "[]").title, "no title");
    }
}
