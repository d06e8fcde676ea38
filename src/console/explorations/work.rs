//! An exploration at work: a job beside the lab's database, told as events, until it ends or has to
//! stop.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::plan::{ExplorationRequest, What};
use super::tally::Tally;
use crate::console::record::State;
use crate::console::runs::{Laboratory, RecordId, Runs, Teller};
use crate::engine::{BESIDE_THE_CLIENTS, Database, Fault, Settings};
use crate::explore::report::{FindingData, Report};
use crate::explore::{self, Event, Exploration, Job, Place, Stop};

/// How many schedules run at once: few, because the lab serves others meanwhile.
const PARALLEL: usize = 4;

/// How often it is looked whether a visitor has asked another replica for a stop.
const LOOK_FOR_A_STOP: Duration = Duration::from_millis(250);

/// How often it is said on SQLite that an exploration still runs.
const RARE_HEARTBEAT: Duration = Duration::from_secs(5);

/// Why an exploration was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoppedBy {
    Visitor,
    Service,
    Time,
}

/// Explores, and stores what was found. Only then it is over for those who watch.
pub(super) async fn carry_out(
    runs: &Runs,
    id: &RecordId,
    request: &ExplorationRequest,
    teller: &Teller,
) {
    let work = Work {
        runs,
        id,
        request,
        teller,
        tally: Mutex::new(Tally::new(id.as_str(), searches(runs, request))),
        stopped_by: Mutex::new(None),
    };
    let exploration = work.explore().await;
    if let Err(fault) = work.keep(&exploration).await {
        tracing::error!(%fault, "an exploration's report could not be stored");
    }
}

/// How many searches there will be.
fn searches(runs: &Runs, request: &ExplorationRequest) -> u64 {
    let of_subjects = request
        .subjects
        .iter()
        .map(|subject| match request.instances {
            Some(_) => 1,
            None => subject.about.instances(request.search.clients).len() as u64,
        });
    let engine = runs.laboratory().database.engine();
    let levels = match request.plan.what {
        What::Matrix => engine.flavour.isolation_levels().len(),
        What::Strategy | What::Exhibit | What::Scenario | What::Text => 1,
    };
    let modes = match request.plan.what {
        What::Matrix if engine.can_switch_snapshot_isolation => 2,
        _ => 1,
    };
    of_subjects.sum::<u64>() * (levels * modes) as u64
}

struct Work<'w> {
    runs: &'w Runs,
    id: &'w RecordId,
    request: &'w ExplorationRequest,
    teller: &'w Teller,
    tally: Mutex<Tally>,
    stopped_by: Mutex<Option<StoppedBy>>,
}

impl Work<'_> {
    async fn explore(&self) -> Exploration {
        let job = self.job();
        let tell = |event: Event| {
            let mut tally = self.tally();
            if let Some(data) = tally.take(&event) {
                tally.event = self.teller.tell(data);
            }
        };
        tokio::select! {
            exploration = job.run(&tell) => exploration,
            never = self.attend(&job.stop) => match never {},
        }
    }

    fn job(&self) -> Job {
        let request = self.request;
        let Laboratory { database, .. } = self.runs.laboratory();
        Job {
            subjects: request.subjects.clone(),
            place: Place::Beside {
                database: database.clone(),
                settings: self.settings(database),
                every_level: request.plan.what == What::Matrix,
            },
            plan: request.search.clone(),
            is_reduction_asked: false,
            are_all_asked: false,
            instances: request.instances,
            parallel: Some(PARALLEL),
            in_place: false,
            stop: Arc::default(),
        }
    }

    /// The lab's settings, at the level that was asked for. The connections are the explorer's own,
    /// and no client waits as long as the lab's may.
    fn settings(&self, database: &Database) -> Settings {
        let lab = *database.settings();
        let clients = self.request.search.clients;
        let connections = PARALLEL * (clients + BESIDE_THE_CLIENTS) + BESIDE_THE_CLIENTS;
        explore::settings(&Settings {
            isolation: self.request.plan.isolation.or(lab.isolation),
            lock_wait_timeout: None,
            connections: u32::try_from(connections).unwrap_or(u32::MAX),
            answer_within: None,
            ..lab
        })
    }

    /// Says that the exploration still runs, and stops it when it has to end, until it is dropped.
    async fn attend(&self, stop: &Stop) -> Infallible {
        let store = self.runs.store();
        let stopping = &self.runs.laboratory().stopping;
        let mut beats = interval(store.heartbeat().unwrap_or(RARE_HEARTBEAT));
        let mut looks = interval(LOOK_FOR_A_STOP);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let last = Instant::now() + self.request.plan.longest();
        loop {
            let is_stopped = stop.is_stopped();
            let stopped_by = tokio::select! {
                _ = beats.tick() => {
                    let progress = self.tally().progress();
                    if let Err(fault) = store.progress(self.id, &progress).await {
                        tracing::warn!(%fault, "an exploration could not say how far it is");
                    }
                    None
                }
                _ = looks.tick(), if !is_stopped => {
                    let is_asked = store.is_stop_asked(self.id).await;
                    (is_asked == Ok(true)).then_some(StoppedBy::Visitor)
                }
                () = self.teller.stop().cancelled(), if !is_stopped => Some(StoppedBy::Visitor),
                () = stopping.cancelled(), if !is_stopped => Some(StoppedBy::Service),
                () = sleep_until(last), if !is_stopped => Some(StoppedBy::Time),
            };
            if stopped_by.is_some() {
                *lock(&self.stopped_by) = stopped_by;
                stop.stop();
            }
        }
    }

    async fn keep(&self, exploration: &Exploration) -> Result<(), Fault> {
        let store = self.runs.store();
        let stopped_by = *lock(&self.stopped_by);
        if stopped_by == Some(StoppedBy::Service) {
            return store.fail(self.id, "the service was stopped").await;
        }
        let mut report = Report::of(exploration);
        if let Some(error) = &exploration.error {
            if report.findings.is_empty() {
                return store.fail(self.id, &error.to_string()).await;
            }
            report.broken.push(error.to_string());
        }
        if stopped_by == Some(StoppedBy::Time) {
            let seconds = self.request.plan.longest().as_secs();
            report.missing.push(format!(
                "the rest: an exploration of a visitor ends after {seconds} seconds"
            ));
        }
        let state = if stopped_by == Some(StoppedBy::Visitor) {
            State::Stopped
        } else {
            State::Ended
        };
        let text = serde_json::to_string(&report)
            .map_err(|error| Fault::other(format!("a report could not be written: {error}")))?;
        let progress = in_the_end(&report);
        store.end(self.id, state, &progress, Some(&text)).await
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came of it, for a list.
fn in_the_end(report: &Report) -> Json {
    let wrong = |it: &&FindingData| it.counterexample.is_some();
    let wrong = report.findings.iter().filter(wrong).count();
    let text = match (&report.findings[..], &report.broken[..]) {
        ([only], _) => only.verdict.clone(),
        ([], [first, ..]) => first.clone(),
        ([], []) => "nothing was explored".to_owned(),
        (several, _) => format!("{wrong} of {} go wrong", several.len()),
    };
    let count = report.findings.len() * 100;
    json!({
        "done": count,
        "of": count,
        "text": text,
        "verdict": if wrong > 0 { "anomaly" } else { "safe" },
    })
}
