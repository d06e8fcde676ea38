//! `racy demo`: every strategy of an exhibit, ten requests released together over real HTTP, and what became of
//! what they raced for.
//!
//! | file | exhibit |
//! |---|---|
//! | [`deposits`] | an account's balance |
//! | [`audited`] | order numbers and CSV files: whatever has an audit that names its anomalies |

pub mod audited;
pub mod deposits;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use make_requests::{Progress, Report};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use audited::Audited;

use crate::engine::choice::HOW_TO_CHANGE;
use crate::engine::{Database, Engine, Flavour, Isolation};
use crate::exhibits::deposits::{LongDelay, Retry};
use crate::exhibits::exports::Folder;
use crate::http::{self, Instance, Limits, Service};
use crate::step::Unobserved;

const REQUESTS: u32 = 10;

/// The original's 3 to 10 seconds, scaled down: a demo is watched.
const LONG_DELAY: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_millis(150);

/// Far more than ten requests take, one after the other.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why the demo could not be given.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Which exhibits are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Exhibits {
    /// An account's balance.
    #[default]
    Deposits,
    /// Order numbers, and a consumer that reads the orders.
    Orders,
    /// CSV files that several write on the server.
    Exports,
    /// One after the other.
    All,
}

/// Those that are shown in the same way.
const AUDITED: [(Exhibits, Audited); 2] = [
    (Exhibits::Orders, Audited::Orders),
    (Exhibits::Exports, Audited::Exports),
];

impl Exhibits {
    fn include(self, one: Self) -> bool {
        self == one || self == Self::All
    }
}

/// What ten requests by one strategy brought.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Showing {
    /// Deposits.
    Deposits(deposits::Showing),
    /// Orders or exports.
    Audited(audited::Showing),
}

impl Showing {
    /// Whether something went wrong that must not.
    pub fn broke_its_promise(&self) -> bool {
        match self {
            Self::Deposits(showing) => showing.broke_its_promise(),
            Self::Audited(showing) => showing.broke_its_promise(),
        }
    }
}

/// Refusals of one kind.
#[derive(Debug, Serialize)]
pub struct Refusals {
    /// The fault; null where it was not the engine that refused.
    pub fault: Option<String>,
    /// The engine's code.
    pub code: Option<String>,
    /// How many.
    pub requests: usize,
}

/// Starts the service on a free loopback port over this database and shows every strategy of these exhibits.
///
/// # Errors
/// Where the service could not be reached, or did not know what was asked for.
pub async fn run(database: &Database, exhibits: Exhibits) -> Result<Vec<Showing>, Error> {
    let folder = tempfile::tempdir()?;
    let services = [
        Running::start(database, folder.path()).await?,
        Running::start(database, folder.path()).await?,
    ];
    let bar = progress_bar(exhibits);
    let mut showings = Vec::new();
    if exhibits.include(Exhibits::Deposits) {
        let deposits = deposits::run(database, &services, &bar).await?;
        showings.extend(deposits.into_iter().map(Showing::Deposits));
    }
    for (named, exhibit) in AUDITED {
        if exhibits.include(named) {
            let audited = exhibit.run(database, &services[0], &bar).await?;
            showings.extend(audited.into_iter().map(Showing::Audited));
        }
    }
    bar.finish_and_clear();
    for service in services {
        service.stop().await?;
    }
    Ok(showings)
}

/// An instance of the service.
struct Running {
    base_url: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Running {
    async fn start(database: &Database, exports: &Path) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let service = service(database, exports);
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(http::serve(listener, service, async {
            let _ = stopped.await;
        }));
        Ok(Self {
            base_url,
            stop,
            serving,
        })
    }

    async fn stop(self) -> Result<(), Error> {
        drop(self.stop);
        Ok(self.serving.await?)
    }
}

