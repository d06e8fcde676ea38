//! `racy demo`: every strategy, ten deposits released together over real HTTP, and what became of
//! the money.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use make_requests::{Pace, Plan, Report};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::accounts::{self, Account};
use crate::deposits::{LongDelay, Retry, STRATEGIES, Strategy};
use crate::engine::choice::HOW_TO_CHANGE;
use crate::engine::{Database, Engine, Flavour, Isolation};
use crate::exports::Folder;
use crate::http::{self, Instance, Service};
use crate::step::Unobserved;

const REQUESTS: u32 = 10;
const AMOUNT: i64 = 100;

/// The original's 3 to 10 seconds, scaled down: a demo is watched.
const LONG_DELAY: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_millis(150);

/// Far more than ten deposits take, one after the other.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why the demo could not be given.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What ten deposits by one strategy brought.
#[derive(Debug, Serialize)]
pub struct Showing {
    /// The strategy.
    pub strategy: &'static str,
    /// By how many instances of the service.
    pub instances: usize,
    /// What it ran on.
    #[serde(flatten)]
    pub engine: Engine,
    /// How many deposits were sent.
    pub requests: u32,
    /// How many were acknowledged.
    pub acknowledged: usize,
    /// How many were refused.
    pub refused: usize,
    /// The refusals, by fault and code.
    pub refusals: Vec<Refusals>,
    /// How many ended in neither way.
    pub unclear: usize,
    /// What the account held at first.
    pub opening_balance: i64,
    /// What it should hold: the opening balance plus what is on record, or what was acknowledged where
    /// that is more.
    pub expected_balance: i128,
    /// What it holds.
    pub balance: i128,
    /// What the transactions on record amount to.
    pub transactions_sum: i128,
    /// What was lost.
    pub lost: i128,
    /// From the first request's start to the last one's end, in milliseconds.
    pub wall_ms: u64,
    /// Whether nothing may ever be lost by this strategy on this engine.
    pub must_be_safe: bool,
    #[serde(skip)]
    timeline: Option<String>,
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

impl Showing {
    /// The strategy and, where there were several, its instances.
    fn name(&self) -> String {
        match self.instances {
            1 => self.strategy.to_owned(),
            several => format!("{}, {several} instances", self.strategy),
        }
    }

    /// Whether every deposit was acknowledged, so that there is nothing more to say.
    fn is_plain(&self) -> bool {
        self.refused == 0 && self.unclear == 0
    }

