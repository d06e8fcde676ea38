//! A run: instances of the service of its own, real requests to them, and the record.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use make_requests::{Book, Deposits, Exports, Orders, Pace, Plan, Progress, Report, Target};
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::compose::{self, Circumstances};
use super::id::RecordId;
use super::live::Teller;
use super::store::Store;
use super::waits::Samples;
use super::{Laboratory, RunError};
use crate::console::record::{RunPlan, RunRecord, State};
use crate::engine::{Database, Isolation, Settings};

/// What an instance of the service is for a run.
#[derive(Debug, Clone)]
pub struct InstancePlan {
    /// The database that its requests race in.
    pub database: Database,
    /// How many requests it carries out at a time. None if there is no limit.
    pub workers: Option<usize>,
    /// How long its strategies think, at most: each request draws from the upper half.
    pub delay: Duration,
    /// Where it writes exports.
    pub exports: PathBuf,
    /// How long a request may take.
    pub timeout: Duration,
}

/// An instance of the service that runs.
#[derive(Debug)]
pub struct RunningInstance {
    /// Where it answers.
    pub base_url: String,
    /// Stops it.
    pub stop: CancellationToken,
    /// Ends when all its requests have ended.
    pub serving: JoinHandle<()>,
}

/// Starts an instance of the service on a free port of the loopback interface.
pub type StartInstance =
    fn(InstancePlan) -> Pin<Box<dyn Future<Output = io::Result<RunningInstance>> + Send>>;

/// How often a run looks whether a visitor has asked another replica to stop it.
const LOOK_FOR_A_STOP: Duration = Duration::from_millis(250);

/// One run that is under way.
pub(super) struct Run<'l> {
    pub(super) laboratory: &'l Laboratory,
    pub(super) store: &'l Store,
    pub(super) id: RecordId,
    pub(super) plan: RunPlan,
    /// Outlives the run: it says that it is over only when its record is stored.
    pub(super) teller: &'l Teller,
}

impl Run<'_> {
    /// Fires the requests, and composes the record.
    pub(super) async fn perform(mut self) -> Result<RunRecord, RunError> {
        let apart = self.database_at_its_level().await?;
        let database = apart.as_ref().unwrap_or(&self.laboratory.database);
        let folder = tempfile::tempdir()?;
        let mut instances = Instances::default();
        let ran = self
            .perform_on(database, folder.path(), &mut instances)
            .await;
        instances.stop().await;
        if let Some(apart) = apart {
            apart.close().await;
        }
        ran
    }

    /// The same database at the level that the visitor chose. None if it is the lab's own.
    async fn database_at_its_level(&self) -> Result<Option<Database>, RunError> {
        let database = &self.laboratory.database;
        let Some(level) = &self.plan.isolation else {
            return Ok(None);
        };
        let level: Isolation = level.parse().map_err(RunError)?;
        if level == database.engine().isolation {
            return Ok(None);
        }
        let settings = *database.settings();
        let wanted = settings.connections.min(self.plan.requests + 2);
        let own = Settings {
            isolation: Some(level),
            connections: self.connections_beside(database, wanted).await?,
            ..settings
        };
        Ok(Some(database.with(&own).await?))
    }

    /// How many connections a run may have beside the lab's own, so that the server has enough for
    /// all runs at once.
    async fn connections_beside(&self, database: &Database, wanted: u32) -> Result<u32, RunError> {
        let Some(room) = database.room_beside().await? else {
            return Ok(wanted);
        };
        let share = u32::try_from(room / self.laboratory.limits.runs.max(1)).unwrap_or(wanted);
        if share < 2 {
            return Err(RunError(
                "the database server has no connections left for a run at a level of its own; a \
                 smaller --db-connections leaves some"
                    .to_owned(),
            ));
        }
        Ok(wanted.min(share))
    }

    async fn perform_on(
        &mut self,
        database: &Database,
        folder: &std::path::Path,
        instances: &mut Instances,
    ) -> Result<RunRecord, RunError> {
        for _ in 0..self.plan.instances {
            let instance = (self.laboratory.start)(InstancePlan {
                database: database.clone(),
                workers: self.laboratory.workers,
                delay: Duration::from_millis(self.plan.delay_ms),
                exports: folder.to_owned(),
                timeout: self.laboratory.limits.duration,
            });
            instances.0.push(instance.await?);
        }
        let started = SystemTime::now();
        let samples = Samples::default();
        let report = {
            let asking = database.beside(1);
            let report = tokio::select! {
                report = self.fire(instances) => report,
                never = samples.gather(&asking) => match never {},
            };
            asking.close().await;
            report?
        };
        let state = if self.teller.stop().is_cancelled() {
            State::Stopped
        } else {
            State::Ended
        };
        let about = Circumstances {
            id: self.id.clone(),
            engine: serde_json::to_value(database.engine()).unwrap_or_default(),
            started,
            state,
            notes: self.notes(database, &report),
            numbers: self.numbers(database).await,
            samples,
            plan: self.plan.clone(),
        };
        Ok(compose::record(about, &report))
    }

    /// Fires the requests. Meanwhile it says how far they are, and looks for a stop.
    async fn fire(&mut self, instances: &Instances) -> Result<Report, RunError> {
        let plan = self.requests(instances)?;
        let mut further = Vec::new();
        for instance in &instances.0[1..] {
            further.push(instance.base_url.parse()?);
        }
        let stop = self.teller.stop().clone();
        let run = make_requests::Run::of(&plan)
            .among(further)
            .until(async move { stop.cancelled().await });
        let tally = Tally::new(&self.plan, &self.id);
        let tally = Arc::new(std::sync::Mutex::new(tally));
        let report = {
            let (tally, teller) = (Arc::clone(&tally), self.teller);
            run.start(move |progress| {
                let mut tally = tally
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                if let Some(data) = tally.take(progress) {
                    tally.event = teller.tell(data);
                }
            })
        };
        let attend = self.attend(&tally);
        tokio::select! {
            report = report => Ok(report?),
            never = attend => match never {},
        }
    }

    /// Says that the run still runs, and looks for a stop, until it is dropped.
    async fn attend(&self, tally: &std::sync::Mutex<Tally>) -> std::convert::Infallible {
        let heartbeat = self.store.heartbeat();
        let mut beats = interval(heartbeat.unwrap_or(Duration::from_hours(1)));
        let mut looks = interval(LOOK_FOR_A_STOP);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    if heartbeat.is_some() {
                        let progress = {
                            let tally = tally.lock();
                            tally.unwrap_or_else(std::sync::PoisonError::into_inner).progress()
                        };
                        let told = self.store.progress(&self.id, &progress).await;
                        if let Err(fault) = told {
                            tracing::warn!(%fault, "a run could not say how far it is");
                        }
                    }
                }
                _ = looks.tick() => {
                    if let Ok(true) = self.store.is_stop_asked(&self.id).await {
                        self.teller.stop().cancel();
                    }
                }
            }
        }
    }

    /// The plan of the requests.
    fn requests(&mut self, instances: &Instances) -> Result<Plan, RunError> {
        let strategy = self.plan.strategy.parse()?;
        let account = self.plan.account;
        let target: Target = match self.plan.exhibit.as_str() {
            "deposits" => Deposits {
                strategy,
                account,
                amount: self.plan.amount.try_into()?,
                retry_timeouts: false,
                idempotency: false,
            }
            .into(),
            "orders" => {
                // Each run has a book of its own: orders of another one would be in its audit.
                let book = Book::fresh();
                self.plan.account = book.get().into();
                Orders { strategy, book }.into()
            }
            "exports" => Exports { strategy, account }.into(),
            other => return Err(RunError(format!("there is no exhibit {other}"))),
        };
        let first = instances.0.first().map(|it| it.base_url.as_str());
        Ok(Plan {
            base_url: first.unwrap_or_default().parse()?,
            target,
            pace: match self.plan.wait_ms {
                None => Pace::Together,
                Some(wait) => Pace::Every(Duration::from_millis(wait)),
            },
            requests: self.plan.requests.try_into()?,
            timeout: self.laboratory.limits.duration,
        })
    }

    /// What a reader of the figures should know about the lab.
    fn notes(&self, database: &Database, report: &Report) -> Vec<String> {
        let mut notes = Vec::new();
        let (requests, connections) = (self.plan.requests, database.connections());
        if requests > connections {
            notes.push(format!(
                "The lab has {connections} database connections for {requests} requests: the \
                 others queue, and while they do, they do not race."
            ));
        }
        if report.answers.len() < requests as usize {
            notes.push(format!(
                "The run was stopped: {} of {requests} requests were sent.",
                report.answers.len()
            ));
        }
        notes
    }

    /// The numbers of the orders in the book, by the request that is their customer. Some
    /// strategies cannot tell the number, and so their answers do not.
    async fn numbers(&self, database: &Database) -> Vec<(u32, String)> {
        if self.plan.exhibit != "orders" {
            return Vec::new();
        }
        let select = "SELECT customer_no, id FROM order_head WHERE book = ?";
        let rows = database.rows(select, &[self.plan.account.into()]).await;
        let number = |row: &crate::engine::Row| {
            let customer = u32::try_from(row.integer(0).ok()?).ok()?;
            Some((customer, row.integer(1).ok()?.to_string()))
        };
        rows.unwrap_or_default().iter().filter_map(number).collect()
    }
}

