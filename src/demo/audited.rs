//! Orders, exports and tables: the anomalies that their audits found, while the consumer shipped
//! and clients downloaded.

use std::fmt::Write as _;

use indicatif::ProgressBar;
use make_requests::trace::Trace;
use make_requests::{
    Anomaly, Appends, Book, Exports, Orders, Pace, Plan, Report, Target, timeline,
};
use serde::Serialize;

use super::service::RunningService;
use super::table::aligned;
use super::{
    DemoError, Platform, REQUESTS, Refusals, TIMEOUT, move_bar, nothing_went_wrong, refusals,
    refused_in_words,
};
use crate::accounts;
use crate::engine::{Database, Engine, Fault};
use crate::exhibits::{Exhibit, Specimen, exports, orders, tables};
use crate::step::Unobserved;

/// The number of transactions to export. Their file has several chunks, between which other
/// requests may write.
const EXPORTED_TRANSACTIONS: usize = 4_000;

/// An exhibit whose audit names its anomalies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuditedExhibit {
    /// Order numbers.
    Orders,
    /// CSV files.
    Exports,
    /// Tables made of files.
    Tables,
}

/// How ten requests by one strategy ended.
#[derive(Debug, Serialize)]
pub(crate) struct AuditedResult {
    /// The strategy's full name.
    strategy: &'static str,
    /// What the strategy ran on.
    #[serde(flatten)]
    engine: Engine,
    /// How many requests were sent.
    requests: u32,
    /// How many requests were acknowledged.
    acknowledged: usize,
    /// How many requests were refused.
    refused: usize,
    /// The refusals, by fault and code.
    refusals: Vec<Refusals>,
    /// How many requests ended in neither way.
    unclear: usize,
    /// The anomalies that the audit looks for, and how often it found each.
    anomalies: Vec<Anomaly>,
    /// The time from the first request's start to the last one's end, in milliseconds.
    wall_ms: u64,
    /// Whether this strategy may never show an anomaly on this engine.
    must_be_safe: bool,
    #[serde(skip)]
    timeline: Option<String>,
    #[serde(skip)]
    exhibit: AuditedExhibit,
}

impl AuditedResult {
    /// The exhibit to which the strategy belongs.
    pub(super) fn exhibit(&self) -> AuditedExhibit {
        self.exhibit
    }

    /// The strategy's name within its exhibit.
    fn name(&self) -> &'static str {
        let name = self.strategy.split_once('/');
        name.map_or(self.strategy, |(_, name)| name)
    }

    /// How often the audit found this anomaly.
    fn count(&self, name: &str) -> u64 {
        let mut anomalies = self.anomalies.iter();
        anomalies
            .find(|it| it.name == name)
            .map_or(0, |it| it.count)
    }

    /// The first anomaly that the audit found.
    fn first_anomaly(&self) -> Option<&Anomaly> {
        self.anomalies.iter().find(|anomaly| anomaly.is_wrong())
    }

    pub(super) fn broke_its_promise(&self) -> bool {
        self.must_be_safe && self.first_anomaly().is_some()
    }
}

/// One strategy, and what its requests ask for.
struct StrategyPlan {
    full_name: &'static str,
    target: Target,
    must_be_safe: bool,
}

impl AuditedExhibit {
    fn exhibit(self) -> &'static Exhibit {
        match self {
            Self::Orders => &orders::EXHIBIT,
            Self::Exports => &exports::EXHIBIT,
            Self::Tables => &tables::EXHIBIT,
        }
    }

    /// Its strategies, but for those that only read.
    fn specimens(self) -> Vec<&'static dyn Specimen> {
        let mut specimens = (self.exhibit().specimens)();
        specimens.retain(|it| !it.reads());
        specimens
    }

    /// The number of all requests.
    pub(super) fn requests(self) -> u64 {
        u64::from(REQUESTS) * self.specimens().len() as u64
    }

    /// Whether its clients race for files alone, and for nothing in a database.
    pub(super) fn is_in_files(self) -> bool {
        match self {
            Self::Orders | Self::Exports => false,
            Self::Tables => true,
        }
    }

    /// The folder of its strategies.
    pub(super) fn folder(self) -> String {
        format!("src/exhibits/{}/", self.exhibit().name)
    }

    /// Shows every strategy. Each order strategy gets a book of its own, and each strategy of
    /// tables a table. All export strategies export the same account.
    pub(super) async fn run(
        self,
        database: &Database,
        service: &RunningService,
        bar: &ProgressBar,
        trace: &mut Trace,
    ) -> Result<Vec<AuditedResult>, DemoError> {
        let strategies = self.strategy_plans(database).await?;
        let mut results = Vec::new();
        for strategy in strategies {
            bar.set_message(strategy.full_name);
            let plan = Plan {
                base_url: service.base_url.parse()?,
                target: strategy.target.clone(),
                pace: Pace::Together,
                requests: REQUESTS.try_into()?,
                timeout: TIMEOUT,
            };
            let report = make_requests::run(&plan, move_bar(bar)).await?;
            trace.add(strategy.full_name, &report);
            results.push(self.summarize(&strategy, database.engine(), &report));
        }
        Ok(results)
    }

    async fn strategy_plans(self, database: &Database) -> Result<Vec<StrategyPlan>, DemoError> {
        let mut plans = Vec::new();
        let shared = match self {
            Self::Orders => SharedThing::NewBook,
            Self::Exports => SharedThing::Account(open_account_to_export(database).await?),
            Self::Tables => SharedThing::NewTable,
        };
        for specimen in self.specimens() {
            plans.push(StrategyPlan {
                full_name: specimen.full_name(),
                target: shared.target(specimen.name())?,
                must_be_safe: specimen.must_be_safe_on(database.engine()),
            });
        }
        Ok(plans)
    }

    fn summarize(self, strategy: &StrategyPlan, engine: &Engine, report: &Report) -> AuditedResult {
        let acknowledged = report.answers.acknowledged();
        let refusals = refusals(std::slice::from_ref(report));
        let refused = refusals.iter().map(|refusals| refusals.requests).sum();
        AuditedResult {
            strategy: strategy.full_name,
            engine: engine.clone(),
            requests: REQUESTS,
            acknowledged,
            refused,
            refusals,
            unclear: report.answers.len() - acknowledged - refused,
            anomalies: report.anomalies(),
            wall_ms: u64::try_from(report.answers.wall().as_millis()).unwrap_or(u64::MAX),
            must_be_safe: strategy.must_be_safe,
            timeline: report.incident().map(|pair| timeline::draw(&pair)),
            exhibit: self,
        }
    }

    /// The anomalies that have a column: the column's heading and the anomaly's name.
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
            Self::Tables => [
                ("lost", "lost_append"),
                ("twice", "duplicate_append"),
                ("kept", "kept_though_refused"),
                ("broken", "broken_table"),
            ],
        }
    }
}