    /// Whether it lost something that it must not lose.
    pub fn broke_its_promise(&self) -> bool {
        self.must_be_safe && self.lost != 0
    }
}

/// Starts the service on a free loopback port over this database and shows every strategy; those that
/// rely on an instance's memory once more with two instances.
///
/// # Errors
/// Where the service or the account could not be reached.
pub async fn run(database: &Database) -> Result<Vec<Showing>, Error> {
    let services = [
        Running::start(database).await?,
        Running::start(database).await?,
    ];
    let bar = progress_bar();
    let mut showings = Vec::new();
    for strategy in &STRATEGIES {
        bar.set_message(strategy.name);
        for instances in strategy.instances(services.len()) {
            showings.push(show(database, strategy, &services[..instances], &bar).await?);
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
    async fn start(database: &Database) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let service = service(database);
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

fn service(database: &Database) -> Service {
    let settings = http::Settings {
        workers: None,
        long_delay: LongDelay(LONG_DELAY),
        retry: Retry::default(),
        header_timeout: TIMEOUT,
        request_timeout: TIMEOUT,
        idempotency_ttl: Duration::from_hours(24),
        behind_proxy: false,
        instance: Instance::of_this_host(),
        // Nothing is exported here.
        exports: Folder::at(std::env::temp_dir()),
    };
    Service::new(database.clone(), &settings, Arc::new(Unobserved))
}

/// Draws on stderr, and only where somebody looks.
fn progress_bar() -> ProgressBar {
    let showings = STRATEGIES.iter().map(|it| it.instances(2).len() as u64);
    let requests = u64::from(REQUESTS) * showings.sum::<u64>();
    let style = ProgressStyle::with_template("{bar:30} {pos:>2}/{len} {msg}");
    ProgressBar::new(requests).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn show(
    database: &Database,
    strategy: &'static Strategy,
    services: &[Running],
    bar: &ProgressBar,
) -> Result<Showing, Error> {
    let account = accounts::open(database, 0).await?;
    let mut bursts = JoinSet::new();
    for service in services {
        let plan = Plan {
            base_url: service.base_url.parse()?,
            target: strategy.name.parse()?,
            pace: Pace::Together,
            requests: (REQUESTS / services.len() as u32).try_into()?,
            account,
            amount: AMOUNT.try_into()?,
            timeout: TIMEOUT,
            retry_timeouts: false,
            idempotency: false,
        };
        let bar = bar.clone();
        bursts.spawn(async move {
            let progress = |progress| {
                if let make_requests::Progress::Answered { .. } = progress {
                    bar.inc(1);
                }
            };
            make_requests::run(&plan, progress).await
        });
    }
    let reports: Vec<_> = bursts.join_all().await;
    let reports = reports.into_iter().collect::<Result<Vec<_>, _>>()?;
    let account = accounts::find(database, account)
        .await?
        .ok_or("the demo's account is gone")?;
    Ok(shown(strategy, database.engine(), &account, &reports))
}

/// What the reports of bursts that met in one account come to.
fn shown(
    strategy: &'static Strategy,
    engine: &Engine,
    account: &Account,
    reports: &[Report],
) -> Showing {
    let acknowledged = reports.iter().map(Report::acknowledged).sum();
    let answers: usize = reports.iter().map(|report| report.answers.len()).sum();
    let refusals = refusals(reports);
    let refused = refusals.iter().map(|refusals| refusals.requests).sum();
    let expected = i128::from(account.opening_balance) + i128::from(AMOUNT) * acknowledged as i128;
    let expected = account.expected.max(expected);
    let wall = reports.iter().map(Report::wall).max().unwrap_or_default();
    Showing {
        strategy: strategy.name,
        instances: reports.len(),
        engine: engine.clone(),
        requests: REQUESTS,
        acknowledged,
        refused,
        refusals,
        unclear: answers - acknowledged - refused,
        opening_balance: account.opening_balance,
        expected_balance: expected,
        balance: account.balance,
        transactions_sum: account.transactions_sum,
        lost: expected - account.balance,
        wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        must_be_safe: strategy.must_be_safe_on(engine, reports.len()),
        timeline: match reports {
            [report] => report
                .lost_update()
                .map(|(first, second)| make_requests::timeline::draw(first, second)),
            _ => None,
        },
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

/// The showings as a table, one timeline under it, and what it all ran on.
pub fn text(showings: &[Showing], ground: &Ground) -> String {
    let mut text = table(showings);
    for showing in showings.iter().filter(|showing| !showing.is_plain()) {
        let _ = writeln!(text, "{}: {}", showing.name(), refused_in_words(showing));
    }
    match example(showings) {
        Some((strategy, timeline)) => {
            let _ = write!(text, "\nTwo of the requests of {strategy}:\n\n{timeline}");
        }
        None if ground.connections < REQUESTS => {
            let _ = writeln!(
                text,
                "\nNothing was lost: of {REQUESTS} requests only as many meet as there are database \
                 connections ({}).",
                ground.connections
            );
        }
        None => {
            text.push_str("\nNothing was lost this time. Try again: a race is a matter of luck.\n");
        }
    }
    for showing in showings
        .iter()
        .filter(|showing| showing.broke_its_promise())
    {
        let _ = writeln!(
            text,
            "\n{} must be safe on this engine, and lost {}.",
            showing.name(),
            showing.lost
        );
    }
    text.push_str(&what_next(&ground.engine));
    text
}

/// The loss that surprises most while its code is plain: that of a mere transaction. Where it has none, any.
fn example(showings: &[Showing]) -> Option<(&str, &str)> {
    let lost = showings.iter().filter_map(|showing| {
        let timeline = showing.timeline.as_deref()?;
        Some((showing.strategy, timeline))
    });
    lost.min_by_key(|(strategy, _)| *strategy != "atomic_long_delay")
}

fn what_next(engine: &Engine) -> String {
    let mut text = format!("\nThis ran on {engine}.\n");
    text.push_str("Why each does what it does: the head of its file in src/deposits/.\n");
    if engine.flavour == Flavour::Sqlite {
        text.push_str("On MySQL, more is lost: tools/demo fetches one and runs this on it.\n");
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

fn table(showings: &[Showing]) -> String {
    let header = [
        "strategy",
        "acknowledged",
        "refused",
        "expected",
        "actual",
        "lost",
        "time",
    ]
    .map(str::to_owned);
    let rows = showings.iter().map(|showing| {
        [
            showing.name(),
            showing.acknowledged.to_string(),
            showing.refused.to_string(),
            showing.expected_balance.to_string(),
            showing.balance.to_string(),
            showing.lost.to_string(),
            format!("{} ms", showing.wall_ms),
        ]
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for (number, row) in rows.iter().enumerate() {
        let [strategy, numbers @ ..] = row;
        let [strategy_width, widths @ ..] = widths;
        let _ = write!(table, "{strategy:strategy_width$}");
        for (number, width) in numbers.iter().zip(widths) {
            let _ = write!(table, " {number:>width$}");
        }
        table.push('\n');
        if number == 0 {
            let rule = strategy_width + widths.iter().map(|width| width + 1).sum::<usize>();
            let _ = writeln!(table, "{}", "─".repeat(rule));
        }
    }
    table
}

fn refused_in_words(showing: &Showing) -> String {
    let refused = showing.refusals.iter().map(|refusals| {
        let requests = refusals.requests;
        let fault = refusals.fault.as_ref().map(|it| it.replace('_', " "));
        match (fault, &refusals.code) {
            (Some(fault), Some(code)) => format!("{requests} refused: {fault} ({code})"),
            (Some(fault), None) => format!("{requests} refused: {fault}"),
            (None, _) => format!("{requests} refused by the strategy itself"),
        }
    });
    let unclear =
        (showing.unclear > 0).then(|| format!("{} without a clear answer", showing.unclear));
    refused.chain(unclear).collect::<Vec<_>>().join(",\n    ")
}
