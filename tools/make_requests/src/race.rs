//! What an exhibit must tell, so that the tool can run a race for it.
//!
//! An [`Exhibit`] makes a [`Race`]; the race's first look at the service makes an [`Auditor`]; and
//! the auditor's last look makes the [`Evidence`]. Only the modules below `exhibits` implement
//! these traits, and no other module knows one exhibit from another.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use reqwest::Url;

use crate::amount::Amount;
use crate::answers::Answers;
use crate::audit::Anomaly;
use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::error::Error;
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::key::Keys;
use crate::pair::Pair;
use crate::receipt::Receipt;
use crate::service::Service;
use crate::strategy::Strategy;
use crate::table_name::{PartitionName, TableName};
use crate::verdict::{Trace, Verdict};

/// A future that a trait object returns.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A kind of shared thing that requests race for.
#[derive(Debug)]
pub(crate) struct Exhibit {
    /// What stands before the strategy in a target's name. None if the strategy is the whole name.
    pub(crate) prefix: Option<&'static str>,
    /// The first segment of the URLs that requests are posted to.
    pub(crate) route: &'static str,
    /// The options of the command line that have a meaning for this exhibit.
    pub(crate) options: &'static [&'static str],
    /// Makes a race from a strategy and the options. A strategy that takes no requests is refused.
    pub(crate) target: fn(Strategy, &TargetOptions) -> Result<Target, Invalid>,
    /// The two columns of a table that show what a request made.
    pub(crate) csv_columns: [&'static str; 2],
    /// What one request makes, e.g. `deposit`.
    pub(crate) product: &'static str,
    /// What may go wrong between two requests, e.g. `a lost update`.
    pub(crate) incident: &'static str,
    /// The caption of two requests between which it did, e.g. `between which …`.
    pub(crate) incident_caption: &'static str,
    /// What may still change while requests are in doubt, as a sentence.
    pub(crate) while_in_doubt: &'static str,
    /// The trace that a request leaves.
    pub(crate) trace: Trace,
}

/// Options of the command line that have a meaning for some targets only.
#[derive(Debug, Clone, Default)]
pub struct TargetOptions {
    /// The account of deposits and exports.
    pub account: Option<i64>,
    /// What one deposit adds.
    pub amount: Option<Amount>,
    /// Whether a request is sent again if its answer does not come in time.
    pub retry_timeouts: bool,
    /// Whether each request has a key (`Idempotency-Key`), the same each time it is sent.
    pub idempotency: bool,
    /// The table that is appended to.
    pub table: Option<TableName>,
    /// The partition that all appends belong to.
    pub partition: Option<PartitionName>,
}

impl TargetOptions {
    /// The names of the options that were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
        let options = [
            ("--account", self.account.is_some()),
            ("--amount", self.amount.is_some()),
            ("--retry-timeouts", self.retry_timeouts),
            ("--idempotency", self.idempotency),
            ("--table", self.table.is_some()),
            ("--partition", self.partition.is_some()),
        ];
        let given = options.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| name)
    }

    /// The account, or the one that every service has.
    pub(crate) fn account_or_first(&self) -> i64 {
        self.account.unwrap_or(1)
    }
}

/// The requests of a run: what they post, and how the service is looked at before them.
pub(crate) trait Race: fmt::Debug + Send + Sync {
    fn exhibit(&self) -> &'static Exhibit;

    fn strategy(&self) -> &Strategy;

    /// The URL that is read before the first request: it shows whether the service is there.
    fn probe_url(&self, base_url: &BaseUrl) -> Url;

    /// What the request of this number posts, in a run with these keys.
    fn body(&self, request: u32, keys: Keys) -> Body;

    /// Reads the answer to an acknowledged request. None if it is no receipt.
    fn receipt(&self, body: &[u8]) -> Option<Receipt>;

    /// Whether a request is sent again if its answer does not come in time.
    fn retries_timeouts(&self) -> bool {
        false
    }

    /// Whether each request has an `Idempotency-Key`.
    fn has_keys(&self) -> bool {
        false
    }

    /// What the requests do, after their number, e.g. `of 100 into account 1`.
    fn purpose(&self) -> String;

    /// What the requests do, as fields of a report.
    fn fields(&self) -> Fields;

    /// Looks at the service before the first request of a run with these keys.
    fn look<'a>(
        &'a self,
        service: &'a Service,
        keys: Keys,
    ) -> Pending<'a, Result<Arc<dyn Auditor>, Error>>;
}

/// Looks at the service during a run and after it.
pub(crate) trait Auditor: fmt::Debug + Send + Sync {
    /// Is called once, while requests are in flight.
    fn halfway(&self) {}

    /// Examines what a request was answered with, as soon as its answer is there.
    fn examine<'a>(&'a self, _request: u32, _receipt: &'a Receipt) -> Pending<'a, ()> {
        Box::pin(ready(()))
    }

    /// Looks at the service after the last answer.
    fn finish<'a>(&'a self, answers: &'a Answers) -> Pending<'a, Box<dyn Evidence>>;
}

/// What the audits of a run said.
pub(crate) trait Evidence: fmt::Debug + Send + Sync {
    /// Why the audit of the whole run could not be read. None if it could, or if there is none.
    fn audit_error(&self) -> Option<&Error>;

    /// The anomalies that the audits counted.
    fn anomalies(&self) -> Vec<Anomaly>;

    /// What went wrong, as a verdict. None if nothing did.
    fn anomaly(&self, answers: &Answers) -> Option<Verdict>;

    /// How many requests left a trace. None if that cannot be counted.
    fn traces(&self) -> Option<u64>;

    /// Why a part of the result could not be examined. None if all was.
    fn not_examined(&self) -> Option<String>;

    /// What a reader of the figures should know.
    fn remarks(&self, answers: &Answers) -> Vec<String>;

    /// The figures of a text report, with their names.
    fn figures(&self, answers: &Answers) -> Vec<(&'static str, String)>;

    /// The fields of a JSON report.
    fn fields(&self, answers: &Answers) -> Fields;

    /// Two requests between which something went wrong.
    fn incident<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>>;

    /// Two requests that overlapped.
    fn overlap<'a>(&self, answers: &'a Answers) -> Option<Pair<'a>>;
}

/// What the requests of a run race for, and by which strategy.
#[derive(Debug, Clone)]
pub struct Target(Arc<dyn Race>);

impl Target {
    pub(crate) fn new(race: impl Race + 'static) -> Self {
        Self(Arc::new(race))
    }

    pub(crate) fn race(&self) -> &dyn Race {
        &*self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strategy = self.race().strategy();
        match self.race().exhibit().prefix {
            Some(prefix) => write!(f, "{prefix}/{strategy}"),
            None => strategy.fmt(f),
        }
    }
}
