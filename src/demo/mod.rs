//! The demo: ten requests of each strategy, released together over real HTTP, and how they ended.
//!
//! | file | exhibit |
//! |---|---|
//! | `deposits` | an account's balance |
//! | `audited` | order numbers and CSV files: exhibits with an audit that names its anomalies |
//! | `service` | the instances of the service that the requests go to |
//! | `table` | results as a table |

mod audited;
mod deposits;
mod service;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use make_requests::trace::Trace;
use make_requests::{Progress, Report};
use serde::Serialize;

use audited::{AuditedExhibit, AuditedResult};
use deposits::DepositsResult;
use service::RunningService;

use crate::engine::choice::HOW_TO_CHANGE;
use crate::engine::{Database, Engine, Flavour, Isolation};

/// How many requests each strategy gets.
const REQUESTS: u32 = 10;

/// Far more than ten requests take one after the other.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why the demo could not run.
pub(crate) type DemoError = Box<dyn std::error::Error + Send + Sync>;

/// Which exhibits to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Selection {
    /// An account's balance.
    #[default]
    Deposits,
    /// Order numbers, and a consumer that reads the orders.
    Orders,
    /// CSV files that several requests write on the server.
    Exports,
    /// Tables made of files.
    Tables,
    /// All of these, one after the other.
    All,
}

/// The exhibits that are shown in the same way.
const AUDITED: [(Selection, AuditedExhibit); 3] = [
    (Selection::Orders, AuditedExhibit::Orders),
    (Selection::Exports, AuditedExhibit::Exports),
    (Selection::Tables, AuditedExhibit::Tables),
];

impl Selection {
    fn includes(self, one: Self) -> bool {
        self == one || self == Self::All
    }
}

/// How the ten requests of one strategy ended.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum StrategyResult {
    /// Deposits.
    Deposits(DepositsResult),
    /// Orders, exports or tables.
    Audited(AuditedResult),
}

impl StrategyResult {
    /// Whether something went wrong although the strategy must be safe.
    pub(crate) fn broke_its_promise(&self) -> bool {
        match self {
            Self::Deposits(result) => result.broke_its_promise(),
            Self::Audited(result) => result.broke_its_promise(),
        }
    }
}

/// Refusals of one kind.
#[derive(Debug, Serialize)]
struct Refusals {
    /// The fault. None if the strategy refused, and not the engine.
    fault: Option<String>,
    /// The engine's code.
    code: Option<String>,
    /// The number of requests.
    requests: usize,
}

/// The version of the demo's JSON report. It changes when a field is renamed, removed or given
/// another meaning.
pub(crate) const REPORT_VERSION: u32 = 1;

/// Starts the service over this database on free loopback ports, and shows every strategy of the
/// selected exhibits. The trace gets the requests of each strategy.
pub(crate) async fn run(
    database: &Database,
    selection: Selection,
    trace: &mut Trace,
) -> Result<Vec<StrategyResult>, DemoError> {
    let folder = tempfile::tempdir()?;
    let services = [
        RunningService::start(database, folder.path()).await?,
        RunningService::start(database, folder.path()).await?,
    ];
    let bar = progress_bar(selection);
    let mut results = Vec::new();
    if selection.includes(Selection::Deposits) {
        let deposits = deposits::run(database, &services, &bar, trace).await?;
        results.extend(deposits.into_iter().map(StrategyResult::Deposits));
    }
    for (name, exhibit) in AUDITED {
        if selection.includes(name) {
            let audited = exhibit.run(database, &services[0], &bar, trace).await?;
            results.extend(audited.into_iter().map(StrategyResult::Audited));
        }
    }
    bar.finish_and_clear();
    for service in services {
        service.stop().await?;
    }
    Ok(results)
}

/// A bar on standard error. It shows nothing if that is no terminal.
fn progress_bar(selection: Selection) -> ProgressBar {
    let audited = AUDITED.map(|(name, exhibit)| (name, exhibit.requests()));
    let requests = [(Selection::Deposits, deposits::requests())]
        .into_iter()
        .chain(audited)
        .filter(|(name, _)| selection.includes(*name))
        .map(|(_, requests)| requests)
        .sum();
    let style = ProgressStyle::with_template("{bar:30} {pos:>2}/{len} {msg}");
    ProgressBar::new(requests).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Moves the bar with each answer.
fn move_bar(bar: &ProgressBar) -> impl FnMut(Progress) + '_ {
    |progress| {
        if let Progress::Answered { .. } = progress {
            bar.inc(1);
        }
    }
}

