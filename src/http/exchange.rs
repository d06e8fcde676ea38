//! One watched exchange: what every request to a strategy has around its work.
//!
//! A handler finds the strategy, reads the request, begins the exchange, lets the strategy perform
//! with the exchange's observer, and ends it. The exchange keeps the timeline and counts the
//! request. What the work takes and returns is the exhibit's own.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;

use super::app::App;
use super::problem::Problem;
use crate::observe::metrics::{AnswerKind, AnsweredRequest};
use crate::observe::timeline::{Arrival, QueuedTime, TimelineStep, timeline};
use crate::recorder::Recorder;

/// The strategy that a path names.
///
/// # Errors
/// 404, which names those that `known` lists.
pub(super) fn strategy_in_path<S>(
    name: Result<Path<String>, PathRejection>,
    find: impl FnOnce(&str) -> Option<&'static S>,
    known: &[&str],
) -> Result<&'static S, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    find(&name).ok_or_else(|| Problem::unknown_strategy(&name, known))
}

/// A request to a strategy, from its arrival to its answer.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    app: &'a App,
    arrival: Arrival,
    recorder: Recorder,
}

/// How a request to a strategy is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    /// The strategy's full name.
    pub(super) strategy: &'static str,
    pub(super) kind: AnswerKind,
    /// Whether its steps are those of a batch, which are counted with the batch.
    pub(super) in_a_batch: bool,
}

/// What a strategy returned, and how it got there.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) receipt: T,
    pub(super) arrived_at_us: u64,
    pub(super) queued: Vec<QueuedTime>,
    pub(super) timeline: Vec<TimelineStep>,
    /// How many steps in the middle of the timeline were left out; None if all are there.
    pub(super) steps_left_out: Option<u64>,
}

impl<'a> Exchange<'a> {
    pub(super) fn begin(app: &'a App, arrival: Arrival) -> Self {
        app.warn_if_the_pool_hides_the_race();
        Self {
            app,
            arrival,
            recorder: Recorder::around(app.observer.clone()),
        }
    }

    /// Sees the strategy's steps.
    pub(super) fn observer(&self) -> &Recorder {
        &self.recorder
    }

    /// Ends a request to a strategy, and counts it.
    pub(super) fn end<T>(
        self,
        count: Count,
        result: Result<T, Problem>,
    ) -> Result<Answer<T>, Problem> {
        self.end_with(Some(count), result)
    }

    /// Ends a request that is not counted, because no strategy carried it out.
    pub(super) fn end_uncounted<T>(self, result: Result<T, Problem>) -> Result<Answer<T>, Problem> {
        self.end_with(None, result)
    }

    fn end_with<T>(
        self,
        count: Option<Count>,
        result: Result<T, Problem>,
    ) -> Result<Answer<T>, Problem> {
        let left_out = self.recorder.left_out();
        let queues = self.recorder.queues();
        let records = self.recorder.into_records();
        if let Some(count) = count {
            let problem = result.as_ref().err();
            self.app.metrics.count(&AnsweredRequest {
                strategy: count.strategy,
                kind: count.kind,
                status: problem.map_or(200, |problem| problem.status),
                took: self.arrival.instant.elapsed(),
                fault: problem.and_then(|problem| Some((problem.fault?, problem.code.as_deref()))),
                records: &records,
                in_a_batch: count.in_a_batch,
            });
        }
        let arrived_at_us = self.arrival.epoch_us();
        let queued = self.arrival.queued(&queues.connections);
        let timeline = timeline(records, &self.arrival, &queues.held_up);
        match result {
            Ok(receipt) => Ok(Answer {
                receipt,
                arrived_at_us,
                queued,
                timeline,
                steps_left_out: (left_out > 0).then_some(left_out),
            }),
            Err(problem) => Err(problem.with_timeline(arrived_at_us, queued, timeline)),
        }
    }
}
