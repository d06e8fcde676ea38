//! The timeline: the recorded steps of one request, with their times and values.

use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use utoipa::ToSchema;

use crate::step::{Action, Argument, Ending, Record};

/// When a request arrived, by two clocks. Durations are measured on the steady one; the wall clock
/// lets a reader lay the timelines of several requests side by side.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// By the steady clock.
    pub instant: Instant,
    /// By the wall clock.
    pub time: SystemTime,
}

impl Arrival {
    /// An arrival at this moment.
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
    /// The kind of action.
    pub action: Action,
    /// A few words for people, e.g. `read balance`.
    pub label: Cow<'static, str>,
    /// The statement as the engine got it. Missing for a step that is no statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sql: Option<Cow<'static, str>>,
    /// The values bound to the statement's placeholders, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Argument>,
    /// When the step was handed to the engine, in microseconds since the request arrived.
    pub start_us: u64,
    /// How long the step took, in microseconds. Waiting for a lock is included.
    pub duration_us: u64,
    /// The value that was read or written, if the clients race for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// True if the statement was to change rows and found none to change.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub matched_no_row: bool,
    /// The engine's refusal in words, if it refused the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

impl TimelineStep {
    fn new(record: Record, arrival: &Arrival) -> Self {
        let matched_no_row = record.ending == Ending::MatchedNoRow;
        let (value, refusal) = match record.ending {
            Ending::Done(value) => (value, None),
            Ending::MatchedNoRow | Ending::Answered(_) => (None, None),
            Ending::Failed { refusal, .. } => (None, Some(refusal)),
        };
        let since_arrival = record.started.saturating_duration_since(arrival.instant);
        Self {
            action: record.step.action,
            label: record.step.label,
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

/// The recorded steps, with times relative to the request's arrival.
pub fn timeline(records: Vec<Record>, arrival: &Arrival) -> Vec<TimelineStep> {
    records
        .into_iter()
        .map(|record| TimelineStep::new(record, arrival))
        .collect()
}
