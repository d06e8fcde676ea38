//! What is counted while the service works.

use std::collections::BTreeSet;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::declare::{
    BuildLabel, Counters, FaultLabels, ProcessGauges, RequestLabels, StrategyLabel, TableLabels,
};
use crate::engine::FaultKind;
use crate::step::{Action, Effect, Ending, Observer, Parked, Record, Step, Turn};
use crate::verdict::Outcome;

/// A request to a strategy that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnsweredRequest<'r> {
    /// The strategy's full name.
    pub(crate) strategy: &'static str,
    /// What the answer says.
    pub(crate) kind: AnswerKind,
    /// The answer's HTTP status.
    pub(crate) status: u16,
    /// How long the request took since it arrived.
    pub(crate) took: Duration,
    /// The fault that ended the request, with the engine's code for it. It is the fault of a step,
    /// or one that came before the first step.
    pub(crate) fault: Option<(FaultKind, Option<&'r str>)>,
    /// The steps of the request.
    pub(crate) records: &'r [Record],
    /// True if the steps are those of a batch, which [`BatchSteps`] counts.
    pub(crate) in_a_batch: bool,
}

/// What a client's attempts to commit to a table have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableCommit<'t> {
    /// The strategy's full name.
    pub(crate) strategy: &'static str,
    /// The table's name.
    pub(crate) table: &'t str,
    /// Whether a snapshot became the current one.
    pub(crate) is_made: bool,
    /// The number of attempts.
    pub(crate) attempts: u32,
}

/// The largest number of tables with series of their own. The others are counted together.
const MOST_TABLES: usize = 100;

/// The label of the other tables. It is no table's name.
const OTHER_TABLES: &str = "(others)";

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    /// How a request to write ended, after this number of attempts.
    Write {
        /// What became of it.
        outcome: Outcome,
        /// The number of attempts.
        attempts: u32,
    },
    /// The first answer to a request that was carried out before.
    Replay,
    /// What was read.
    Read,
    /// That nothing was read.
    ReadRefused,
}

impl AnswerKind {
    /// The label's value.
    fn outcome(self) -> &'static str {
        match self {
            Self::Write { outcome, .. } => outcome.name(),
            Self::Replay => "replayed",
            Self::Read => "read",
            Self::ReadRefused => Outcome::Refused.name(),
        }
    }
}

/// The metrics of a service.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(super) process: ProcessGauges,
    pub(super) counters: Counters,
    /// The tables with series of their own.
    tables: Mutex<BTreeSet<String>>,
}

