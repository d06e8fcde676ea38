//! The recorder: an observer that keeps the records of one client's steps.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::step::{Connected, Observer, Parked, Record, Step, Turn};

/// Keeps the records of a client's steps, in order. Of a very long sequence, such as the export of
/// a million rows, it keeps the first and the last ones.
#[derive(Debug)]
pub struct Recorder {
    records: Mutex<Records>,
    queues: Mutex<Queues>,
    /// Also sees every step, and may hold it up.
    next: Arc<dyn Observer>,
}

#[derive(Debug, Default)]
struct Records {
    first: Vec<Record>,
    last: VecDeque<Record>,
    left_out: u64,
}

impl Records {
    /// How many of the first steps are kept, and how many of the last ones.
    const LIMIT: usize = 250;

    fn push(&mut self, record: Record) {
        if self.first.len() < Self::LIMIT {
            return self.first.push(record);
        }
        if self.last.len() == Self::LIMIT {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(record);
    }
}

/// What a client waited for outside the engine.
#[derive(Debug, Clone, Default)]
pub struct Queues {
    /// The connections that it got.
    pub connections: Vec<Connected>,
    /// When another client's lock was in its way, and the engine had no queue to wait in.
    pub held_up: Vec<Instant>,
}

impl Recorder {
    /// A recorder around another observer, to which it passes every step.
    pub fn around(next: Arc<dyn Observer>) -> Self {
        Self {
            records: Mutex::default(),
            queues: Mutex::default(),
            next,
        }
    }

    /// The records that were kept.
    pub fn into_records(self) -> Vec<Record> {
        let records = self.records.into_inner();
        let Records { first, last, .. } = records.unwrap_or_else(PoisonError::into_inner);
        first.into_iter().chain(last).collect()
    }

    /// What the client has waited for so far, outside the engine.
    pub fn queues(&self) -> Queues {
        self.lock_queues().clone()
    }

    fn lock_queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many steps between the first and the last ones were not kept.
    pub fn left_out(&self) -> u64 {
        let records = self.records.lock();
        records.unwrap_or_else(PoisonError::into_inner).left_out
    }
}

impl Observer for Recorder {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        self.next.before(step)
    }

    fn held_up<'a>(&'a self, step: &'a Step) -> Option<Turn<'a>> {
        let mut queues = self.lock_queues();
        if queues.held_up.len() < Queues::LIMIT {
            queues.held_up.push(Instant::now());
        }
        drop(queues);
        self.next.held_up(step)
    }

    fn after(&self, record: &Record) {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record.clone());
        self.next.after(record);
    }

    fn connected(&self, connected: Connected) {
        let mut queues = self.lock_queues();
        if queues.connections.len() < Queues::LIMIT {
            queues.connections.push(connected);
        }
        drop(queues);
        self.next.connected(connected);
    }
}

impl Queues {
    /// How many of each are kept: the first ones.
    const LIMIT: usize = 500;
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::step::{Action, Ending, Unobserved};

    /// Records this many steps, numbered from 1. Returns how many were left out, and the numbers of
    /// those that were kept.
    fn record_steps(count: i64) -> (u64, Vec<i64>) {
        let recorder = Recorder::around(Arc::new(Unobserved));
        let now = Instant::now();
        for number in 1..=count {
            recorder.after(&Record {
                step: Step::beside(Action::Write, "a step"),
                started: now,
                ended: now,
                ending: Ending::Done(Some(number)),
            });
        }
        let left_out = recorder.left_out();
        let kept = recorder.into_records();
        let numbers = kept.into_iter().filter_map(|record| match record.ending {
            Ending::Done(number) => number,
            Ending::MatchedNoRow | Ending::Answered(_) | Ending::Failed { .. } => None,
        });
        (left_out, numbers.collect())
    }

    #[test]
    fn up_to_five_hundred_steps_are_all_kept() {
        for count in [0, 1, 250, 251, 500] {
            assert_eq!(record_steps(count), (0, (1..=count).collect()));
        }
    }

    #[test]
    fn of_more_steps_the_first_and_the_last_ones_are_kept() {
        for (count, left_out) in [(501, 1), (1_000, 500), (1_000_000, 999_500)] {
            let first_and_last = (1..=250).chain(count - 249..=count);
            assert_eq!(record_steps(count), (left_out, first_and_last.collect()));
        }
    }
}
