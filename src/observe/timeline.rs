//! The timeline: the recorded steps of one request, with their times and values.

use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use utoipa::ToSchema;

use crate::step::{Action, Argument, Connected, Ending, Record};

/// When a request arrived, by two clocks. Durations are measured on the steady one; the wall clock
/// lets a reader lay the timelines of several requests side by side.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// By the steady clock.
    pub instant: Instant,
    /// By the wall clock.
    pub time: SystemTime,
    /// When a worker took the request up, by the steady clock. None if it needed none.
    pub taken_up: Option<Instant>,
}

impl Arrival {
    /// An arrival at this moment.
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            time: SystemTime::now(),
            taken_up: None,
        }
    }

    /// The same, of a request that a worker takes up now.
    #[must_use]
    pub fn taken_up_now(self) -> Self {
        Self {
            taken_up: Some(Instant::now()),
            ..self
        }
    }

    /// What the request waited for: a worker, and each of these connections.
    pub fn queued(&self, connections: &[Connected]) -> Vec<QueuedTime> {
        let time = |resource, from: Instant, to: Instant, connection| QueuedTime {
            resource,
            start_us: whole_us(from.saturating_duration_since(self.instant)),
            duration_us: whole_us(to.saturating_duration_since(from)),
            connection,
        };
        let worker = self
            .taken_up
            .map(|taken_up| time(Resource::Worker, self.instant, taken_up, None));
        let connections = connections
            .iter()
            .map(|it| time(Resource::Connection, it.asked, it.got, it.number));
        worker.into_iter().chain(connections).collect()
    }

    /// Microseconds since 1970-01-01 UTC.
    pub fn epoch_us(&self) -> u64 {
        let since_epoch = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        whole_us(since_epoch)
    }
}

/// A time in which a request waited for something of which the service has a limited number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct QueuedTime {
    /// What it waited for.
    #[serde(rename = "for")]
    pub resource: Resource,
    /// When the wait began, in microseconds since the request arrived.
    pub start_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// The engine's number for the connection that the request got. Missing if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<i64>,
}

/// What a service has a limited number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// A worker.
    Worker,
    /// A connection to the database.
    Connection,
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
    /// When another client's lock was first in the way, in microseconds since the request arrived.
    /// Only of a lock for which the service itself does the waiting: on SQLite, in the process, on
    /// a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_up_us: Option<u64>,
}

impl TimelineStep {
    fn new(record: Record, arrival: &Arrival, held_up: &[Instant]) -> Self {
        let during = record.started..=record.ended;
        let held_up = held_up.iter().find(|moment| during.contains(*moment));
        let held_up_us = held_up.map(|it| whole_us(it.saturating_duration_since(arrival.instant)));
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
            held_up_us,
        }
    }
}

fn whole_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The recorded steps, with times relative to the request's arrival. `held_up` are the moments at
/// which another client's lock was in the way.
pub fn timeline(records: Vec<Record>, arrival: &Arrival, held_up: &[Instant]) -> Vec<TimelineStep> {
    records
        .into_iter()
        .map(|record| TimelineStep::new(record, arrival, held_up))
        .collect()
}