fn service(database: &Database, exports: &Path) -> Service {
    let settings = http::Settings {
        workers: None,
        long_delay: LongDelay(LONG_DELAY),
        retry: Retry::default(),
        header_timeout: TIMEOUT,
        request_timeout: TIMEOUT,
        idempotency_ttl: Duration::from_hours(24),
        behind_proxy: false,
        instance: Instance::of_this_host(),
        exports: Folder::at(exports),
        limits: Limits::default(),
    };
    Service::new(database.clone(), &settings, Arc::new(Unobserved))
}

/// Draws on stderr, and only where somebody looks.
fn progress_bar(exhibits: Exhibits) -> ProgressBar {
    let of_each = AUDITED.iter().map(|(one, it)| (*one, it.requests()));
    let of_each = of_each.chain([(Exhibits::Deposits, deposits::requests())]);
    let shown = of_each.filter(|(one, _)| exhibits.include(*one));
    let requests = shown.map(|(_, requests)| requests).sum();
    let style = ProgressStyle::with_template("{bar:30} {pos:>2}/{len} {msg}");
    ProgressBar::new(requests).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Lets the bar grow with each answer.
fn counted_by(bar: &ProgressBar) -> impl FnMut(Progress) + '_ {
    |progress| {
        if let Progress::Answered { .. } = progress {
            bar.inc(1);
        }
    }
}

/// Those of the same kind together, whichever instance they came from.
fn refusals(reports: &[Report]) -> Vec<Refusals> {
    let mut kinds = BTreeMap::new();
    for problems in reports.iter().flat_map(Report::refused) {
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

/// What a demo ran on, for those who read its result.
#[derive(Debug)]
pub struct Ground {
    engine: Engine,
    connections: u32,
}

impl Ground {
    /// What a demo runs on that uses this database.
    pub fn of(database: &Database) -> Self {
        Self {
            engine: database.engine().clone(),
            connections: database.connections(),
        }
    }
}

/// The showings as a table per exhibit with one timeline under it, and what it all ran on.
pub fn text(showings: Vec<Showing>, ground: &Ground) -> String {
    let (mut of_deposits, mut audited) = (Vec::new(), Vec::new());
    for showing in showings {
        match showing {
            Showing::Deposits(showing) => of_deposits.push(showing),
            Showing::Audited(showing) => audited.push(showing),
        }
    }
    let mut parts = Vec::new();
    let mut rooms = Vec::new();
    if !of_deposits.is_empty() {
        parts.push(deposits::text(&of_deposits, ground));
        rooms.push("src/exhibits/deposits/");
    }
    for of_one in audited.chunk_by(|one, next| one.exhibit() == next.exhibit()) {
        let exhibit = of_one[0].exhibit();
        parts.push(audited::text(exhibit, of_one, ground));
        rooms.push(exhibit.room());
    }
    parts.join("\n") + &what_next(&ground.engine, &rooms.join(" or "))
}

/// Where to go from here; `rooms` are those in which the strategies of what was shown live.
fn what_next(engine: &Engine, rooms: &str) -> String {
    let mut text = format!("\nThis ran on {engine}.\n");
    let _ = writeln!(
        text,
        "Why each does what it does: the head of its file in {rooms}."
    );
    if engine.flavour == Flavour::Sqlite {
        text.push_str("On MySQL, more goes wrong: tools/demo fetches one and runs this on it.\n");
    } else {
        let level = match engine.isolation {
            Isolation::Serializable => "read-committed",
            _ => "serializable",
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

/// A table with a rule under its header; all columns but the first are flush right.
fn aligned<const COLUMNS: usize>(
    header: [String; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = match column {
                0 => write!(table, "{cell:width$}"),
                _ => write!(table, " {cell:>width$}"),
            };
        }
        table.push('\n');
        if number == 0 {
            let rule = widths.iter().sum::<usize>() + COLUMNS - 1;
            let _ = writeln!(table, "{}", "─".repeat(rule));
        }
    }
    table
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
