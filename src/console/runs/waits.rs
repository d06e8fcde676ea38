//! The waits for locks during a run: what the engine showed, laid on the lanes.
//!
//! While a run is going, the engine is asked again and again which connections wait for which. Each
//! answer of the service says which connection its request had. So a wait is put on the lane and
//! the step. A wait that is shorter than the time between two questions may not be seen.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use make_requests::{Report, Resource};
use tokio::time::sleep;

use crate::console::record::{Lane, LaneStep, LockWait};
use crate::engine::{ConnectionId, Database, LockWaiter};

/// The shortest pause between two questions.
const PAUSE: Duration = Duration::from_millis(5);

/// How many waits are noted. A run of ten seconds in which a hundred clients queue has fewer.
const MOST: usize = 200_000;

/// What the engine said at one moment.
#[derive(Debug)]
struct Sample {
    /// The number of the question.
    number: u32,
    at: Instant,
    waiters: Vec<LockWaiter>,
}

/// What the engine said during a run.
#[derive(Debug, Default)]
pub(super) struct Samples {
    seen: Mutex<Vec<Sample>>,
    /// Why the engine was not asked any further.
    blind: Mutex<Option<String>>,
}

impl Samples {
    /// Asks the engine until it is dropped, on a connection of its own.
    pub(super) async fn gather(&self, database: &Database) -> Infallible {
        let mut noted = 0;
        for number in 0.. {
            let asked = Instant::now();
            let waiters = match database.lock_waiters().await {
                Ok(Some(waiters)) => waiters,
                Ok(None) => break,
                Err(fault) => {
                    *lock(&self.blind) = Some(fault.public_words().to_owned());
                    break;
                }
            };
            let took = asked.elapsed();
            if !waiters.is_empty() && noted < MOST {
                noted += waiters.len();
                lock(&self.seen).push(Sample {
                    number,
                    at: asked + took / 2,
                    waiters,
                });
            }
            // A question is work for the engine: most of the time it is left alone.
            sleep(PAUSE.max(took * 2)).await;
        }
        pending().await
    }

    /// What a reader should know if waits are not shown.
    pub(super) fn note(&self) -> Option<String> {
        let blind = lock(&self.blind);
        let why = blind.as_ref()?;
        Some(format!("Waits for locks are not shown: {why}"))
    }

