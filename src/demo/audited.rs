//! Orders: which anomalies the audit of their book found, while the consumer shipped them.

use std::fmt::Write as _;

use indicatif::ProgressBar;
use make_requests::{Anomaly, Book, Orders, Pace, Plan, Report};
use serde::Serialize;

use super::{
    Error, Ground, REQUESTS, Refusals, Running, TIMEOUT, aligned, counted_by, refusals,
    refused_in_words,
};
use crate::card::Expectation;
use crate::engine::{Database, Engine};
use crate::orders::{STRATEGIES, Strategy};

/// What ten orders by one strategy brought.
#[derive(Debug, Serialize)]
pub struct Showing {
    /// The strategy, with its exhibit in front.
    pub strategy: &'static str,
    /// What it ran on.
    #[serde(flatten)]
    pub engine: Engine,
    /// How many orders were sent.
    pub requests: u32,
    /// How many were acknowledged.
    pub acknowledged: usize,
    /// How many were refused.
    pub refused: usize,
    /// The refusals, by fault and code.
    pub refusals: Vec<Refusals>,
    /// How many ended in neither way.
    pub unclear: usize,
    /// What the audit looked for, and how often it was found.
    pub anomalies: Vec<Anomaly>,
    /// From the first request's start to the last one's end, in milliseconds.
    pub wall_ms: u64,
    /// Whether nothing may ever go wrong with this strategy on this engine.
    pub must_be_safe: bool,
    #[serde(skip)]
    timeline: Option<String>,
}

impl Showing {
    /// The strategy without its exhibit.
    fn name(&self) -> &'static str {
        let name = self.strategy.split_once('/');
        name.map_or(self.strategy, |(_, name)| name)
    }

    /// How often the audit found this.
    fn count(&self, name: &str) -> u64 {
        let mut anomalies = self.anomalies.iter();
        anomalies
            .find(|it| it.name == name)
            .map_or(0, |it| it.count)
    }

    /// The first thing that is wrong.
    fn wrong(&self) -> Option<&Anomaly> {
        self.anomalies.iter().find(|anomaly| anomaly.is_wrong())
    }

    pub(super) fn broke_its_promise(&self) -> bool {
        self.must_be_safe && self.wrong().is_some()
    }
}

/// How many orders they come to.
pub(super) fn requests() -> u64 {
    u64::from(REQUESTS) * STRATEGIES.len() as u64
}

/// Shows every strategy, each in a book of its own.
pub(super) async fn run(
    database: &Database,
    service: &Running,
    bar: &ProgressBar,
) -> Result<Vec<Showing>, Error> {
    let mut showings = Vec::new();
    for strategy in &STRATEGIES {
        bar.set_message(strategy.full_name);
        let plan = Plan {
            base_url: service.base_url.parse()?,
            target: Orders {
                strategy: strategy.name.parse()?,
                book: Book::fresh(),
            }
            .into(),
            pace: Pace::Together,
            requests: REQUESTS.try_into()?,
            timeout: TIMEOUT,
        };
        let report = make_requests::run(&plan, counted_by(bar)).await?;
        showings.push(shown(strategy, database.engine(), report));
    }
    Ok(showings)
}

fn shown(strategy: &Strategy, engine: &Engine, report: Report) -> Showing {
    let acknowledged = report.acknowledged();
    let refusals = refusals(std::slice::from_ref(&report));
    let refused = refusals.iter().map(|refusals| refusals.requests).sum();
    let collided = report.collision().is_some();
    Showing {
        strategy: strategy.full_name,
        engine: engine.clone(),
        requests: REQUESTS,
        acknowledged,
        refused,
        refusals,
        unclear: report.answers.len() - acknowledged - refused,
        anomalies: report.anomalies(),
        wall_ms: u64::try_from(report.wall().as_millis()).unwrap_or(u64::MAX),
        must_be_safe: must_be_safe_on(engine, strategy),
        timeline: report.timeline().filter(|_| collided),
    }
}

/// Whether nothing may go wrong where several write and the consumer reads.
fn must_be_safe_on(engine: &Engine, strategy: &Strategy) -> bool {
    let beside_the_consumer = Expectation::on(engine, strategy.beside_the_consumer);
    strategy.card.must_be_safe_on(engine) && beside_the_consumer.is_some_and(Expectation::is_safe)
}

/// The showings as a table, one anomaly in a sentence, and one timeline.
pub(super) fn text(showings: &[Showing], ground: &Ground) -> String {
    let mut text = table(showings);
    for showing in showings {
        if showing.refused + showing.unclear > 0 {
            let words = refused_in_words(&showing.refusals, showing.unclear);
            let _ = writeln!(text, "{}: {words}", showing.name());
        }
    }
    for showing in showings {
        if let Some(example) = showing.wrong().and_then(|it| it.example.as_ref()) {
            let _ = writeln!(text, "{}: {example}", showing.name());
        }
    }
    match showings
        .iter()
        .find_map(|it| Some((it.name(), it.timeline.as_ref()?)))
    {
        Some((strategy, timeline)) => {
            let _ = write!(text, "\nTwo of the requests of {strategy}:\n\n{timeline}");
        }
        None if showings.iter().any(|it| it.wrong().is_some()) => {}
        None if ground.connections < REQUESTS => {
            let _ = writeln!(
                text,
                "\nNothing went wrong: of {REQUESTS} requests only as many meet as there are database \
                 connections ({}).",
                ground.connections
            );
        }
        None => {
            text.push_str(
                "\nNothing went wrong this time. Try again: a race is a matter of luck.\n",
            );
        }
    }
    for showing in showings.iter().filter(|it| it.broke_its_promise()) {
        let _ = writeln!(
            text,
            "\n{} must be safe on this engine, and is not.",
            showing.name()
        );
    }
    text
}

/// The anomalies that are columns, by what their column is called.
const COLUMNS: [(&str, &str); 4] = [
    ("duplicate", "duplicate_number"),
    ("mixed", "mixed_order"),
    ("half", "incomplete_order"),
    ("half shipped", "shipped_incomplete"),
];

fn table(showings: &[Showing]) -> String {
    let [duplicate, mixed, half, half_shipped] = COLUMNS.map(|(column, _)| column);
    let header = [
        "strategy",
        "acknowledged",
        "refused",
        duplicate,
        mixed,
        half,
        half_shipped,
    ]
    .map(str::to_owned);
    let rows = showings.iter().map(|showing| {
        let [duplicate, mixed, half, half_shipped] =
            COLUMNS.map(|(_, anomaly)| showing.count(anomaly).to_string());
        [
            showing.name().to_owned(),
            showing.acknowledged.to_string(),
            showing.refused.to_string(),
            duplicate,
            mixed,
            half,
            half_shipped,
        ]
    });
    aligned(header, rows)
}