/// The instances of a run.
#[derive(Debug, Default)]
struct Instances(Vec<RunningInstance>);

impl Instances {
    /// Stops them, and waits for what they still do.
    async fn stop(&mut self) {
        for instance in self.0.drain(..) {
            instance.stop.cancel();
            // It ends in every case. A panic in it is in the log.
            let _ = instance.serving.await;
        }
    }
}

/// A run that is dropped, because the service stops, stops its instances.
impl Drop for Instances {
    fn drop(&mut self) {
        for instance in &self.0 {
            instance.stop.cancel();
        }
    }
}

/// How many requests were answered, and how.
#[derive(Debug)]
struct Tally {
    id: String,
    of: u32,
    done: u32,
    acknowledged: u32,
    /// The number of the last event.
    event: u64,
}

impl Tally {
    fn new(plan: &RunPlan, id: &RecordId) -> Self {
        Self {
            id: id.to_string(),
            of: plan.requests,
            done: 0,
            acknowledged: 0,
            event: 0,
        }
    }

    /// Counts an answer. Returns what there is to tell.
    fn take(&mut self, progress: Progress) -> Option<Json> {
        match progress {
            Progress::Probed => return None,
            Progress::Warm => {}
            Progress::Answered {
                is_acknowledged, ..
            } => {
                self.done += 1;
                self.acknowledged += u32::from(is_acknowledged);
            }
        }
        Some(self.progress())
    }

    fn progress(&self) -> Json {
        let other = self.done - self.acknowledged;
        let text = match (self.done, other) {
            (0, _) => format!("{} requests are on their way", self.of),
            (done, 0) => format!("{done} of {} answered", self.of),
            (done, other) => format!("{done} of {} answered, {other} not acknowledged", self.of),
        };
        json!({
            "id": self.id,
            "state": "running",
            "done": self.done,
            "of": self.of,
            "text": text,
            "verdicts": { "acknowledged": self.acknowledged, "not_acknowledged": other },
            "event": self.event,
        })
    }
}