/// What the requests of one strategy race for.
enum SharedThing {
    /// A new order book for each strategy.
    NewBook,
    /// The exports of this account.
    Account(i64),
    /// A new table for each strategy.
    NewTable,
}

impl SharedThing {
    fn target(&self, strategy: &str) -> Result<Target, DemoError> {
        Ok(match *self {
            Self::NewBook => Target::from(Orders {
                strategy: strategy.parse()?,
                book: Book::fresh(),
            }),
            Self::Account(account) => Target::from(Exports {
                strategy: strategy.parse()?,
                account,
            }),
            Self::NewTable => Target::from(Appends {
                strategy: strategy.parse()?,
                table: None,
                partition: None,
            }),
        })
    }
}

async fn open_account_to_export(database: &Database) -> Result<i64, Fault> {
    const INSERT: &str = "INSERT INTO transactions (account_id, amount, appended) VALUES (?, ?, 1)";
    let account = accounts::open(database, 0).await?;
    let rows = vec![[account, 1]; EXPORTED_TRANSACTIONS];
    let mut session = database.session(&Unobserved).await?;
    session.begin().await?;
    for chunk in rows.chunks(1000) {
        session
            .insert_rows("insert transactions", INSERT, chunk)
            .await?;
    }
    session.commit().await?;
    session.end().await;
    Ok(account)
}

/// The results as a table, then the first anomaly of each strategy in a sentence, then one
/// timeline.
pub(super) fn text(
    exhibit: AuditedExhibit,
    results: &[AuditedResult],
    platform: &Platform,
) -> String {
    let mut text = table(exhibit, results);
    for result in results {
        if result.refused + result.unclear > 0 {
            let words = refused_in_words(&result.refusals, result.unclear);
            let _ = writeln!(text, "{}: {words}", result.name());
        }
    }
    for result in results {
        if let Some(example) = result.first_anomaly().and_then(|it| it.example.as_ref()) {
            let _ = writeln!(text, "{}: {example}", result.name());
        }
    }
    let mut timelines = results
        .iter()
        .filter_map(|it| Some((it.name(), it.timeline.as_ref()?)));
    if let Some((strategy, timeline)) = timelines.next() {
        let _ = write!(text, "\nTwo of the requests of {strategy}:\n\n{timeline}");
    } else if results.iter().all(|it| it.first_anomaly().is_none()) {
        text.push_str(&nothing_went_wrong("Nothing went wrong", platform));
    }
    for result in results.iter().filter(|it| it.broke_its_promise()) {
        let _ = writeln!(
            text,
            "\n{} must be safe on this engine, and is not.",
            result.name()
        );
    }
    text
}

fn table(exhibit: AuditedExhibit, results: &[AuditedResult]) -> String {
    let columns = exhibit.columns();
    let [a, b, c, d] = columns.map(|(heading, _)| heading);
    let header = ["strategy", "acknowledged", "refused", a, b, c, d];
    let rows = results.iter().map(|result| {
        let [a, b, c, d] = columns.map(|(_, anomaly)| result.count(anomaly).to_string());
        [
            result.name().to_owned(),
            result.acknowledged.to_string(),
            result.refused.to_string(),
            a,
            b,
            c,
            d,
        ]
    });
    aligned(header, rows)
}
