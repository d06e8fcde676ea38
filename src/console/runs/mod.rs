//! Runs: a visitor asks for a burst of requests, and gets a record of what became of them.
//!
//! | file | |
//! |---|---|
//! | `id` | the name of a record |
//! | `store` | the records of runs and explorations, in the lab's database |
//! | `limits` | what visitors may ask for, and how many may at once |
//! | `live` | the last events of what is under way, for those who watch |
//! | `form` | what a form asks for |
//! | `run` | the run itself |
//! | `compose`, `lanes` | its record, from the report of its requests |
//! | `losses`, `collisions` | what was lost, and by which two requests |
//! | `waits` | the waits for locks, asked of the engine |
//! | `words` | refusals in words |
//! | `script` | its statements as SQL |

mod collisions;
mod compose;
pub mod form;
mod id;
mod lanes;
mod limits;
mod live;
mod losses;
mod run;
mod script;
mod store;
mod waits;
mod words;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use compose::without_result;
pub use id::RecordId;
pub use limits::{Limits, NoPlace, Places, TakenPlace};
pub use live::{Channel, Event, Live, News, Teller};
pub use run::{InstancePlan, RunningInstance, StartInstance};
pub use script::script;
pub use store::{Inserted, Kind, MOST_RECORDS, Store, Stored};

use super::record::{RunPlan, RunRecord, State};
use crate::engine::{Database, Fault};
use run::Run;

/// What runs need from the lab.
#[derive(Debug, Clone)]
pub struct Laboratory {
    /// The database that requests race in.
    pub database: Database,
    /// How many requests an instance of the service carries out at a time.
    pub workers: Option<usize>,
    /// What visitors may ask for.
    pub limits: Limits,
    /// Starts an instance of the service.
    pub start: StartInstance,
    /// The tasks that a stop of the service waits for.
    pub tasks: TaskTracker,
    /// Cancelled when the service stops.
    pub stopping: CancellationToken,
}

/// The runs of a lab.
#[derive(Debug, Clone)]
pub struct Runs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    laboratory: Laboratory,
    store: Store,
    places: Places,
    live: Live,
    /// One start at a time: of two that name the same record, the second one finds it.
    starting: Mutex<()>,
}

/// Why a run was not started.
#[derive(Debug)]
pub enum StartError {
    /// There is no place for it at the moment.
    NoPlace(NoPlace),
    /// The store refused.
    Fault(Fault),
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Runs {
    /// The runs of this lab, with their records in this store.
    pub fn new(laboratory: Laboratory, store: Store) -> Self {
        Self(Arc::new(Shared {
            laboratory,
            store,
            places: Places::default(),
            live: Live::default(),
            starting: Mutex::default(),
        }))
    }

    /// The store of all records.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The places for runs and explorations.
    pub fn places(&self) -> &Places {
        &self.0.places
    }

    /// What is under way in this process.
    pub fn live(&self) -> &Live {
        &self.0.live
    }

    /// What visitors may ask for.
    pub fn limits(&self) -> &Limits {
        &self.0.laboratory.limits
    }

    /// What runs need from the lab.
    pub fn laboratory(&self) -> &Laboratory {
        &self.0.laboratory
    }

    /// Starts a run. If there is a record of that name already, nothing is run.
    pub async fn start(
        &self,
        id: &RecordId,
        plan: RunPlan,
        caller: IpAddr,
    ) -> Result<Inserted, StartError> {
        let Shared { store, places, .. } = &*self.0;
        let _one_at_a_time = self.0.starting.lock().await;
        if store.glance(id).await?.is_some() {
            return Ok(Inserted::Already);
        }
        let place = places
            .take(self.limits(), Kind::Run, caller)
            .map_err(StartError::NoPlace)?;
        let inserted = store.insert(id, Kind::Run, &json!(plan)).await?;
        if inserted == Inserted::New {
            let (runs, id) = (self.clone(), id.clone());
            // It is told of from now on, so that no watcher comes too early.
            let teller = self.0.live.begin(&id);
            self.0.laboratory.tasks.spawn(async move {
                runs.carry_out(id, plan, teller).await;
                drop(place);
            });
        }
        Ok(inserted)
    }

    /// Asks to stop a run, whichever replica runs it.
    pub async fn stop(&self, id: &RecordId) -> Result<(), Fault> {
        self.0.store.ask_to_stop(id).await?;
        if let Some(channel) = self.0.live.channel(id) {
            channel.stop();
        }
        Ok(())
    }

    /// Runs to the end, or until the service stops, and stores what came of it. Only then it is
    /// over for those who watch.
    async fn carry_out(&self, id: RecordId, plan: RunPlan, teller: Teller) {
        let Shared {
            laboratory, store, ..
        } = &*self.0;
        let run = Run {
            laboratory,
            store,
            id: id.clone(),
            plan,
            teller: &teller,
        };
        let ended = tokio::select! {
            biased;
            () = laboratory.stopping.cancelled() => Err(RunError("the service was stopped".into())),
            ran = run.perform() => ran,
        };
        let stored = match ended {
            Ok(record) => self.keep(&id, &record, teller.last()).await,
            Err(error) => store.fail(&id, &error.0).await,
        };
        if let Err(fault) = stored {
            tracing::error!(%fault, "a run's record could not be stored");
        }
    }

    async fn keep(&self, id: &RecordId, record: &RunRecord, event: u64) -> Result<(), Fault> {
        let verdict = record.verdict.as_ref();
        let progress = json!({
            "id": record.id,
            "state": record.state,
            "event": event,
            "done": record.lanes.len(),
            "of": record.plan.requests,
            "text": verdict.map_or("", |it| it.title.as_str()),
            "verdict": verdict.map(|it| it.kind),
        });
        let text = serde_json::to_string(record)
            .map_err(|error| Fault::other(format!("a record could not be written: {error}")))?;
        self.0
            .store
            .end(id, record.state, &progress, Some(&text))
            .await
    }
}

impl Stored {
    /// The record of a run. Without a result, as long as there is none. None if it is of another
    /// kind, or of a program with another form of plans.
    pub fn run(&self) -> Option<RunRecord> {
        if self.kind != Kind::Run {
            return None;
        }
        let stored = self.record.as_deref();
        if let Some(record) = stored.and_then(|it| serde_json::from_str(it).ok()) {
            return Some(record);
        }
        let plan = serde_json::from_value(self.plan.clone()).ok()?;
        let error = match self.state {
            State::Failed => Some(self.error().unwrap_or("it failed").to_owned()),
            State::Running | State::Ended | State::Stopped => None,
        };
        Some(without_result(
            &self.id,
            plan,
            self.state,
            self.created_at,
            error,
        ))
    }
}

/// Why a run failed, in words.
#[derive(Debug)]
pub(crate) struct RunError(String);

impl<E: fmt::Display> From<E> for RunError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
