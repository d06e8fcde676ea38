//! One run: read the account, fire, read the account again.

use std::fmt;
use std::time::Instant;

use hyper::StatusCode;

use crate::account::Account;
use crate::burst::Burst;
use crate::ordinary::Client;
use crate::plan::{Pace, Plan};
use crate::report::Report;
use crate::spaced;
use crate::transport::TransportError;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The service answered and knows the account.
    Probed,
    /// Every connection of a burst is open and warm; the release is next.
    Warm,
    /// A request was answered, or given up.
    Answered {
        /// The request's number, counted from 1.
        request: u32,
    },
}

/// Fires the plan's deposits and reports what became of them.
///
/// # Errors
///
/// [`Error`] where nothing was fired. Whatever goes wrong later is told by the report.
pub async fn run(plan: &Plan, mut progress: impl FnMut(Progress)) -> Result<Report, Error> {
    let client = Client::new(plan)?;
    let before = client.account().await?;
    progress(Progress::Probed);

    let fired = match plan.pace {
        Pace::Together => {
            let burst = Burst::prepare(plan).await?;
            progress(Progress::Warm);
            burst.fire(&client, &mut progress).await
        }
        Pace::Every(wait) => spaced::fire(&client, wait, &mut progress).await,
    };

    let after = client.account().await;
    Ok(Report::new(plan.clone(), before, after, fired))
}

/// What firing brought, as it was observed.
#[derive(Debug)]
pub(crate) struct Fired {
    /// In any order.
    pub(crate) answers: Vec<crate::answer::Answer>,
    /// A burst's moments before its first release and after each.
    pub(crate) releases: Vec<Instant>,
}

/// Why the account could not be read or a burst not be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Nobody answered.
    NoAnswer {
        /// What was asked.
        url: String,
        /// Why no answer arrived.
        cause: TransportError,
    },
    /// The service answered that there is no such account.
    UnknownAccount {
        /// The account that was asked for.
        account: i64,
        /// What was asked.
        url: String,
    },
    /// The answer was not an account with its audit.
    NotAnAccount {
        /// What was asked.
        url: String,
        /// The answer's status.
        status: u16,
        /// What the answer lacked.
        cause: String,
    },
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
            Self::UnknownAccount { account, url } => write!(
                f,
                "account {account} is unknown: {url} answered 404; \
                 GET /accounts lists those there are, --account names another"
            ),
            Self::NotAnAccount {
                url,
                status: status @ 500..,
                cause,
            } => write!(f, "{url} answered {status}: {cause}; try again later"),
            Self::NotAnAccount { url, status, cause } => write!(
                f,
                "{url} answered {status}, but not with an account and its audit ({cause}); \
                 is this the right service?"
            ),
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

/// Reads an answer to "show me the account".
pub(crate) fn read_account(plan: &Plan, status: StatusCode, body: &[u8]) -> Result<Account, Error> {
    let url = plan.account_url().to_string();
    match status {
        StatusCode::OK => serde_json::from_slice(body).map_err(|error| Error::NotAnAccount {
            url,
            status: status.as_u16(),
            cause: error.to_string(),
        }),
        StatusCode::NOT_FOUND => Err(Error::UnknownAccount {
            account: plan.account,
            url,
        }),
        _ => Err(Error::NotAnAccount {
            url,
            status: status.as_u16(),
            cause: status
                .canonical_reason()
                .unwrap_or("an unknown status")
                .to_owned(),
        }),
    }
}
