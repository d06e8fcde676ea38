//! Orders and exports: which anomalies their audits found, while the consumer shipped and clients downloaded.

use std::fmt::Write as _;

use indicatif::ProgressBar;
use make_requests::{Anomaly, Book, Exports, Orders, Pace, Plan, Report, Target};
use serde::Serialize;

use super::{
    Error, Ground, REQUESTS, Refusals, Running, TIMEOUT, aligned, counted_by, refusals,
    refused_in_words,
};
use crate::accounts;
use crate::engine::{Database, Engine, Fault};
use crate::exhibits::card::Expectation;
use crate::exhibits::{exports, orders};
use crate::step::Unobserved;

/// So many transactions make a file of several chunks, between which others may write.
const EXPORTED: usize = 4_000;

/// An exhibit whose audit names its anomalies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audited {
    /// Order numbers.
    Orders,
    /// A CSV file.
    Exports,
}

/// What ten requests by one strategy brought.
#[derive(Debug, Serialize)]
pub struct Showing {
    /// The strategy, with its exhibit in front.
    pub strategy: &'static str,
    /// What it ran on.
    #[serde(flatten)]
    pub engine: Engine,
    /// How many requests were sent.
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
    #[serde(skip)]
    exhibit: Audited,
}

impl Showing {
    /// What it is one of.
    pub(super) fn exhibit(&self) -> Audited {
        self.exhibit
    }

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

/// One strategy, and how it is shown.
struct Shown {
    name: &'static str,
    target: Target,
    must_be_safe: bool,
}

impl Audited {
    /// How many requests its strategies come to.
    pub(super) fn requests(self) -> u64 {
        let strategies = match self {
            Self::Orders => orders::STRATEGIES.len(),
            Self::Exports => exports::STRATEGIES.len(),
        };
        u64::from(REQUESTS) * strategies as u64
    }

    /// The room in which its strategies live.
    pub(super) fn room(self) -> &'static str {
        match self {
            Self::Orders => "src/exhibits/orders/",
            Self::Exports => "src/exhibits/exports/",
        }
    }

    /// Shows every strategy: of the orders each in a book of its own, of the exports all from one account.
    pub(super) async fn run(
        self,
        database: &Database,
        service: &Running,
        bar: &ProgressBar,
    ) -> Result<Vec<Showing>, Error> {
        let shown = match self {
            Self::Orders => all_orders(database.engine())?,
            Self::Exports => all_exports(database).await?,
        };
        let mut showings = Vec::new();
        for it in shown {
            bar.set_message(it.name);
            let plan = Plan {
                base_url: service.base_url.parse()?,
                target: it.target,
                pace: Pace::Together,
                requests: REQUESTS.try_into()?,
                timeout: TIMEOUT,
            };
            let report = make_requests::run(&plan, counted_by(bar)).await?;
            let engine = database.engine().clone();
            showings.push(self.showing(it.name, it.must_be_safe, engine, &report));
        }
        Ok(showings)
    }

    fn showing(
        self,
        strategy: &'static str,
        must_be_safe: bool,
        engine: Engine,
        report: &Report,
    ) -> Showing {
        let acknowledged = report.acknowledged();
        let refusals = refusals(std::slice::from_ref(report));
        let refused = refusals.iter().map(|refusals| refusals.requests).sum();
        let collided = report.collision().is_some();
        Showing {
            strategy,
            engine,
            requests: REQUESTS,
            acknowledged,
            refused,
            refusals,
            unclear: report.answers.len() - acknowledged - refused,
            anomalies: report.anomalies(),
            wall_ms: u64::try_from(report.wall().as_millis()).unwrap_or(u64::MAX),
            must_be_safe,
            timeline: report.timeline().filter(|_| collided),
            exhibit: self,
        }
    }

    /// The anomalies that are columns, by what their column is called.
    fn columns(self) -> [(&'static str, &'static str); 4] {
        match self {
            Self::Orders => [
                ("duplicate", "duplicate_number"),
                ("mixed", "mixed_order"),
                ("half", "incomplete_order"),
                ("half shipped", "shipped_incomplete"),
            ],
            Self::Exports => [
                ("mixed", "mixed_exports"),
                ("cut off", "wrong_row_count"),
                ("unparsable", "unparsable"),
                ("broken off", "broken_download"),
            ],
        }
    }
}

fn all_orders(engine: &Engine) -> Result<Vec<Shown>, Error> {
    let shown = |strategy: &orders::Strategy| {
        let target = Orders {
            strategy: strategy.name.parse()?,
            book: Book::fresh(),
        };
        let beside_the_consumer = Expectation::on(engine, strategy.beside_the_consumer);
        Ok(Shown {
            name: strategy.full_name,
            target: target.into(),
            must_be_safe: strategy.card.must_be_safe_on(engine)
                && beside_the_consumer.is_some_and(Expectation::is_safe),
        })
    };
    orders::STRATEGIES.iter().map(shown).collect()
}

async fn all_exports(database: &Database) -> Result<Vec<Shown>, Error> {
    let account = account_to_export(database).await?;
    let shown = |strategy: &exports::Strategy| {
        let target = Exports {
            strategy: strategy.short_name.parse()?,
            account,
        };
        Ok(Shown {
            name: strategy.name,
            target: target.into(),
            must_be_safe: strategy.must_be_safe_on(database.engine()),
        })
    };
    exports::STRATEGIES.iter().map(shown).collect()
}

async fn account_to_export(database: &Database) -> Result<i64, Fault> {
    let account = accounts::open(database, 0).await?;
    let rows = vec![[account, 1]; EXPORTED];
    let mut session = database.session(&Unobserved).await?;
    session.begin().await?;
    for some in rows.chunks(1000) {
        let insert = "INSERT INTO transactions (account_id, amount, appended) VALUES (?, ?, 1)";
        session
            .insert_rows("insert transactions", insert, some)
            .await?;
    }
    session.commit().await?;
    session.end().await;
    Ok(account)
}

/// The showings as a table, one anomaly in a sentence, and one timeline.
pub(super) fn text(exhibit: Audited, showings: &[Showing], ground: &Ground) -> String {
    let mut text = table(exhibit, showings);
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

fn table(exhibit: Audited, showings: &[Showing]) -> String {
    let columns = exhibit.columns();
    let [a, b, c, d] = columns.map(|(column, _)| column);
    let header = ["strategy", "acknowledged", "refused", a, b, c, d].map(str::to_owned);
    let rows = showings.iter().map(|showing| {
        let [a, b, c, d] = columns.map(|(_, anomaly)| showing.count(anomaly).to_string());
        [
            showing.name().to_owned(),
            showing.acknowledged.to_string(),
            showing.refused.to_string(),
            a,
            b,
            c,
            d,
        ]
    });
    aligned(header, rows)
}
