//! One run: look at what is raced for, fire, look again.

use std::fmt;
use std::time::Instant;

use hyper::StatusCode;
use reqwest::Url;

use crate::answer::Answer;
use crate::burst::Burst;
use crate::consumer::Consumer;
use crate::evidence::Before;
use crate::ordinary::Client;
use crate::plan::{Pace, Plan};
use crate::report::Report;
use crate::spaced;
use crate::transport::TransportError;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The service answered and knows what is raced for.
    Probed,
    /// Every connection of a burst is open and warm; the release is next.
    Warm,
    /// A request was answered, or given up.
    Answered {
        /// The request's number, counted from 1.
        request: u32,
    },
}

/// Fires the plan's requests and reports what became of them.
///
/// # Errors
///
/// [`Error`] where nothing was fired. Whatever goes wrong later is told by the report.
pub async fn run(plan: &Plan, mut progress: impl FnMut(Progress)) -> Result<Report, Error> {
    let client = Client::new(plan)?;
    let before = Before::look(&client).await?;
    progress(Progress::Probed);

    let mut consumer = Consumer::new(&client);
    let fired = match plan.pace {
        Pace::Together => {
            let burst = Burst::prepare(plan).await?;
            progress(Progress::Warm);
            burst.fire(&client, &mut consumer, &mut progress).await
        }
        Pace::Every(wait) => spaced::fire(&client, wait, &mut consumer, &mut progress).await,
    };

    let evidence = before
        .into_evidence(&client, consumer, &fired.answers)
        .await;
    Ok(Report::new(plan.clone(), evidence, fired))
}

/// What firing brought, as it was observed.
#[derive(Debug)]
pub(crate) struct Fired {
    /// In any order.
    pub(crate) answers: Vec<Answer>,
    /// A burst's moments before its first release and after each.
    pub(crate) releases: Vec<Instant>,
}

/// Why an audit could not be read or a burst not be prepared.
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
