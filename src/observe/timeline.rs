//! The timeline: the recorded steps of one request, with their times and values.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use utoipa::ToSchema;

use crate::step::{Action, Argument, Ending, Observer, Parked, Record, Step, Turn};

/// When a request arrived, by both clocks: the steady one to measure from, and the wall's to lay
/// the timelines of several requests beside each other.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// By the steady clock.
    pub instant: Instant,
    /// By the wall's clock.
    pub time: SystemTime,
}

impl Arrival {
    /// It arrives now.
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            time: SystemTime::now(),
        }
    }

    /// Microseconds since 1970-01-01 UTC.
    pub fn epoch_us(&self) -> u64 {
        let since_epoch = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        whole_us(since_epoch)
    }
}

/// One step of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TimelineStep {
    /// What kind of action it was.
    pub action: Action,
    /// A few words for people, e.g. `read balance`.
    pub label: Cow<'static, str>,
    /// The statement as the engine got it; none for a think.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sql: Option<Cow<'static, str>>,
    /// The values bound to the statement's placeholders, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Argument>,
    /// When it was handed to the engine, in microseconds since the request arrived.
    pub start_us: u64,
    /// How long it took, waits included, in microseconds.
    pub duration_us: u64,
    /// The value that was read or written, where the clients race for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// Whether it was a statement that changes rows and found none to change.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub matched_no_row: bool,
    /// The engine's refusal in words, where it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

impl TimelineStep {
    fn new(record: Record, arrival: &Arrival) -> Self {
        let matched_no_row = record.ending == Ending::MatchedNoRow;
        let (value, refusal) = match record.ending {
            Ending::Done(value) => (value, None),
            Ending::MatchedNoRow => (None, None),
            Ending::Failed { refusal, .. } => (None, Some(refusal)),
        };
        let since_arrival = record.started.saturating_duration_since(arrival.instant);
        Self {
            action: record.step.action,
            label: record.step.label.clone(),
            sql: record.step.sql,
            args: record.step.args,
            start_us: whole_us(since_arrival),
            duration_us: whole_us(record.ended.saturating_duration_since(record.started)),
            value,
            matched_no_row,
            refusal,
        }
    }
}

fn whole_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Records one request's steps as they happen. Of very many, as an export of a million rows has, it keeps the first
/// and the last ones.
#[derive(Debug)]
pub struct Recorder {
    records: Mutex<Records>,
    /// Sees every step as well, and may hold it up.
    next: Arc<dyn Observer>,
}

/// The steps of one request.
#[derive(Debug, Default)]
struct Records {
    first: Vec<Record>,
    last: VecDeque<Record>,
    left_out: u64,
}

impl Records {
    /// Of the first ones, and again of the last ones, that many are kept.
    const MOST: usize = 250;

    fn push(&mut self, record: Record) {
        if self.first.len() < Self::MOST {
            return self.first.push(record);
        }
        if self.last.len() == Self::MOST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(record);
    }
}

impl Recorder {
    /// A recorder that passes every step on to another observer.
    pub fn before(next: Arc<dyn Observer>) -> Self {
        Self {
            records: Mutex::default(),
            next,
        }
    }

    /// What has been recorded.
    pub fn into_records(self) -> Vec<Record> {
        let records = self.records.into_inner();
        let Records { first, last, .. } = records.unwrap_or_else(PoisonError::into_inner);
        first.into_iter().chain(last).collect()
    }

    /// How many steps in the middle were left out.
    pub fn left_out(&self) -> u64 {
        let records = self.records.lock();
        records.unwrap_or_else(PoisonError::into_inner).left_out
    }
}

/// What was recorded, relative to when the request arrived.
pub fn timeline(records: Vec<Record>, arrival: &Arrival) -> Vec<TimelineStep> {
    records
        .into_iter()
        .map(|record| TimelineStep::new(record, arrival))
        .collect()
}

impl Observer for Recorder {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        self.next.before(step)
    }

    fn held_up<'a>(&'a self, step: &'a Step) -> Option<Turn<'a>> {
        self.next.held_up(step)
    }

    fn after(&self, record: &Record) {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record.clone());
        self.next.after(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::{Effect, Unobserved};

    /// Records so many steps, which are numbered from 1, and says how many are left out and which are kept.
    fn recorded(steps: i64) -> (u64, Vec<i64>) {
        let recorder = Recorder::before(Arc::new(Unobserved));
        let now = Instant::now();
        for number in 1..=steps {
            recorder.after(&Record {
                step: Step {
                    action: Action::Write,
                    label: "a step".into(),
                    sql: None,
                    args: Vec::new(),
                    effect: Effect::Local,
                },
                started: now,
                ended: now,
                ending: Ending::Done(Some(number)),
            });
        }
        let left_out = recorder.left_out();
        let kept = timeline(recorder.into_records(), &Arrival::now());
        let kept = kept.iter().filter_map(|step| step.value).collect();
        (left_out, kept)
    }

    #[test]
    fn up_to_five_hundred_steps_are_all_kept() {
        for steps in [0, 1, 250, 251, 500] {
            assert_eq!(recorded(steps), (0, (1..=steps).collect()));
        }
    }

    #[test]
    fn of_more_steps_the_first_and_the_last_ones_are_kept() {
        for (steps, left_out) in [(501, 1), (1_000, 500), (1_000_000, 999_500)] {
            let first_and_last = (1..=250).chain(steps - 249..=steps);
            assert_eq!(recorded(steps), (left_out, first_and_last.collect()));
        }
    }
}