    /// Puts the waits on the lanes.
    pub(super) fn add_to(&self, lanes: &mut [Lane], report: &Report) {
        let stays = stays(lanes, report);
        let mut last_number = vec![None; lanes.len()];
        for sample in &*lock(&self.seen) {
            let at = report.us_since_release(sample.at);
            for waiter in &sample.waiters {
                let Some(lane) = lane_of(&stays, waiter.waiting, at) else {
                    continue;
                };
                let holder = waiter.holder.and_then(|it| lane_of(&stays, it, at));
                let goes_on = last_number[lane] == Some(sample.number.wrapping_sub(1));
                if add(&mut lanes[lane].steps, at, holder, goes_on) {
                    last_number[lane] = Some(sample.number);
                }
            }
        }
        name_holders(lanes);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time during which a request had a connection.
#[derive(Debug, Clone, Copy)]
struct Stay {
    connection: ConnectionId,
    lane: usize,
    from_us: i64,
    to_us: i64,
}

fn stays(lanes: &[Lane], report: &Report) -> Vec<Stay> {
    let mut stays = Vec::new();
    for (at, (lane, answer)) in lanes.iter().zip(report.answers.iter()).enumerate() {
        let (Some(visit), Some(arrived)) = (answer.visit(), lane.arrived_us) else {
            continue;
        };
        let connections = visit
            .queued
            .iter()
            .filter(|it| it.resource == Resource::Connection);
        let connections: Vec<_> = connections.collect();
        for (place, queued) in connections.iter().enumerate() {
            let next = connections
                .get(place + 1)
                .map(|next| arrived + next.start_us);
            stays.extend(queued.connection.map(|connection| Stay {
                connection: connection.into(),
                lane: at,
                from_us: arrived + queued.start_us + queued.duration_us,
                to_us: next.unwrap_or(lane.answered_us),
            }));
        }
    }
    stays
}

fn lane_of(stays: &[Stay], connection: ConnectionId, at: i64) -> Option<usize> {
    let is_it =
        |stay: &&Stay| stay.connection == connection && stay.from_us <= at && at <= stay.to_us;
    stays.iter().find(is_it).map(|stay| stay.lane)
}

/// Notes that the step of this moment waited. Returns whether there is one.
fn add(steps: &mut [LaneStep], at: i64, holder: Option<usize>, goes_on: bool) -> bool {
    let may_wait = |step: &LaneStep| {
        !matches!(
            step.kind.as_str(),
            "worker" | "connection" | "think" | "pause"
        )
    };
    let mut steps = steps.iter_mut().filter(|step| may_wait(step));
    let Some(step) = steps.find(|step| step.start_us <= at && at <= step.end_us) else {
        return false;
    };
    match step.waits.last_mut() {
        Some(last) if goes_on && same_holder(last.for_lane, holder) => {
            last.to_us = at;
            last.for_lane = last.for_lane.or(holder);
        }
        Some(_) | None => step.waits.push(LockWait {
            from_us: at,
            to_us: at,
            for_lane: holder,
        }),
    }
    true
}

/// Whether two questions have found the same holder, or one of them none.
fn same_holder(one: Option<usize>, other: Option<usize>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => true,
    }
}

/// The holders of locks for which the service itself does the waiting: the request that had the
/// lock when the wait began, as its own steps say.
fn name_holders(lanes: &mut [Lane]) {
    let mut found = Vec::new();
    for (lane, own) in lanes.iter().enumerate() {
        for (place, step) in own.steps.iter().enumerate() {
            for (number, wait) in step.waits.iter().enumerate() {
                if wait.for_lane.is_none() {
                    let holds = |it: &Lane| holds(it, step, wait.from_us);
                    let mut others = lanes.iter().enumerate();
                    let holder = others.find(|(other, it)| *other != lane && holds(it));
                    found.extend(holder.map(|(holder, _)| (lane, place, number, holder)));
                }
            }
        }
    }
    for (lane, place, number, holder) in found {
        lanes[lane].steps[place].waits[number].for_lane = Some(holder);
    }
}

/// Whether a request held, at this moment, what the step waited for.
fn holds(lane: &Lane, wanted: &LaneStep, at: i64) -> bool {
    let before = |step: &&LaneStep| step.end_us <= at;
    let after = |step: &&LaneStep| step.end_us > at;
    let mut steps = lane.steps.iter();
    if wanted.kind == "lock" && wanted.sql.is_none() {
        let is_taken = |step: &LaneStep| step.kind == "lock" && step.label == wanted.label;
        let taken = steps.clone().filter(before).rfind(|step| is_taken(step));
        let released = steps.filter(after).find(|step| step.kind == "unlock");
        return taken.is_some_and(|step| step.refusal.is_none()) && released.is_some();
    }
    // SQLite has one writer: from its first write to the end of its transaction.
    let writes = |step: &LaneStep| step.kind == "write" && step.refusal.is_none();
    let has_begun = steps.clone().any(|step| step.kind == "begin");
    if !has_begun {
        return steps.any(|step| writes(step) && step.start_us <= at && at < step.end_us);
    }
    let written = steps.clone().filter(before).rfind(|step| writes(step));
    let ended =
        steps.find(|step| matches!(step.kind.as_str(), "commit" | "rollback") && step.end_us > at);
    let is_within = |written: &LaneStep, ended: &LaneStep| {
        let between = |it: &&LaneStep| it.start_us >= written.end_us && it.end_us <= at;
        let mut between = lane.steps.iter().filter(between);
        ended.end_us > at && !between.any(|it| it.kind == "commit" || it.kind == "rollback")
    };
    written
        .zip(ended)
        .is_some_and(|(written, ended)| is_within(written, ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: &str, start_us: i64, end_us: i64) -> LaneStep {
        LaneStep {
            kind: kind.to_owned(),
            label: kind.to_owned(),
            sql: None,
            args: Vec::new(),
            start_us,
            end_us,
            value: None,
            matched_no_row: false,
            refusal: None,
            waits: Vec::new(),
        }
    }

    fn lane(steps: Vec<LaneStep>) -> Lane {
        Lane {
            request: 1,
            outcome: "applied".to_owned(),
            status: Some(200),
            sent_us: 0,
            answered_us: 100,
            arrived_us: Some(0),
            lost: false,
            title: String::new(),
            problem: None,
            steps,
        }
    }

    #[test]
    fn samples_in_a_row_are_one_wait() {
        let mut steps = vec![step("think", 0, 10), step("write", 10, 90)];
        assert!(add(&mut steps, 20, None, false));
        assert!(add(&mut steps, 30, Some(4), true));
        assert!(add(&mut steps, 40, Some(5), true));
        assert!(
            !add(&mut steps, 5, Some(5), false),
            "no client waits while it thinks"
        );
        let waits = steps[1].waits.iter();
        let waits = waits.map(|it| (it.from_us, it.to_us, it.for_lane));
        assert_eq!(
            waits.collect::<Vec<_>>(),
            [(20, 30, Some(4)), (40, 40, Some(5))]
        );
    }

    #[test]
    fn the_holder_of_a_lock_in_the_process_is_between_its_lock_and_its_unlock() {
        let holder = lane(vec![
            step("lock", 0, 5),
            step("write", 6, 20),
            step("unlock", 21, 22),
        ]);
        let mut waiting = lane(vec![step("lock", 3, 23)]);
        waiting.steps[0].waits.push(LockWait {
            from_us: 10,
            to_us: 23,
            for_lane: None,
        });
        let mut lanes = [waiting, holder];
        name_holders(&mut lanes);
        assert_eq!(lanes[0].steps[0].waits[0].for_lane, Some(1));
    }

    #[test]
    fn sqlites_writer_holds_the_lock_until_its_commit() {
        let writer = lane(vec![
            step("begin", 0, 1),
            step("write", 2, 5),
            step("commit", 30, 40),
        ]);
        let wanted = step("write", 6, 45);
        assert!(holds(&writer, &wanted, 10));
        assert!(!holds(&writer, &wanted, 41));
        let autocommit = lane(vec![step("write", 8, 12)]);
        assert!(holds(&autocommit, &wanted, 10));
        assert!(!holds(&autocommit, &wanted, 15));
    }
}
