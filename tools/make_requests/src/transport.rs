//! How an answer is read, and why it may not arrive.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::RETRY_AFTER;
use hyper::{Response, StatusCode};
use serde::Serialize;

/// The longest answer that is read. A receipt has a few thousand bytes.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Why no complete answer arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    /// What kind of failure it was.
    pub kind: TransportErrorKind,
    /// The cause, in the words of the library that reported it.
    pub detail: String,
}

/// The kinds of transport errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportErrorKind {
    /// No connection could be opened, so the request was not sent.
    Connect,
    /// The answer was not complete in time.
    Timeout,
    /// The connection ended before the answer was complete.
    Closed,
    /// The bytes that arrived were not HTTP.
    NotHttp,
    /// The answer was longer than any receipt.
    TooLong,
    /// The run was stopped before the answer came.
    Stopped,
    /// Anything else.
    Other,
}

impl fmt::Display for TransportErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Timeout => "no answer in time",
            Self::Closed => "connection closed before the answer",
            Self::NotHttp => "answer was not HTTP",
            Self::TooLong => "answer was too long",
            Self::Stopped => "the run was stopped before the answer",
            Self::Other => "transport failed",
        })
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

impl StdError for TransportError {}

impl TransportError {
    /// A connection that could not be opened.
    pub(crate) fn connect(error: &(dyn StdError + 'static)) -> Self {
        Self {
            kind: TransportErrorKind::Connect,
            detail: innermost(error).to_string(),
        }
    }

    /// A failure on an open connection, classified by the errors that caused it.
    pub(crate) fn on_connection(error: &(dyn StdError + 'static)) -> Self {
        let kind = causes(error)
            .find_map(classify)
            .unwrap_or(TransportErrorKind::Other);
        Self {
            kind,
            detail: innermost(error).to_string(),
        }
    }

    /// A failure of a request that opened its own connection.
    pub(crate) fn of_request(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::connect(error)
        } else {
            Self::on_connection(error)
        }
    }

    /// Whether the request may have reached the service.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.kind != TransportErrorKind::Connect
    }

    /// The run was stopped, and the patience with its requests is over.
    pub(crate) fn stopped() -> Self {
        Self {
            kind: TransportErrorKind::Stopped,
            detail: "the request may still be carried out".to_owned(),
        }
    }

    fn timeout(after: Duration) -> Self {
        Self {
            kind: TransportErrorKind::Timeout,
            detail: format!("given up after {} s", after.as_secs_f64()),
        }
    }
}

fn classify(cause: &(dyn StdError + 'static)) -> Option<TransportErrorKind> {
    if cause.is::<http_body_util::LengthLimitError>() {
        return Some(TransportErrorKind::TooLong);
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return classify_hyper(error);
    }
    match cause.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Some(TransportErrorKind::Closed),
        _ => None,
    }
}

fn classify_hyper(error: &hyper::Error) -> Option<TransportErrorKind> {
    if error.is_parse() {
        Some(TransportErrorKind::NotHttp)
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Some(TransportErrorKind::Closed)
    } else {
        None
    }
}

/// An error and its causes, the outermost first.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn innermost<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    causes(error).last().unwrap_or(error)
}

/// Waits for `work`, at most as long as `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(TransportError::timeout(limit)))
}

/// An answer that was read to its end, as it came.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: StatusCode,
    /// When to ask again. None if the answer does not say so in seconds.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// Reads an answer to its end.
pub(crate) async fn receive<B>(response: Response<B>) -> Result<RawAnswer, TransportError>
where
    B: Body,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|it| it.to_str().ok()?.parse().ok());
    let body = Limited::new(response.into_body(), LONGEST_ANSWER)
        .collect()
        .await
        .map_err(|error| TransportError::on_connection(error.as_ref()))?;
    Ok(RawAnswer {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        body: body.to_bytes(),
    })
}

/// Reads a body of any length to its end and keeps nothing of it. Returns its length.
pub(crate) async fn drain<B>(mut body: B) -> Result<u64, TransportError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| TransportError::on_connection(error.into().as_ref()))?;
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(bytes)
}
