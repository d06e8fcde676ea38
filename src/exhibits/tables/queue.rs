//! The appends of one instance that wait to be committed together: see [`batched`](super::batched).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Append, Appended, Refusal};
use crate::engine::Fault;

/// The largest number of appends in a commit. All its clients wait for its end.
const LARGEST_BATCH: usize = 128;

/// The queue of one table in one instance.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Its holder commits.
    lock: Arc<tokio::sync::Mutex<()>>,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    all: BTreeMap<u64, Waiting>,
}

/// An append in the queue.
#[derive(Debug)]
struct Waiting {
    append: Append,
    /// None until its batch was committed or refused.
    answer: Option<Result<Appended, Refusal>>,
}

/// A client's place in the queue, which it leaves when this value is dropped.
#[derive(Debug)]
pub(super) struct Place {
    queue: Arc<Queue>,
    number: u64,
}

/// What is committed together: the places, and the appends in the same order.
#[derive(Debug)]
pub(super) struct Batch {
    numbers: Vec<u64>,
    pub(super) appends: Vec<Append>,
}

impl Queue {
    pub(super) fn lock(&self) -> &Arc<tokio::sync::Mutex<()>> {
        &self.lock
    }

    /// Puts an append at the end.
    pub(super) fn enter(self: &Arc<Self>, append: &Append) -> Place {
        let mut places = self.places();
        let number = places.next;
        places.next += 1;
        let waiting = Waiting {
            append: append.clone(),
            answer: None,
        };
        places.all.insert(number, waiting);
        Place {
            queue: Arc::clone(self),
            number,
        }
    }

    /// The appends that wait, the oldest first.
    pub(super) fn batch(&self) -> Batch {
        let places = self.places();
        let waiting = places.all.iter().filter(|(_, it)| it.answer.is_none());
        let taken = waiting.take(LARGEST_BATCH);
        let (numbers, appends) = taken
            .map(|(number, it)| (*number, it.append.clone()))
            .unzip();
        Batch { numbers, appends }
    }

    /// Answers all clients of a batch.
    pub(super) fn answer(&self, batch: &Batch, committed: &Result<Appended, Refusal>) {
        let mut places = self.places();
        for (place, (number, append)) in batch.numbers.iter().zip(&batch.appends).enumerate() {
            // A client that has left needs no answer.
            if let Some(waiting) = places.all.get_mut(number) {
                let leads = place == 0;
                waiting.answer = Some(match committed.clone() {
                    Ok(committed) => Ok(Appended {
                        records: append.records.len() as u64,
                        together: Some(batch.appends.len() as u64),
                        leads,
                        ..committed
                    }),
                    Err(Refusal::GaveUp { attempts, .. }) => {
                        Err(Refusal::GaveUp { attempts, leads })
                    }
                    Err(other) => Err(other),
                });
            }
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether another client has committed the append, or was refused with it.
    pub(super) fn is_answered(&self) -> bool {
        let places = self.queue.places();
        let own = places.all.get(&self.number);
        own.is_some_and(|it| it.answer.is_some())
    }

    /// The answer.
    pub(super) fn answer(self) -> Result<Appended, Refusal> {
        let answer = self.queue.places().all.remove(&self.number);
        let answer = answer.and_then(|it| it.answer);
        answer.unwrap_or_else(|| Err(Fault::other("a batch left out one of its appends").into()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.places().all.remove(&self.number);
    }
}