// A request costs a few look-ups in tables that change only when a label is new, under locks that
// are held for no longer than that. Measured: 0.3 to 0.5 µs in all, also with eight threads that do
// nothing else, where the fastest request takes hundreds. Bare atomics would need every label in
// advance, and an engine has many codes.
impl Metrics {
    /// Metrics in which nothing has happened yet. These strategies, which write, have series from
    /// the beginning, so that the first event is an increase and not only a new series.
    pub(crate) fn new(writers: impl IntoIterator<Item = &'static str>) -> Self {
        let metrics = Self {
            process: ProcessGauges::unused(),
            counters: Counters::unused(),
            tables: Mutex::default(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let start_time = &metrics.process.start_time_seconds;
        start_time.set(now.unwrap_or_default().as_secs_f64());
        let version = env!("CARGO_PKG_VERSION");
        let build = BuildLabel { version };
        let build_info = &metrics.counters.build_info;
        build_info.get_or_create_owned(&build).set(1);
        for writer in writers {
            metrics.count_request(writer, Outcome::Applied.name(), 200, 0);
            metrics.count_retries(writer, 0);
        }
        metrics
    }

    /// The same, with series for these strategies, which read.
    pub(crate) fn with_readers(self, readers: impl IntoIterator<Item = &'static str>) -> Self {
        for reader in readers {
            self.count_request(reader, AnswerKind::Read.outcome(), 200, 0);
        }
        self
    }

    /// Counts a request that names a strategy and that the service could not understand.
    pub(crate) fn count_invalid(&self, strategy: &'static str, status: u16) {
        self.count_request(strategy, "invalid", status, 1);
    }

    /// Counts a request that was answered.
    pub(crate) fn count(&self, request: &AnsweredRequest<'_>) {
        let strategy = request.strategy;
        self.count_request(strategy, request.kind.outcome(), request.status, 1);
        if let AnswerKind::Write { attempts, .. } = request.kind {
            self.count_retries(strategy, attempts.saturating_sub(1));
        }
        self.count_time(strategy, request.took);
        if !request.in_a_batch {
            self.count_steps(strategy, request.records);
        }
        self.count_fault_before_the_first_step(request);
    }

    /// Counts a batch of requests that were committed together.
    pub(crate) fn count_batch(&self, strategy: &'static str, size: u32) {
        self.counters
            .batch_deposits
            .get_or_create(&StrategyLabel { strategy })
            .observe(size.into());
    }

    /// Counts a client's attempts to commit to a table. Each but a last one that went well was a
    /// conflict.
    pub(crate) fn count_commit(&self, commit: TableCommit<'_>) {
        let labels = TableLabels {
            strategy: commit.strategy,
            table: self.table_label(commit.table),
        };
        let made = u32::from(commit.is_made);
        let counters = &self.counters;
        let commits = counters.table_commits_total.get_or_create(&labels);
        commits.add(made);
        drop(commits);
        let conflicts = counters.table_conflicts_total.get_or_create(&labels);
        conflicts.add(commit.attempts - made.min(commit.attempts));
        drop(conflicts);
        let retries = counters.table_retries_total.get_or_create(&labels);
        retries.add(commit.attempts.saturating_sub(1));
    }

    /// A table's label.
    fn table_label(&self, table: &str) -> String {
        let mut known = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(table) || known.len() < MOST_TABLES {
            known.insert(table.to_owned());
            table.to_owned()
        } else {
            OTHER_TABLES.to_owned()
        }
    }

    fn count_request(
        &self,
        strategy: &'static str,
        outcome: &'static str,
        status: u16,
        number: u32,
    ) {
        let labels = RequestLabels {
            strategy,
            outcome,
            status,
        };
        let requests = &self.counters.requests_total;
        requests.get_or_create(&labels).add(number);
    }

    fn count_time(&self, strategy: &'static str, took: Duration) {
        self.counters
            .request_duration_seconds
            .get_or_create(&StrategyLabel { strategy })
            .observe(took.as_secs_f64());
    }

    fn count_retries(&self, strategy: &'static str, number: u32) {
        self.counters
            .retries_total
            .get_or_create(&StrategyLabel { strategy })
            .add(number);
    }

    pub(super) fn count_steps(&self, strategy: &'static str, records: &[Record]) {
        for record in records {
            if let Ending::Failed { kind, code, .. } = &record.ending {
                self.count_fault(strategy, kind, code.as_deref());
            }
            if may_wait_for_a_lock(record) {
                let took = record.ended.saturating_duration_since(record.started);
                self.counters
                    .lock_wait_seconds
                    .get_or_create(&StrategyLabel { strategy })
                    .observe(took.as_secs_f64());
            }
        }
    }

    /// Every other fault is counted with its step.
    fn count_fault_before_the_first_step(&self, request: &AnsweredRequest<'_>) {
        let is_refused = |record: &Record| matches!(record.ending, Ending::Failed { .. });
        if let Some((kind, code)) = request.fault
            && !request.records.iter().any(is_refused)
        {
            self.count_fault(request.strategy, kind.name(), code);
        }
    }

    fn count_fault(&self, strategy: &'static str, kind: &'static str, code: Option<&str>) {
        let labels = FaultLabels {
            strategy,
            kind,
            code: code.unwrap_or_default().to_owned(),
        };
        self.counters.faults_total.get_or_create(&labels).add(1);
    }
}

/// Counts the steps of batches as they are made. Each step counts once, although every request of
/// the batch shows it.
#[derive(Debug)]
pub(crate) struct BatchSteps {
    /// The strategy that makes batches.
    pub(crate) strategy: &'static str,
    /// Where the steps are counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Also sees every step, and may hold it up.
    pub(crate) next: Arc<dyn Observer>,
}

impl Observer for BatchSteps {
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

/// Whether another client's lock may have kept this step waiting. A commit releases locks. A step
/// on a file has no statement, and waits for nothing unless it takes a lock.
fn may_wait_for_a_lock(record: &Record) -> bool {
    match record.step.action {
        Action::Lock => record.step.effect == Effect::Conflicts,
        Action::Begin | Action::Read | Action::Write => {
            record.step.effect == Effect::Conflicts && record.step.sql.is_some()
        }
        Action::Commit
        | Action::Rollback
        | Action::Unlock
        | Action::Think
        | Action::Pause
        | Action::Request
        | Action::Answer
        | Action::Outside => false,
    }
}