/// The refusals of all instances, by fault and code.
fn refusals(reports: &[Report]) -> Vec<Refusals> {
    let mut kinds = BTreeMap::new();
    for problems in reports.iter().flat_map(|it| it.answers.refused()) {
        *kinds.entry((problems.fault, problems.code)).or_default() += problems.requests;
    }
    let refusals = kinds.into_iter();
    refusals
        .map(|((fault, code), requests)| Refusals {
            fault,
            code,
            requests,
        })
        .collect()
}

/// What the demo ran on, for the reader of its results.
#[derive(Debug)]
pub(crate) struct Platform {
    engine: Engine,
    connections: u32,
}

impl Platform {
    /// What a demo over this database runs on.
    pub(crate) fn of(database: &Database) -> Self {
        Self {
            engine: database.engine().clone(),
            connections: database.connections(),
        }
    }
}

/// The results: for each exhibit a table with one timeline under it, then what it all ran on.
pub(crate) fn text(results: Vec<StrategyResult>, platform: &Platform) -> String {
    let (mut deposits, mut audited) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            StrategyResult::Deposits(result) => deposits.push(result),
            StrategyResult::Audited(result) => audited.push(result),
        }
    }
    let mut parts = Vec::new();
    let mut folders = Vec::new();
    if !deposits.is_empty() {
        parts.push(deposits::text(&deposits, platform));
        folders.push("src/exhibits/deposits/".to_owned());
    }
    for of_one in audited.chunk_by(|one, next| one.exhibit() == next.exhibit()) {
        let exhibit = of_one[0].exhibit();
        parts.push(audited::text(exhibit, of_one, platform));
        folders.push(exhibit.folder());
    }
    let is_in_files = deposits.is_empty() && audited.iter().all(|it| it.exhibit().is_in_files());
    parts.join("\n") + &what_next(&platform.engine, &folders.join(" or "), is_in_files)
}

/// Where to go from here. The strategies that were shown are in these folders. Where all of them
/// race for files alone, the engine makes no difference.
fn what_next(engine: &Engine, folders: &str, is_in_files: bool) -> String {
    let mut text = format!("\nThis ran on {engine}.\n");
    let _ = writeln!(
        text,
        "Why each does what it does: the head of its file in {folders}."
    );
    if is_in_files {
        text.push_str("It is the same on every engine: no step of it is SQL.\n");
        return text;
    }
    if engine.flavour == Flavour::Sqlite {
        text.push_str("On MySQL, more goes wrong: tools/demo fetches one and runs this on it.\n");
    } else {
        let level = match engine.isolation {
            Isolation::Serializable => "read-committed",
            Isolation::ReadUncommitted | Isolation::ReadCommitted | Isolation::RepeatableRead => {
                "serializable"
            }
        };
        let _ = writeln!(
            text,
            "On another isolation level: --isolation {level}, for example."
        );
    }
    let how = HOW_TO_CHANGE.replace(" or ", "\n    or ");
    let _ = writeln!(text, "On another engine: {how}.");
    text
}

/// What an exhibit's text ends with if no race went wrong.
fn nothing_went_wrong(what: &str, platform: &Platform) -> String {
    if platform.connections < REQUESTS {
        let connections = platform.connections;
        format!(
            "\n{what}: of {REQUESTS} requests only as many meet as there are database connections \
             ({connections}).\n"
        )
    } else {
        format!("\n{what} this time. Try again: a race is a matter of luck.\n")
    }
}

fn refused_in_words(refusals: &[Refusals], unclear: usize) -> String {
    let refused = refusals.iter().map(|refusals| {
        let requests = refusals.requests;
        let fault = refusals.fault.as_ref().map(|it| it.replace('_', " "));
        match (fault, &refusals.code) {
            (Some(fault), Some(code)) => format!("{requests} refused: {fault} ({code})"),
            (Some(fault), None) => format!("{requests} refused: {fault}"),
            (None, _) => format!("{requests} refused by the strategy itself"),
        }
    });
    let unclear = (unclear > 0).then(|| format!("{unclear} without a clear answer"));
    refused.chain(unclear).collect::<Vec<_>>().join(",\n    ")
}
