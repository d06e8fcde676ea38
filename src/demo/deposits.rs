//! Deposits: what became of the money.

use std::fmt::Write as _;

use indicatif::ProgressBar;
use make_requests::{Deposits, Pace, Plan, Report};
use serde::Serialize;
use tokio::task::JoinSet;

use super::{
    Error, Ground, REQUESTS, Refusals, Running, TIMEOUT, aligned, counted_by, refusals,
    refused_in_words,
};
use crate::accounts::{self, Account};
use crate::engine::{Database, Engine};
use crate::exhibits::deposits::{STRATEGIES, Strategy};

const AMOUNT: i64 = 100;

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
    pub(super) fn broke_its_promise(&self) -> bool {
        self.must_be_safe && self.lost != 0
    }
}

/// How many deposits they come to.
pub(super) fn requests() -> u64 {
    let showings = STRATEGIES.iter().map(|it| it.instances(2).len() as u64);
    u64::from(REQUESTS) * showings.sum::<u64>()
}

/// Shows every strategy; those that rely on an instance's memory once more with two instances.
pub(super) async fn run(
    database: &Database,
    services: &[Running; 2],
    bar: &ProgressBar,
) -> Result<Vec<Showing>, Error> {
    let mut showings = Vec::new();
    for strategy in &STRATEGIES {
        bar.set_message(strategy.name);
        for instances in strategy.instances(services.len()) {
            showings.push(show(database, strategy, &services[..instances], bar).await?);
        }
    }
    Ok(showings)
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
        bursts.spawn(async move { make_requests::run(&plan, counted_by(&bar)).await });
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

/// The showings as a table, and one timeline under it.
pub(super) fn text(showings: &[Showing], ground: &Ground) -> String {
    let mut text = table(showings);
    for showing in showings.iter().filter(|showing| !showing.is_plain()) {
        let _ = writeln!(
            text,
            "{}: {}",
            showing.name(),
            refused_in_words(&showing.refusals, showing.unclear)
        );
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
    text
}

/// The strategies whose losses are shown first. A loss in spite of a transaction surprises most.
/// Both are plain code with a delay, so that all clients have read the same balance before any of
/// them writes.
const PLAINEST: [&str; 2] = ["atomic_long_delay", "non_atomic_long_delay"];

/// The plainest loss that there is.
fn example(showings: &[Showing]) -> Option<(&str, &str)> {
    let lost = showings.iter().filter_map(|showing| {
        let timeline = showing.timeline.as_deref()?;
        Some((showing.strategy, timeline))
    });
    lost.min_by_key(|(strategy, _)| {
        let rank = PLAINEST.iter().position(|it| it == strategy);
        rank.unwrap_or(PLAINEST.len())
    })
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
    aligned(header, rows)
}
