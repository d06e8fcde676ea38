//! The metrics: what `GET /metrics` shows of the deposits that were made and refused, of the statements that
//! were read, of the pool, and of the money.
//!
//! A strategy knows nothing of this. What is counted is derived, once a request is done, from the records
//! of its steps and from how it was answered.
//!
//! Each metric is declared once, and the documentation above it is the help text that `/metrics` shows.
//! Their names follow <https://prometheus.io/docs/practices/naming/>.

use std::fmt;
use std::slice;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Metric, Registry};

use crate::accounts::Account;
use crate::engine::{FaultKind, PoolUse};
use crate::exhibits::exports::Held;
use crate::step::{Action, Effect, Ending, Observer, Parked, Record, Step, Turn};
use crate::verdict::Outcome;

/// The media type of what `/metrics` shows: Prometheus' own text format, which every version of it and
/// every tool around it reads.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Declares metrics: a struct of them, and how to register them all. A metric's name at `/metrics` is
/// the field's behind the struct's prefix, and its help text is the field's documentation.
macro_rules! metrics {
    (
        $(#[$about:meta])*
        struct $name:ident($prefix:literal) {
            $($(#[doc = $help:literal])+ $metric:ident: $kind:ty = $unused:expr;)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        struct $name {
            registry: Registry,
            $($(#[doc = $help])+ $metric: $kind,)+
        }

        impl $name {
            fn unused() -> Self {
                let mut registry = Registry::with_prefix($prefix);
                $(
                    let $metric: $kind = $unused;
                    let help = concat!($($help),+);
                    register(&mut registry, stringify!($metric), help, $metric.clone());
                )+
                Self { registry, $($metric),+ }
            }
        }
    };
}

metrics! {
    /// What is counted while the service works.
    struct Counted("racy") {
        /// Requests to a strategy that were answered, by outcome and HTTP status; an order's strategy is called
        /// orders/NAME, and an export's exports/NAME. The outcome is applied; replayed, where a deposit had been applied before, under the same
        /// idempotency key;
        /// refused (nothing was kept); partial (part of it was kept); unknown (the answer to its commit was
        /// lost); or invalid, where the request described no deposit, no order or no export. A statement's is read or refused. A client that was told that it takes too
        /// long (504), or that has left, is counted by what became of its request in the end. Requests for
        /// strategies that do not exist are not counted.
        requests_total: Family<Request, Total> = Family::default();

        /// Time from a request's arrival with all of its body to its end, however it ended: queueing for a worker
        /// and for a database connection, the strategy's own delay and its retries included.
        request_duration_seconds: Family<ByStrategy, Histogram> =
            Family::new_with_constructor(durations);

        /// Refusals by the engine, by kind and the engine's own code, and by the disk that exports are on: of every step that was refused, also where a
        /// strategy tried again and succeeded, and of a connection that was not to be had. A step of a batch counts once.
        faults_total: Family<FaultOf, Total> = Family::default();

        /// Attempts at a deposit beyond its first, of retry_only_statement the statements that were sent again.
        retries_total: Family<ByStrategy, Total> = Family::default();

        /// Time of each step in which a request may have waited for somebody else's lock: statements that write,
        /// reads that lock or that follow another statement of their transaction, a begin that locks, as on
        /// SQLite, and the taking of a lock that is on no row: a named one, one on a file, or one in the process. It is a bound for the wait and not the wait itself, which no engine tells apart: the
        /// statement's own work is in it and, in autocommit, its commit. Steps that commit or roll back are not, nor is the writing of a file.
        lock_wait_seconds: Family<ByStrategy, Histogram> = Family::new_with_constructor(durations);

        /// Deposits that were committed together, in each batch of a strategy that batches.
        batch_deposits: Family<ByStrategy, Histogram> = Family::new_with_constructor(batch_sizes);

        /// Always 1; the version of the program is its label.
        build_info: Family<Build, Gauge> = Family::default();
    }
}

metrics! {
    /// What is looked up for one scrape, and forgotten after it.
    struct LookedUp("racy") {
        /// Database connections that are with a request, or on their way to one.
        pool_connections_in_use: Gauge = Gauge::default();

        /// Database connections that are open and with nobody.
        pool_connections_idle: Gauge = Gauge::default();

        /// As many database connections as there may be, by --db-connections.
        pool_connections_limit: Gauge = Gauge::default();

        /// Requests that queue for a database connection. While they do, they do not race.
        pool_waiting_requests: Gauge = Gauge::default();

        /// 1 where the database answered for this scrape; 0 where it did not within two seconds, be it that all
        /// connections were in use for so long. Then the scrape has no accounts.
        database_up: Gauge = Gauge::default();

        /// Exports in the export folder, also those that are being written. Replicas that share the folder all count the
        /// same ones. Missing where the folder cannot be read.
        exports_files: WhereKnown = WhereKnown::default();

        /// What the exports in the export folder take, in bytes.
        exports_bytes: WhereKnown = WhereKnown::default();

        /// By account: what its transactions say it should hold, minus what it holds, as GET /accounts says it.
        /// A deposit in autocommit that is half done counts as lost until it is whole. One that left neither its amount
        /// nor a transaction (retry_only_statement) is missing nowhere: only who compares with the answers sees it. Of the first 1000 accounts.
        /// An audit reads every transaction, and the service spends a twentieth of its time on it at most: where
        /// there are very many, the figure is some seconds old.
        lost_amount: Family<OfAccount, Gauge<f64, AtomicU64>> = Family::default();

        /// By account: as many deposits as must at least be missing to make up the lost amount, which is that amount
        /// divided by the largest transaction on record. Exact where all deposits are of the same amount and each has
        /// left a transaction. What a keeper has deleted is no longer on record, and what left no transaction never was.
        lost_updates: Family<OfAccount, Gauge<f64, AtomicU64>> = Family::default();
    }
}

metrics! {
    /// What Prometheus' client libraries say of every process, under the name they all use.
    struct Process("process") {
        /// When the process began to serve, in seconds since 1970-01-01 UTC.
        start_time_seconds: Gauge<f64, AtomicU64> = Gauge::default();
    }
}

fn register(registry: &mut Registry, name: &str, help: &str, metric: impl Metric) {
    // The library adds the full stop.
    registry.register(name, help.trim().trim_end_matches('.'), metric);
}

/// A counter that is called the same in every line about it. The library's own follows OpenMetrics, where
/// `_total` belongs to the samples and not to the metric.
#[derive(Debug, Clone, Default)]
struct Total(Counter);

impl Total {
    fn add(&self, number: u32) {
        self.0.inc_by(number.into());
    }
}

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        // Of the library's kinds, the one whose sample has no suffix.
        encoder.encode_gauge(&self.0.get())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Total {
    const TYPE: MetricType = MetricType::Counter;
}

/// A gauge of which nothing is shown, not even its help, unless it was set.
#[derive(Debug, Clone, Default)]
struct WhereKnown(Arc<OnceLock<u64>>);

impl WhereKnown {
    fn set(&self, value: u64) {
        self.0.get_or_init(|| value);
    }
}

impl EncodeMetric for WhereKnown {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        self.0
            .get()
            .map_or(Ok(()), |value| encoder.encode_gauge(value))
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }

    fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }
}

impl TypedMetric for WhereKnown {
    const TYPE: MetricType = MetricType::Gauge;
}

/// From a deposit without a delay to one that waits as long as InnoDB allows.
fn durations() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
        60.0,
    ])
}

