//! The times of all requests of a run on one axis.

use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::answer::{Answer, Visit};
use crate::report::Report;

/// The times of one request, in microseconds since the run's first request was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it was released.
    pub sent_us: i64,
    /// When its answer had come.
    pub answered_us: i64,
    /// When the service received it. None if the answer does not say so.
    pub arrived_us: Option<i64>,
}

/// A steady clock and a wall clock that begin with the run's first release.
#[derive(Debug, Clone, Copy)]
struct Axis {
    origin: Instant,
    /// The origin by the wall clock, in microseconds since 1970.
    epoch_us: i64,
}

impl Report {
    /// The times of each request, in the order of the answers.
    ///
    /// The service has a clock of its own. If it differs from this tool's, a request's arrival is
    /// moved as little as possible, so that all its steps lie between its release and its answer.
    #[must_use]
    pub fn times(&self) -> Vec<Times> {
        let axis = self.axis();
        self.answers
            .iter()
            .map(|answer| axis.times_of(answer))
            .collect()
    }

    /// A moment in microseconds since the run's first request was released.
    #[must_use]
    pub fn us_since_release(&self, moment: Instant) -> i64 {
        self.axis().us(moment)
    }

    fn axis(&self) -> Axis {
        let released = self.releases.first().copied();
        let origin = released.or_else(|| self.answers.started());
        let origin = origin.unwrap_or(self.moment.instant);
        let later = origin.saturating_duration_since(self.moment.instant);
        let since_epoch = (self.moment.time + later).duration_since(UNIX_EPOCH);
        Axis {
            origin,
            epoch_us: whole_us(since_epoch.unwrap_or_default()),
        }
    }
}

impl Axis {
    fn times_of(&self, answer: &Answer) -> Times {
        let (sent_us, answered_us) = (self.us(answer.started), self.us(answer.ended));
        let arrived_us = answer.visit().and_then(|visit| {
            let arrived = visit.arrived_at_us?.saturating_sub(self.epoch_us);
            let latest = answered_us.saturating_sub(visit.end_us());
            Some(arrived.min(latest).max(sent_us))
        });
        Times {
            sent_us,
            answered_us,
            arrived_us,
        }
    }

    fn us(&self, instant: Instant) -> i64 {
        match instant.checked_duration_since(self.origin) {
            Some(later) => whole_us(later),
            None => -whole_us(self.origin.duration_since(instant)),
        }
    }
}

impl Visit<'_> {
    /// When the last step ended, in microseconds after the arrival.
    fn end_us(&self) -> i64 {
        let steps = self.timeline.iter();
        let ends = steps.map(|step| step.start_us.saturating_add(step.duration_us.max(0)));
        ends.max().unwrap_or(0)
    }
}

fn whole_us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
