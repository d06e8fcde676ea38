//! Why a run could not begin, or an audit could not be read.

use std::fmt;

use hyper::StatusCode;
use reqwest::Url;

use crate::transport::TransportError;

/// Why an audit could not be read, or a burst could not be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Nobody answered.
    NoAnswer {
        /// What was asked.
        url: String,
        /// Why no answer arrived.
        cause: TransportError,
    },
    /// An answer began well, and the connection closed before its end.
    BrokenOff {
        /// What was asked.
        url: String,
        /// How it ended.
        cause: TransportError,
    },
    /// The service answered that there is no such account.
    UnknownAccount {
        /// The account that was asked for.
        account: i64,
        /// What was asked.
        url: String,
    },
    /// The answer was not what was asked for.
    Unfit(Unfit),
    /// One of a burst's connections could not be opened or warmed.
    NotWarm {
        /// How many connections the burst needs.
        connections: u32,
        /// What became of the one that failed.
        cause: TransportError,
    },
    /// The HTTP client itself could not be made.
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
                 GET /accounts lists those there are, --account names another"
            ),
            Self::Unfit(unfit) => unfit.fmt(f),
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
    pub(crate) fn no_answer(url: &Url, cause: TransportError) -> Self {
        Self::NoAnswer {
            url: url.to_string(),
            cause,
        }
    }
}

/// An answer that was not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What was asked.
    pub url: String,
    /// The answer's status.
    pub status: u16,
    /// What the answer should have been.
    pub wanted: &'static str,
    /// What it lacked.
    pub cause: String,
}

impl Unfit {
    /// An answer whose status alone says enough.
    pub(crate) fn of_status(url: &Url, status: StatusCode, wanted: &'static str) -> Self {
        let name = status.canonical_reason().unwrap_or("an unknown status");
        Self {
            url: url.to_string(),
            status: status.as_u16(),
            wanted,
            cause: name.to_owned(),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            status,
            wanted,
            cause,
        } = self;
        if *status >= 500 {
            return write!(f, "{url} answered {status}: {cause}; try again later");
        }
        write!(
            f,
            "{url} answered {status}, but not with {wanted} ({cause}); is this the right service?"
        )
    }
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}