fn batch_sizes() -> Histogram {
    Histogram::new((0..=9).map(|power| f64::from(1 << power)))
}

/// A strategy's name as a label. It is `'static` because it comes from the registry of strategies: what
/// somebody writes into a URL never becomes a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStrategy {
    strategy: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    strategy: &'static str,
    outcome: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FaultOf {
    strategy: &'static str,
    kind: &'static str,
    /// Empty where the engine gave none: to Prometheus that is no label.
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAccount {
    account: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// How a deposit went, from its first step to its answer.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'d> {
    /// The strategy that was asked for.
    pub strategy: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// The HTTP status that says so.
    pub status: u16,
    /// How long it took since it arrived.
    pub took: Duration,
    /// How often it was tried.
    pub attempts: u32,
    /// The fault that it ended with, and the engine's code for it: a step's, unless it came before the first one.
    pub fault: Option<(FaultKind, Option<&'d str>)>,
    /// It was made before; this is the first answer again.
    pub replayed: bool,
    /// Its steps.
    pub records: &'d [Record],
    /// Its steps are those of a batch, and [`StepsOfBatches`] counts them.
    pub in_a_batch: bool,
}

/// How the reading of a statement went, from its first step to its answer.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'d> {
    /// The strategy that was asked for, by its whole name.
    pub strategy: &'static str,
    /// The HTTP status of the answer.
    pub status: u16,
    /// How long it took since it arrived.
    pub took: Duration,
    /// As of a deposit.
    pub fault: Option<(FaultKind, Option<&'d str>)>,
    /// Its steps.
    pub records: &'d [Record],
}

/// The outcome of a request that read.
const READ: &str = "read";

/// What is so at the moment of a scrape.
#[derive(Debug, Clone, Copy)]
pub struct Now<'n> {
    /// The pool of database connections.
    pub pool: PoolUse,
    /// Whether the database answers.
    pub database_up: bool,
    /// The accounts with their audit, as far as they could be read.
    pub accounts: &'n [Account],
    /// What the exports take; none where the export folder could not be read.
    pub exports: Option<Held>,
}

/// The metrics of a service.
#[derive(Debug)]
pub struct Metrics {
    process: Process,
    counted: Counted,
}

// A deposit costs a handful of look-ups in tables that change only when a label is new, under locks that
// are held for no longer than that: measured, 0.3 to 0.5 µs in all, also with eight threads that do nothing
// else, where the quickest deposit takes hundreds. Bare atomics would need every label beforehand, and an
// engine's codes are many.
impl Metrics {
    /// Nothing has happened yet. Of these strategies there are series from the beginning, so that the first
    /// event is an increase and not merely a new series.
    pub fn new(strategies: impl IntoIterator<Item = &'static str>) -> Self {
        let metrics = Self {
            process: Process::unused(),
            counted: Counted::unused(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let start_time = &metrics.process.start_time_seconds;
        start_time.set(now.unwrap_or_default().as_secs_f64());
        let version = env!("CARGO_PKG_VERSION");
        let build = metrics
            .counted
            .build_info
            .get_or_create_owned(&Build { version });
        build.set(1);
        for strategy in strategies {
            metrics.count_request(strategy, Outcome::Applied.name(), 200, 0);
            metrics.count_retries(strategy, 0);
        }
        metrics
    }

    /// The same for strategies that read.
    pub fn with_readers(self, readers: impl IntoIterator<Item = &'static str>) -> Self {
        for reader in readers {
            self.count_request(reader, READ, 200, 0);
        }
        self
    }

    /// Counts a request that was meant for a strategy but described no deposit.
    pub fn count_invalid(&self, strategy: &'static str, status: u16) {
        self.count_request(strategy, "invalid", status, 1);
    }

    /// Counts a deposit that was answered.
    pub fn count(&self, answered: &Answered<'_>) {
        let strategy = answered.strategy;
        if answered.replayed {
            self.count_request(strategy, "replayed", answered.status, 1);
        } else {
            self.count_request(strategy, answered.outcome.name(), answered.status, 1);
            self.count_retries(strategy, answered.attempts.saturating_sub(1));
        }
        self.count_time(strategy, answered.took);
        if !answered.in_a_batch {
            self.count_steps(strategy, answered.records);
        }
        self.count_fault_before_the_first_step(strategy, answered.fault, answered.records);
    }

    /// Counts a statement that was answered.
    pub fn count_statement(&self, shown: &Shown<'_>) {
        let outcome = match shown.status {
            200 => READ,
            _ => Outcome::Refused.name(),
        };
        self.count_request(shown.strategy, outcome, shown.status, 1);
        self.count_time(shown.strategy, shown.took);
        self.count_steps(shown.strategy, shown.records);
        self.count_fault_before_the_first_step(shown.strategy, shown.fault, shown.records);
    }

    /// Counts a batch of so many deposits that were committed together.
    pub fn count_batch(&self, strategy: &'static str, deposits: u32) {
        self.counted
            .batch_deposits
            .get_or_create(&ByStrategy { strategy })
            .observe(deposits.into());
    }

    fn count_request(
        &self,
        strategy: &'static str,
        outcome: &'static str,
        status: u16,
        number: u32,
    ) {
        let request = Request {
            strategy,
            outcome,
            status,
        };
        let requests = &self.counted.requests_total;
        requests.get_or_create(&request).add(number);
    }

    fn count_time(&self, strategy: &'static str, took: Duration) {
        self.counted
            .request_duration_seconds
            .get_or_create(&ByStrategy { strategy })
            .observe(took.as_secs_f64());
    }

    fn count_retries(&self, strategy: &'static str, number: u32) {
        let retries = &self.counted.retries_total;
        retries.get_or_create(&ByStrategy { strategy }).add(number);
    }

    fn count_steps(&self, strategy: &'static str, records: &[Record]) {
        for record in records {
            if let Ending::Failed { kind, code, .. } = &record.ending {
                self.count_fault(strategy, kind, code.as_deref());
            }
            if may_wait_for_a_lock(record) {
                let took = record.ended.saturating_duration_since(record.started);
                self.counted
                    .lock_wait_seconds
                    .get_or_create(&ByStrategy { strategy })
                    .observe(took.as_secs_f64());
            }
        }
    }

    /// Any other fault is counted with its step.
    fn count_fault_before_the_first_step(
        &self,
        strategy: &'static str,
        fault: Option<(FaultKind, Option<&str>)>,
        records: &[Record],
    ) {
        let of_a_step = |record: &Record| matches!(record.ending, Ending::Failed { .. });
        if let Some((kind, code)) = fault
            && !records.iter().any(of_a_step)
        {
            self.count_fault(strategy, kind.name(), code);
        }
    }

    fn count_fault(&self, strategy: &'static str, kind: &'static str, code: Option<&str>) {
        let fault = FaultOf {
            strategy,
            kind,
            code: code.unwrap_or_default().to_owned(),
        };
        self.counted.faults_total.get_or_create(&fault).add(1);
    }

    /// All metrics as text, for Prometheus.
    ///
    /// # Errors
    /// Where a metric cannot be written.
    pub fn text(&self, now: &Now<'_>) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.process.registry)?;
        encode_registry(&mut text, &self.counted.registry)?;
        encode_registry(&mut text, &LookedUp::at(now).registry)?;
        Ok(text)
    }
}

/// Counts the steps of batches as they are made: each once, where every deposit of the batch shows it.
#[derive(Debug)]
pub struct StepsOfBatches {
    /// The strategy that makes batches.
    pub strategy: &'static str,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
    /// Sees every step as well, and may hold it up.
    pub next: Arc<dyn Observer>,
}

impl Observer for StepsOfBatches {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        self.next.before(step)
    }

    fn held_up<'a>(&'a self, step: &'a Step) -> Option<Turn<'a>> {
        self.next.held_up(step)
    }

    fn after(&self, record: &Record) {
        self.metrics
            .count_steps(self.strategy, slice::from_ref(record));
        self.next.after(record);
    }
}

/// A step of which the session says that others may keep it from happening. A commit lets locks go. And where
/// there is no statement, nobody but a lock keeps anybody waiting: whoever writes the same file does not.
fn may_wait_for_a_lock(record: &Record) -> bool {
    match record.step.action {
        Action::Lock => record.step.effect == Effect::Conflicts,
        Action::Begin | Action::Read | Action::Write => {
            record.step.effect == Effect::Conflicts && record.step.sql.is_some()
        }
        Action::Commit | Action::Rollback | Action::Unlock | Action::Think | Action::Pause => false,
    }
}

impl LookedUp {
    fn at(now: &Now<'_>) -> Self {
        let gauges = Self::unused();
        gauges.pool_connections_in_use.set(whole(now.pool.in_use));
        gauges.pool_connections_idle.set(whole(now.pool.idle));
        gauges.pool_connections_limit.set(whole(now.pool.limit));
        gauges.pool_waiting_requests.set(whole(now.pool.waiting));
        gauges.database_up.set(now.database_up.into());
        if let Some(Held { files, bytes }) = now.exports {
            gauges.exports_files.set(files);
            gauges.exports_bytes.set(bytes);
        }
        for it in now.accounts {
            let account = OfAccount { account: it.id };
            // Prometheus knows no other numbers than these: beyond 2^53 the last digits are lost.
            let (amount, updates) = (it.lost as f64, it.lost_updates() as f64);
            gauges.lost_amount.get_or_create(&account).set(amount);
            gauges.lost_updates.get_or_create(&account).set(updates);
        }
        gauges
    }
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::step::Unobserved;

    const NOW: Now<'_> = Now {
        pool: PoolUse {
            in_use: 3,
            idle: 2,
            limit: 8,
            waiting: 1,
        },
        database_up: true,
        accounts: &[Account {
            id: 1,
            balance: 100,
            opening_balance: 0,
            version: 0,
            transactions: 10,
            largest: 100,
            transactions_sum: 1000,
            expected: 1000,
            lost: 900,
        }],
        exports: Some(Held {
            files: 2,
            bytes: 4096,
        }),
    };

    fn record(action: Action, effect: Effect, milliseconds: u64, ending: Ending) -> Record {
        let started = Instant::now();
        Record {
            step: Step {
                action,
                label: "a step".into(),
                sql: Some("A STATEMENT".into()),
                args: Vec::new(),
                effect,
            },
            started,
            ended: started + Duration::from_millis(milliseconds),
            ending,
        }
    }

    fn refused_by(kind: FaultKind, code: &str) -> Ending {
        Ending::Failed {
            kind: kind.name(),
            code: Some(code.to_owned()),
            refusal: "in words".to_owned(),
        }
    }

    /// A deposit that was refused at its second attempt.
    fn answered(records: &[Record]) -> Answered<'_> {
        Answered {
            strategy: "a",
            outcome: Outcome::Refused,
            status: 409,
            took: Duration::from_millis(20),
            attempts: 2,
            fault: None,
            replayed: false,
            records,
            in_a_batch: false,
        }
    }

    fn text(metrics: &Metrics) -> String {
        metrics.text(&NOW).unwrap()
    }

    fn assert_shows(text: &str, line: &str) {
        assert!(
            text.lines().any(|it| it == line),
            "{line} is not in\n{text}"
        );
    }

    /// Metrics of which every one has been counted once.
    fn used() -> Metrics {
        let metrics = Metrics::new(["a", "b"]);
        metrics.count(&answered(&[
            record(Action::Begin, Effect::Local, 1, Ending::Done(None)),
            record(Action::Write, Effect::Conflicts, 7, Ending::Done(None)),
            record(
                Action::Read,
                Effect::Conflicts,
                2,
                refused_by(FaultKind::Deadlock, "1213"),
            ),
            record(Action::Read, Effect::Reads, 1, Ending::Done(None)),
            record(
                Action::Commit,
                Effect::Conflicts,
                1,
                refused_by(FaultKind::Deadlock, "1213"),
            ),
        ]));
        metrics.count_batch("b", 3);
        metrics
    }

    #[test]
    fn every_metric_explains_itself_in_a_sentence() {
        let text = text(&used());
        let helps: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '))
            .collect();
        let metrics = text.lines().filter(|line| line.starts_with("# TYPE "));
        assert_eq!(helps.len(), metrics.count());
        assert_eq!(helps.len(), 17, "{helps:?}");
        for (name, help) in helps {
            assert!(help.len() > 15, "{name}: {help:?}");
            assert!(
                help.ends_with('.') && !help.ends_with(".."),
                "{name}: {help}"
            );
            assert!(
                !help.contains("  ") && !help.contains('\\'),
                "{name}: {help}"
            );
        }
    }

    #[test]
    fn a_deposit_is_counted_by_what_became_of_it() {
        let text = text(&used());
        for line in [
            r#"racy_requests_total{strategy="a",outcome="refused",status="409"} 1"#,
            r#"racy_requests_total{strategy="a",outcome="applied",status="200"} 0"#,
            r#"racy_requests_total{strategy="b",outcome="applied",status="200"} 0"#,
            r#"racy_retries_total{strategy="a"} 1"#,
            r#"racy_retries_total{strategy="b"} 0"#,
            r#"racy_faults_total{strategy="a",kind="deadlock",code="1213"} 2"#,
            r#"racy_request_duration_seconds_count{strategy="a"} 1"#,
            r#"racy_request_duration_seconds_bucket{le="0.01",strategy="a"} 0"#,
            r#"racy_request_duration_seconds_bucket{le="0.025",strategy="a"} 1"#,
            r#"racy_request_duration_seconds_bucket{le="+Inf",strategy="a"} 1"#,
            r#"racy_batch_deposits_sum{strategy="b"} 3.0"#,
        ] {
            assert_shows(&text, line);
        }
    }

    #[test]
    fn only_steps_that_may_wait_for_a_lock_count_as_such() {
        let metrics = used();
        let mut to_a_file = record(Action::Write, Effect::Conflicts, 1, Ending::Done(None));
        to_a_file.step.sql = None;
        metrics.count_steps("a", &[to_a_file]);
        let text = text(&metrics);
        assert_shows(&text, r#"racy_lock_wait_seconds_count{strategy="a"} 2"#);
        assert_shows(
            &text,
            r#"racy_lock_wait_seconds_bucket{le="0.005",strategy="a"} 1"#,
        );
        assert_shows(
            &text,
            r#"racy_lock_wait_seconds_bucket{le="0.01",strategy="a"} 2"#,
        );
    }

    #[test]
    fn a_step_that_two_deposits_share_is_counted_once() {
        let metrics = Arc::new(Metrics::new([]));
        let refused = refused_by(FaultKind::Deadlock, "1213");
        let step = record(Action::Write, Effect::Conflicts, 1, refused);
        let of_the_batch = StepsOfBatches {
            strategy: "a",
            metrics: Arc::clone(&metrics),
            next: Arc::new(Unobserved),
        };
        of_the_batch.after(&step);
        let records = [step];
        for _deposit in 0..2 {
            metrics.count(&Answered {
                fault: Some((FaultKind::Deadlock, Some("1213"))),
                in_a_batch: true,
                ..answered(&records)
            });
        }
        let text = text(&metrics);
        assert_shows(
            &text,
            r#"racy_faults_total{strategy="a",kind="deadlock",code="1213"} 1"#,
        );
        assert_shows(&text, r#"racy_lock_wait_seconds_count{strategy="a"} 1"#);
        assert_shows(
            &text,
            r#"racy_requests_total{strategy="a",outcome="refused",status="409"} 2"#,
        );
    }

    #[test]
    fn a_first_answer_that_is_given_again_is_no_deposit() {
        let metrics = Metrics::new(["a"]);
        metrics.count(&Answered {
            outcome: Outcome::Applied,
            status: 200,
            replayed: true,
            ..answered(&[])
        });
        let text = text(&metrics);
        for (outcome, number) in [("applied", 0), ("replayed", 1)] {
            let labels = format!(r#"strategy="a",outcome="{outcome}",status="200""#);
            assert_shows(&text, &format!("racy_requests_total{{{labels}}} {number}"));
        }
        assert_shows(&text, r#"racy_retries_total{strategy="a"} 0"#);
    }

    #[test]
    fn a_fault_is_counted_once() {
        let fault = (FaultKind::Unavailable, Some("1040"));
        let metrics = Metrics::new([]);
        metrics.count(&Answered {
            fault: Some(fault),
            ..answered(&[])
        });
        metrics.count(&Answered {
            fault: Some(fault),
            ..answered(&[record(
                Action::Write,
                Effect::Conflicts,
                1,
                refused_by(FaultKind::Busy, "5"),
            )])
        });
        let text = text(&metrics);
        assert_shows(
            &text,
            r#"racy_faults_total{strategy="a",kind="unavailable",code="1040"} 1"#,
        );
        assert_shows(
            &text,
            r#"racy_faults_total{strategy="a",kind="busy",code="5"} 1"#,
        );
    }

    #[test]
    fn a_statement_is_counted_as_read_or_refused() {
        let metrics = Metrics::new([]).with_readers(["a", "b"]);
        let refused = [record(
            Action::Read,
            Effect::Reads,
            1,
            refused_by(FaultKind::Busy, "5"),
        )];
        for (status, fault, records) in [
            (200, None, &[][..]),
            (409, Some((FaultKind::Busy, Some("5"))), &refused[..]),
            (503, Some((FaultKind::Unavailable, None)), &[][..]),
        ] {
            metrics.count_statement(&Shown {
                strategy: "a",
                status,
                took: Duration::from_millis(1),
                fault,
                records,
            });
        }
        let text = text(&metrics);
        for line in [
            r#"racy_requests_total{strategy="a",outcome="read",status="200"} 1"#,
            r#"racy_requests_total{strategy="b",outcome="read",status="200"} 0"#,
            r#"racy_requests_total{strategy="a",outcome="refused",status="409"} 1"#,
            r#"racy_request_duration_seconds_count{strategy="a"} 3"#,
            r#"racy_faults_total{strategy="a",kind="busy",code="5"} 1"#,
            r#"racy_faults_total{strategy="a",kind="unavailable",code=""} 1"#,
        ] {
            assert_shows(&text, line);
        }
    }

    #[test]
    fn what_is_looked_up_is_shown() {
        let text = text(&Metrics::new([]));
        for line in [
            "racy_pool_connections_in_use 3",
            "racy_pool_connections_idle 2",
            "racy_pool_connections_limit 8",
            "racy_pool_waiting_requests 1",
            "racy_database_up 1",
            "racy_exports_files 2",
            "racy_exports_bytes 4096",
            r#"racy_lost_amount{account="1"} 900.0"#,
            r#"racy_lost_updates{account="1"} 9.0"#,
        ] {
            assert_shows(&text, line);
        }
    }

    #[test]
    fn without_a_database_there_are_no_accounts() {
        let now = Now {
            database_up: false,
            accounts: &[],
            exports: None,
            ..NOW
        };
        let text = Metrics::new([]).text(&now).unwrap();
        assert_shows(&text, "racy_database_up 0");
        assert!(!text.contains("racy_lost"), "{text}");
        assert!(!text.contains("racy_exports"), "{text}");
    }

    #[test]
    fn an_engines_code_cannot_break_out_of_its_label() {
        let metrics = Metrics::new([]);
        let code = refused_by(FaultKind::Other, "a\"} 1\nb\\");
        metrics.count(&answered(&[record(
            Action::Write,
            Effect::Conflicts,
            1,
            code,
        )]));
        assert_shows(
            &text(&metrics),
            r#"racy_faults_total{strategy="a",kind="other",code="a\"} 1\nb\\"} 1"#,
        );
    }
}
