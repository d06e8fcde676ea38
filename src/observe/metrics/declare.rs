//! The declarations. A metric's documentation is the help text that `/metrics` shows; docs/api.md
//! says more about each.
//!
//! The names follow <https://prometheus.io/docs/practices/naming/>.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Metric, Registry};

/// Declares a struct of metrics, and how to register them all. A metric's name at `/metrics` is the
/// struct's prefix and the field's name; its help text is the field's documentation.
macro_rules! metrics {
    (
        $(#[$about:meta])*
        struct $name:ident($prefix:literal) {
            $($(#[doc = $help:literal])+ $metric:ident: $kind:ty = $unused:expr;)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(super) struct $name {
            pub(super) registry: Registry,
            $($(#[doc = $help])+ pub(super) $metric: $kind,)+
        }

        impl $name {
            pub(super) fn unused() -> Self {
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
    struct Counters("racy") {
        /// Requests to a strategy that were answered, by outcome and HTTP status.
        requests_total: Family<RequestLabels, Total> = Family::default();

        /// Time from a request's arrival to its end, including queues, delays and retries.
        request_duration_seconds: Family<StrategyLabel, Histogram> =
            Family::new_with_constructor(duration_buckets);

        /// Steps and connections that were refused, by the kind of fault and the engine's code.
        faults_total: Family<FaultLabels, Total> = Family::default();

        /// Attempts at a request beyond its first one.
        retries_total: Family<StrategyLabel, Total> = Family::default();

        /// Time of each step that may have waited for another client's lock: a bound for the wait.
        lock_wait_seconds: Family<StrategyLabel, Histogram> =
            Family::new_with_constructor(duration_buckets);

        /// Requests that were committed together, in each batch of a strategy that batches.
        batch_deposits: Family<StrategyLabel, Histogram> =
            Family::new_with_constructor(batch_size_buckets);

        /// Snapshots of a table that became the current one.
        table_commits_total: Family<TableLabels, Total> = Family::default();

        /// Attempts to commit to a table that came after another client's commit.
        table_conflicts_total: Family<TableLabels, Total> = Family::default();

        /// Attempts to commit to a table beyond the first one.
        table_retries_total: Family<TableLabels, Total> = Family::default();

        /// Always 1; the label is the version of the program.
        build_info: Family<BuildLabel, Gauge> = Family::default();
    }
}

metrics! {
    /// What is looked up for one scrape, and forgotten after it.
    struct ScrapeGauges("racy") {
        /// Database connections that a request has or is about to get.
        pool_connections_in_use: Gauge = Gauge::default();

        /// Database connections that are open and that no request has.
        pool_connections_idle: Gauge = Gauge::default();

        /// The most database connections that there may be, as --db-connections says.
        pool_connections_limit: Gauge = Gauge::default();

        /// Requests that queue for a database connection and, while they do, do not race.
        pool_waiting_requests: Gauge = Gauge::default();

        /// 1 if the database answered within two seconds for this scrape, else 0.
        database_up: Gauge = Gauge::default();

        /// Files in the export folder, including those that are being written.
        exports_files: OptionalGauge = OptionalGauge::default();

        /// Size of all files in the export folder, in bytes.
        exports_bytes: OptionalGauge = OptionalGauge::default();

        /// What an account should hold by its transactions, minus what it holds.
        lost_amount: Family<AccountLabel, Gauge<f64, AtomicU64>> = Family::default();

        /// The least number of updates that must be missing to explain an account's lost amount.
        lost_updates: Family<AccountLabel, Gauge<f64, AtomicU64>> = Family::default();
    }
}

metrics! {
    /// What all of Prometheus' client libraries say of a process, under the names that they share.
    struct ProcessGauges("process") {
        /// When the process began to serve, in seconds since 1970-01-01 UTC.
        start_time_seconds: Gauge<f64, AtomicU64> = Gauge::default();
    }
}

fn register(registry: &mut Registry, name: &str, help: &str, metric: impl Metric) {
    // The library adds the full stop.
    registry.register(name, help.trim().trim_end_matches('.'), metric);
}

/// A counter with one name for the metric and its samples. The library's own counter follows
/// OpenMetrics, where `_total` belongs to the samples alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Total(Counter);

impl Total {
    pub(super) fn add(&self, number: u32) {
        self.0.inc_by(number.into());
    }
}

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        // Of the library's kinds, a gauge is the one whose sample has no suffix.
        encoder.encode_gauge(&self.0.get())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Total {
    const TYPE: MetricType = MetricType::Counter;
}

/// A gauge that may be unknown. Then nothing of it is shown, not even its help.
#[derive(Debug, Clone, Default)]
pub(super) struct OptionalGauge(Arc<OnceLock<u64>>);

impl OptionalGauge {
    pub(super) fn set(&self, value: u64) {
        self.0.get_or_init(|| value);
    }
}

impl EncodeMetric for OptionalGauge {
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

impl TypedMetric for OptionalGauge {
    const TYPE: MetricType = MetricType::Gauge;
}

/// From the time of a request without a delay to the longest wait that InnoDB allows by default.
fn duration_buckets() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
        60.0,
    ])
}

fn batch_size_buckets() -> Histogram {
    Histogram::new((0..=9).map(|power| f64::from(1 << power)))
}

/// A strategy's full name. It is `'static` because it comes from the program: text that a client
/// writes into a URL never becomes a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StrategyLabel {
    pub(super) strategy: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) strategy: &'static str,
    pub(super) outcome: &'static str,
    pub(super) status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FaultLabels {
    pub(super) strategy: &'static str,
    pub(super) kind: &'static str,
    /// Empty if the engine gave no code. To Prometheus an empty label is no label.
    pub(super) code: String,
}

/// Clients name tables, so only the first ones have series of their own: see
/// [`Metrics::count_commit`](super::Metrics::count_commit).
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TableLabels {
    pub(super) strategy: &'static str,
    pub(super) table: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AccountLabel {
    pub(super) account: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabel {
    pub(super) version: &'static str,
}
