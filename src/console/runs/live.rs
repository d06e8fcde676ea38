//! Runs and explorations as they happen: the last events of each, for the streams that watch them.
//!
//! An event has a number. A watcher that is slow, or was away, asks for what came after a number,
//! and learns how many events it has missed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value as Json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::id::RecordId;

/// How many events are kept of each run.
const KEPT: usize = 64;

/// An event of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number, from 1.
    pub number: u64,
    /// What it says.
    pub data: Json,
}

/// What happened after an event.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// How many events are no longer there.
    pub missed: u64,
    /// The others.
    pub events: Vec<Event>,
    /// Whether there will be no further event.
    pub is_over: bool,
}

/// The runs and explorations under way in this process.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Mutex<HashMap<RecordId, Arc<Channel>>>>);

/// One run or exploration under way.
#[derive(Debug)]
pub struct Channel {
    events: Mutex<Events>,
    /// The number of the last event, or `u64::MAX` when there will be no further one.
    newest: watch::Sender<u64>,
    /// Cancelled when a visitor has asked for a stop.
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Events {
    kept: VecDeque<Event>,
    last: u64,
    is_over: bool,
}

/// The end that tells what happens. Dropping it says that it is over.
#[derive(Debug)]
pub struct Teller {
    live: Live,
    id: RecordId,
    channel: Arc<Channel>,
}

impl Live {
    /// Begins to tell of a run or an exploration.
    pub fn begin(&self, id: &RecordId) -> Teller {
        let channel = Arc::new(Channel {
            events: Mutex::default(),
            newest: watch::Sender::new(0),
            stop: CancellationToken::new(),
        });
        self.channels().insert(id.clone(), Arc::clone(&channel));
        Teller {
            live: self.clone(),
            id: id.clone(),
            channel,
        }
    }

    /// The run or exploration of that name, if it is under way in this process.
    pub fn channel(&self, id: &RecordId) -> Option<Arc<Channel>> {
        self.channels().get(id).cloned()
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<RecordId, Arc<Channel>>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    /// Stops it.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// What happened after the event of this number.
    pub fn after(&self, number: u64) -> News {
        let events = self.events();
        // A number from before a restart is no event of this run.
        let number = if number > events.last { 0 } else { number };
        let first_kept = events.kept.front().map_or(events.last + 1, |it| it.number);
        News {
            missed: first_kept.saturating_sub(number + 1),
            events: events
                .kept
                .iter()
                .filter(|it| it.number > number)
                .cloned()
                .collect(),
            is_over: events.is_over,
        }
    }

    /// Waits until there is an event after this number, or until it is over.
    pub async fn changed_after(&self, number: u64) {
        let mut newest = self.newest.subscribe();
        // Fails if the sender is gone, and this channel has it.
        let _ = newest.wait_for(|newest| *newest > number).await;
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        // Nothing panics while it holds the lock.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Teller {
    /// Tells something. Its number is added as `event`, for replicas that read it in the store.
    pub fn tell(&self, mut data: Json) -> u64 {
        let mut events = self.channel.events();
        events.last += 1;
        let number = events.last;
        if let Some(fields) = data.as_object_mut() {
            fields.insert("event".to_owned(), number.into());
        }
        if events.kept.len() == KEPT {
            events.kept.pop_front();
        }
        events.kept.push_back(Event { number, data });
        drop(events);
        self.channel.newest.send_replace(number);
        number
    }

    /// The number of the last event.
    pub fn last(&self) -> u64 {
        self.channel.events().last
    }

    /// Cancelled when a visitor has asked for a stop.
    pub fn stop(&self) -> &CancellationToken {
        &self.channel.stop
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.channel.events().is_over = true;
        self.channel.newest.send_replace(u64::MAX);
        self.live.channels().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn begin() -> (Live, RecordId, Teller) {
        let (live, id) = (Live::default(), RecordId::draw().unwrap());
        let teller = live.begin(&id);
        (live, id, teller)
    }

    #[test]
    fn a_watcher_goes_on_after_the_last_event_that_it_had() {
        let (live, id, teller) = begin();
        for done in 1..=3 {
            teller.tell(json!({ "done": done }));
        }
        let news = live.channel(&id).unwrap().after(1);
        let numbers: Vec<_> = news.events.iter().map(|event| event.number).collect();
        assert_eq!((news.missed, numbers), (0, vec![2, 3]));
    }

    #[test]
    fn a_slow_watcher_learns_how_many_events_it_missed() {
        let (live, id, teller) = begin();
        for done in 1..=100 {
            teller.tell(json!({ "done": done }));
        }
        let news = live.channel(&id).unwrap().after(10);
        assert_eq!((news.missed, news.events.len()), (26, KEPT));
        assert_eq!(news.events[0].number, 37);
    }

    #[tokio::test]
    async fn a_watcher_is_woken_at_the_end() {
        let (live, id, teller) = begin();
        let channel = live.channel(&id).unwrap();
        let watching = tokio::spawn(async move {
            channel.changed_after(0).await;
            channel.after(0).is_over
        });
        drop(teller);
        assert!(watching.await.unwrap());
        assert!(live.channel(&id).is_none());
    }
}
