//! What the handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::console;
use super::instance::Instance;
use super::problem::Problem;
use super::room::Room;
use super::settings::Settings;
use crate::console::runs::{self, Laboratory, Runs, Store};
use crate::engine::{Database, PoolUse};
use crate::exhibits::deposits::keys::Terms;
use crate::exhibits::deposits::{LongDelay, Memory, Retry, batched};
use crate::exhibits::exports::Folder;
use crate::exhibits::tables::Tables;
use crate::observe::audit::Auditor;
use crate::observe::metrics::{BatchSteps, Metrics};
use crate::step::Observer;

/// How many files are audited at a time, at most. Each audit keeps a processor busy.
const MOST_AUDITS: usize = 2;

/// How long an audit waits for its turn.
const PATIENCE_FOR_AN_AUDIT: Duration = Duration::from_secs(2);

/// What the handlers share.
#[derive(Debug)]
pub(super) struct App {
    pub(super) database: Database,
    /// The connections of the keeper, health and metrics. They are those of `database` unless some
    /// are kept for them.
    pub(super) kept: Database,
    has_kept_connections: bool,
    pub(super) long_delay: LongDelay,
    pub(super) retry: Retry,
    pub(super) keys: Terms,
    pub(super) instance: Instance,
    /// The locks and queues of this process. Other instances have their own.
    pub(super) memory: Memory,
    pub(super) exports: Folder,
    pub(super) tables: Tables,
    /// One permit for each file that may be audited at the same time.
    audits: Arc<Semaphore>,
    /// Sees every step of every strategy.
    pub(super) observer: Arc<dyn Observer>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) auditor: Auditor,
    warned_of_the_pool: AtomicBool,
    pub(super) room: Room,
    /// The runs that visitors of the console ask for.
    pub(super) runs: Runs,
    /// Cancelled when the service stops: everything without an end of its own has to end then.
    pub(super) stopping: CancellationToken,
}

impl App {
    /// `kept` are the connections of the keeper, health and metrics, if they have their own. A stop
    /// waits for what is under way in `tasks`.
    pub(super) fn new(
        database: Database,
        kept: Option<Database>,
        settings: &Settings,
        observer: Arc<dyn Observer>,
        metrics: Arc<Metrics>,
        tasks: TaskTracker,
    ) -> Self {
        let stopping = CancellationToken::new();
        let laboratory = Laboratory {
            database: database.clone(),
            workers: settings.workers,
            limits: runs::Limits::default(),
            start: console::start_instance,
            tasks,
            stopping: stopping.clone(),
        };
        let store = Store::new(kept.clone().unwrap_or_else(|| database.clone()));
        let batches_observer = BatchSteps {
            strategy: batched::NAME,
            metrics: Arc::clone(&metrics),
            next: Arc::clone(&observer),
        };
        Self {
            has_kept_connections: kept.is_some(),
            kept: kept.unwrap_or_else(|| database.clone()),
            database,
            long_delay: settings.long_delay.clone(),
            retry: settings.retry,
            keys: Terms {
                kept_for: settings.idempotency_ttl,
                // No client is kept waiting longer: after that its request is no longer in flight.
                claim_lasts: settings.request_timeout,
            },
            instance: settings.instance.clone(),
            memory: Memory::observed_by(Arc::new(batches_observer)),
            exports: settings.exports.clone(),
            tables: settings.tables.clone(),
            audits: Arc::new(Semaphore::new(MOST_AUDITS)),
            observer,
            metrics,
            auditor: Auditor::default(),
            warned_of_the_pool: AtomicBool::new(false),
            room: Room::default(),
            runs: Runs::new(laboratory, store),
            stopping,
        }
    }

    /// Waits for a turn to audit files. It lasts as long as what is returned.
    pub(super) async fn turn_to_audit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = timeout(
            PATIENCE_FOR_AN_AUDIT,
            Arc::clone(&self.audits).acquire_owned(),
        );
        let turn = turn.await.map_err(|_elapsed| Problem::too_many_audits())?;
        turn.map_err(|_closed| Problem::internal())
    }

    /// How all connections to the database are used right now.
    pub(super) fn pool_use(&self) -> PoolUse {
        if self.has_kept_connections {
            self.database.pool_use() + self.kept.pool_use()
        } else {
            self.database.pool_use()
        }
    }

    /// Passes on what was read from a request to a strategy, or counts that it was not valid.
    pub(super) fn count_if_invalid<T>(
        &self,
        strategy: &'static str,
        request: Result<T, Problem>,
    ) -> Result<T, Problem> {
        request.inspect_err(|problem| self.metrics.count_invalid(strategy, problem.status))
    }

    /// Learns from how a write ended whether the database has room. `problem` is None if it was
    /// made.
    pub(super) fn learn_about_room(&self, problem: Option<&Problem>) {
        self.room.learn(self.database.engine().flavour, problem);
    }

    /// Requests that queue for a connection do not race: says so, once.
    pub(super) fn warn_if_the_pool_hides_the_race(&self) {
        if self.database.is_exhausted() && !self.warned_of_the_pool.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "all database connections are in use: further requests queue for one, and while \
                 they do, they do not race; --db-connections allows more"
            );
        }
    }
}
