//! The lanes of a search: those that work, and those that are still to be opened.
//!
//! To open a lane takes long if an application has to be started for it. So a search begins with
//! the lanes that are open. It opens another one when it has taken as long as that takes: then it
//! is likely to take as long again, and at worst half of the time was for nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::Subject;
use super::worker::Worker;
use crate::engine::{Fault, Lane};

/// Opens all of these lanes, at the same time.
pub(super) async fn open_all(lanes: &[Lane], subject: &Arc<Subject>) -> Result<(), Fault> {
    let opening =
        lanes.iter().map(
            async |lane| match subject.fixtures.opening_takes(&lane.database).await {
                Some(_) => Worker::on(lane, subject).open().await,
                None => Ok(()),
            },
        );
    let opened = join_all(opening).await;
    opened.into_iter().collect()
}

/// The workers of a search, one for each lane.
pub(super) struct Crew {
    idle: Vec<Worker>,
    /// The number of workers whose lane is open.
    size: usize,
    closed: VecDeque<Worker>,
    /// How long it takes to open one of these.
    takes: Duration,
    opening: JoinSet<(Worker, Result<(), Fault>)>,
    /// Since when there was none to be opened.
    since: Instant,
}

impl Crew {
    pub(super) async fn of(lanes: &[Lane], subject: &Arc<Subject>) -> Self {
        let mut crew = Self {
            idle: Vec::new(),
            size: 0,
            closed: VecDeque::new(),
            takes: Duration::ZERO,
            opening: JoinSet::new(),
            since: Instant::now(),
        };
        for lane in lanes {
            let worker = Worker::on(lane, subject);
            match subject.fixtures.opening_takes(&lane.database).await {
                // One has to begin.
                Some(takes) if !crew.idle.is_empty() => {
                    crew.takes = takes;
                    crew.closed.push_back(worker);
                }
                Some(_) | None => crew.idle.push(worker),
            }
        }
        crew.size = crew.idle.len();
        crew
    }

    /// The number of workers whose lane is open.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn next_idle(&mut self) -> Option<Worker> {
        (!self.idle.is_empty()).then(|| self.idle.swap_remove(0))
    }

    /// A worker has done its run.
    pub(super) fn is_back(&mut self, worker: Worker) {
        self.idle.push(worker);
    }

    /// There is a run that nobody is free for. Begins to open another lane if that is worth it.
    pub(super) fn grow(&mut self) {
        let is_due = self.idle.is_empty() && self.opening.is_empty();
        if is_due
            && self.since.elapsed() >= self.takes
            && let Some(worker) = self.closed.pop_front()
        {
            self.opening.spawn(async move {
                let opened = worker.open().await;
                (worker, opened)
            });
        }
    }

    /// Waits until another lane is open. Does not come back if there is none to wait for.
    pub(super) async fn grown(&mut self) {
        let Some(joined) = self.opening.join_next().await else {
            return std::future::pending().await;
        };
        let (worker, opened) =
            joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        self.since = Instant::now();
        match opened {
            Ok(()) => {
                self.idle.push(worker);
                self.size += 1;
            }
            Err(fault) => {
                tracing::warn!(%fault, at_once = self.size, "no more runs can go on at once");
                self.closed.clear();
            }
        }
    }

    /// The search is over.
    pub(super) async fn go_home(mut self) {
        self.opening.shutdown().await;
        for worker in self.idle {
            worker.tidy_up().await;
        }
    }
}
