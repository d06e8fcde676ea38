//! Deposits: what became of the money.

use std::fmt::Write as _;

use indicatif::ProgressBar;
use make_requests::trace::Trace;
use make_requests::{Deposits, Pace, Plan, Report, timeline};
use serde::Serialize;
use tokio::task::JoinSet;

use super::service::RunningService;
use super::table::aligned;
use super::{
    DemoError, Platform, REQUESTS, Refusals, TIMEOUT, move_bar, nothing_went_wrong, refusals,
    refused_in_words,
};
use crate::accounts::{self, Account};
use crate::engine::{Database, Engine};
use crate::exhibits::deposits::{STRATEGIES, Strategy};

/// What each deposit adds.
const AMOUNT: i64 = 100;

/// How ten deposits by one strategy ended.
#[derive(Debug, Serialize)]
pub(crate) struct DepositsResult {
    /// The strategy.
    strategy: &'static str,
    /// How many instances of the service made the deposits.
    instances: usize,
    /// What the strategy ran on.
    #[serde(flatten)]
    engine: Engine,
    /// How many deposits were sent.
    requests: u32,
    /// How many deposits were acknowledged.
    acknowledged: usize,
    /// How many deposits were refused.
    refused: usize,
    /// The refusals, by fault and code.
    refusals: Vec<Refusals>,
    /// How many deposits ended in neither way.
    unclear: usize,
    /// The account's balance before the deposits.
    opening_balance: i64,
    /// What the account should hold: the opening balance plus what is on record, or plus what was
    /// acknowledged if that is more.
    expected_balance: i128,
    /// What the account holds.
    balance: i128,
    /// The sum of the transactions on record.
    transactions_sum: i128,
    /// The expected balance minus the balance.
    lost: i128,
    /// The time from the first request's start to the last one's end, in milliseconds.
    wall_ms: u64,
    /// Whether this strategy may never lose anything on this engine.
    must_be_safe: bool,
    #[serde(skip)]
    timeline: Option<String>,
}

impl DepositsResult {
    /// The strategy and, if there were several, its instances.
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

    /// Whether something was lost although the strategy must be safe.
    pub(super) fn broke_its_promise(&self) -> bool {
        self.must_be_safe && self.lost != 0
    }
}

/// The number of all deposits.
pub(super) fn requests() -> u64 {
    let runs = STRATEGIES
        .iter()
        .map(|it| it.setting().instances(2).len() as u64);
    u64::from(REQUESTS) * runs.sum::<u64>()
}

/// Shows every strategy. Those that rely on an instance's memory are shown once more, with two
/// instances.
pub(super) async fn run(
    database: &Database,
    services: &[RunningService; 2],
    bar: &ProgressBar,
    trace: &mut Trace,
) -> Result<Vec<DepositsResult>, DemoError> {
    let mut results = Vec::new();
    for strategy in &STRATEGIES {
        bar.set_message(strategy.name);
        for instances in strategy.setting().instances(services.len()) {
            let services = &services[..instances];
            results.push(run_strategy(database, strategy, services, bar, trace).await?);
        }
    }
    Ok(results)
}

async fn run_strategy(
    database: &Database,
    strategy: &'static Strategy,
    services: &[RunningService],
    bar: &ProgressBar,
    trace: &mut Trace,
) -> Result<DepositsResult, DemoError> {
    let account = accounts::open(database, 0).await?;
    let mut bursts = JoinSet::new();
    for service in services {
        let plan = Plan {
            base_url: service.base_url.parse()?,
            target: Deposits {
                strategy: strategy.name.parse()?,
                account,
                amount: AMOUNT.try_into()?,
                retry_timeouts: false,
                idempotency: false,
            }
            .into(),
            pace: Pace::Together,
            requests: (REQUESTS / services.len() as u32).try_into()?,
            timeout: TIMEOUT,
        };
        let bar = bar.clone();
        bursts.spawn(async move { make_requests::run(&plan, move_bar(&bar)).await });
    }
    let reports: Vec<_> = bursts.join_all().await;
    let reports = reports.into_iter().collect::<Result<Vec<_>, _>>()?;
    for report in &reports {
        trace.add(strategy.name, report);
    }
    let account = accounts::find(database, account)
        .await?
        .ok_or("the demo's account is gone")?;
    Ok(summarize(strategy, database.engine(), &account, &reports))
}

/// Adds up the reports of all bursts into the same account.
fn summarize(
    strategy: &'static Strategy,
    engine: &Engine,
    account: &Account,
    reports: &[Report],
) -> DepositsResult {
    let acknowledged = reports.iter().map(|it| it.answers.acknowledged()).sum();
    let answers: usize = reports.iter().map(|report| report.answers.len()).sum();
    let refusals = refusals(reports);
    let refused = refusals.iter().map(|refusals| refusals.requests).sum();
    let answered = i128::from(account.opening_balance) + i128::from(AMOUNT) * acknowledged as i128;
    let expected = account.expected.max(answered);
    let wall = reports
        .iter()
        .map(|it| it.answers.wall())
        .max()
        .unwrap_or_default();
    DepositsResult {
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
        must_be_safe: strategy.setting().promises_safety(engine, reports.len()),
        timeline: match reports {
            [report] => report.incident().map(|pair| timeline::draw(&pair)),
            _ => None,
        },
    }
}

/// The results as a table with one timeline under it.
pub(super) fn text(results: &[DepositsResult], platform: &Platform) -> String {
    let mut text = table(results);
    for result in results.iter().filter(|result| !result.is_plain()) {
        let words = refused_in_words(&result.refusals, result.unclear);
        let _ = writeln!(text, "{}: {words}", result.name());
    }
    if let Some((strategy, timeline)) = example(results) {
        let _ = write!(text, "\nTwo of the requests of {strategy}:\n\n{timeline}");
    } else {
        text.push_str(&nothing_went_wrong("Nothing was lost", platform));
    }
    for result in results.iter().filter(|result| result.broke_its_promise()) {
        let _ = writeln!(
            text,
            "\n{} must be safe on this engine, and lost {}.",
            result.name(),
            result.lost
        );
    }
    text
}

/// The strategies whose losses are shown first. A loss in spite of a transaction surprises most.
/// Both are plain code with a delay, so that all clients have read the same balance before any of
/// them writes.
const PLAINEST: [&str; 2] = ["atomic_long_delay", "non_atomic_long_delay"];

/// The plainest loss that there is: the strategy and the timeline.
fn example(results: &[DepositsResult]) -> Option<(&str, &str)> {
    let lost = results.iter().filter_map(|result| {
        let timeline = result.timeline.as_deref()?;
        Some((result.strategy, timeline))
    });
    lost.min_by_key(|(strategy, _)| {
        let rank = PLAINEST.iter().position(|it| it == strategy);
        rank.unwrap_or(PLAINEST.len())
    })
}

fn table(results: &[DepositsResult]) -> String {
    let header = [
        "strategy",
        "acknowledged",
        "refused",
        "expected",
        "actual",
        "lost",
        "time",
    ];
    let rows = results.iter().map(|result| {
        [
            result.name(),
            result.acknowledged.to_string(),
            result.refused.to_string(),
            result.expected_balance.to_string(),
            result.balance.to_string(),
            result.lost.to_string(),
            format!("{} ms", result.wall_ms),
        ]
    });
    aligned(header, rows)
}
