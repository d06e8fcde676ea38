//! Why a run could not begin, or an audit could not be read.

use std::fmt;

use hyper::StatusCode;
use reqwest::Url;

use crate::transport::TransportError;

/// Why an audit could not be read, or a burst could not be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// No answer came.
    NoAnswer {
        /// The URL of the request.
        url: String,
        /// Why not.
        cause: TransportError,
    },
    /// A download began, and its connection closed before the end.
    BrokenOff {
        /// The URL of the request.
        url: String,
        /// How the connection ended.
        cause: TransportError,
    },
    /// The service does not know the account.
    UnknownAccount {
        /// The account's number.
        account: i64,
        /// The URL of the request.
        url: String,
    },
    /// An answer was of another kind than expected.
    Unexpected(UnexpectedAnswer),
    /// One of a burst's connections could not be opened or warmed.
    NotWarm {
        /// How many connections the burst needs.
        connections: u32,
        /// Why one of them failed.
        cause: TransportError,
    },
    /// The HTTP client could not be made.
    Client(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { url, cause } => {
                write!(
                    f,
                    "no answer from {url} ({cause}); is the service running there?"
                )
            }
            Self::BrokenOff { url, cause } => {
                write!(f, "the answer from {url} broke off ({cause})")
            }
            Self::UnknownAccount { account, url } => write!(
                f,
                "account {account} is unknown: {url} answered 404; \
                 GET /accounts lists all accounts, and --account chooses one"
            ),
            Self::Unexpected(answer) => answer.fmt(f),
            Self::NotWarm { connections, cause } => write!(
                f,
                "a burst needs {connections} open connections, and one failed ({cause}); \
                 the service must keep idle connections open, and the limit on open files \
                 (ulimit -n) must allow them"
            ),
            Self::Client(cause) => write!(f, "the HTTP client could not be made: {cause}"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Whether the service answered that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Unexpected(UnexpectedAnswer { status: 404, .. }))
    }

    pub(crate) fn no_answer(url: &Url, cause: TransportError) -> Self {
        Self::NoAnswer {
            url: url.to_string(),
            cause,
        }
    }
}

/// An answer of another kind than expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnexpectedAnswer {
    /// The URL of the request.
    pub url: String,
    /// The answer's status.
    pub status: u16,
    /// What the answer should have been, e.g. `an audit of orders`.
    pub expected: &'static str,
    /// What was wrong with it.
    pub cause: String,
}

impl UnexpectedAnswer {
    /// An answer whose status says enough.
    pub(crate) fn of_status(url: &Url, status: StatusCode, expected: &'static str) -> Self {
        let name = status.canonical_reason().unwrap_or("an unknown status");
        Self {
            url: url.to_string(),
            status: status.as_u16(),
            expected,
            cause: name.to_owned(),
        }
    }
}

impl fmt::Display for UnexpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            status,
            expected,
            cause,
        } = self;
        if *status >= 500 {
            return write!(f, "{url} answered {status}: {cause}; try again later");
        }
        write!(
            f,
            "{url} answered {status}, but not with {expected} ({cause}); is this the right service?"
        )
    }
}

impl From<UnexpectedAnswer> for Error {
    fn from(answer: UnexpectedAnswer) -> Self {
        Self::Unexpected(answer)
    }
}
