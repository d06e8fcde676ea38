//! The policies, run on made-up clients.

mod machine;
mod reduced;

use super::*;
use crate::explore::queue::Queue;
use crate::explore::{Reduction, Schedule};
use crate::footprint::Footprint;
use crate::step::{Action, Effect};

/// A step that does nothing.
pub(super) fn step(effect: Effect, footprint: Option<Footprint>) -> Step {
    Step {
        action: Action::Read,
        label: "a step".into(),
        sql: None,
        args: Vec::new(),
        effect,
        footprint: footprint.map(Into::into),
        at: None,
    }
}

/// What all runs of a search have led to.
struct Runs<T> {
    /// In the order in which they were run, each with its number of preemptions.
    ended: Vec<(usize, T)>,
    /// The number of runs that were broken off.
    covered: usize,
    /// Whether a bound has left runs out.
    leaves_out: bool,
}

/// Runs all that the policy asks for. `run` returns None if the policy has broken the run off.
fn all_runs<T>(
    first: impl Policy + 'static,
    mut run: impl FnMut(&mut dyn Policy) -> Option<T>,
) -> Runs<T> {
    let mut queue = Queue::with(Box::new(first));
    let mut runs = Runs {
        ended: Vec::new(),
        covered: 0,
        leaves_out: false,
    };
    let mut done = 0.0;
    while let Some(mut policy) = queue.begin_next() {
        let preemptions = policy.preemptions();
        match run(&mut *policy) {
            Some(ended) => runs.ended.push((preemptions, ended)),
            None => runs.covered += 1,
        }
        queue.end(preemptions);
        done += policy.share();
        runs.leaves_out |= policy.leaves_out();
        queue.add(policy.branches());
    }
    assert!((done - 1.0_f64).abs() < 1e-9, "{done}");
    runs
}

/// Runs clients with these numbers of steps, which all have this effect and never wait.
fn runs_of(first: impl Policy + 'static, steps: &[usize], effect: Effect) -> Runs<Schedule> {
    let step = step(effect, None);
    all_runs(first, |policy| {
        let mut left = steps.to_vec();
        let mut schedule = Schedule::default();
        loop {
            let clients = Client::first(steps.len());
            let parked = clients.filter(|client| left[client.index()] > 0);
            let parked = parked.map(|client| ParkedClient {
                client,
                step: &step,
            });
            let standing = Standing {
                parked: parked.collect(),
                has_waiting_client: false,
            };
            if standing.parked.is_empty() {
                policy.end().unwrap();
                return Some(schedule);
            }
            let client = policy.choose(&standing).unwrap()?;
            left[client.index()] -= 1;
            schedule.0.push(client);
        }
    })
}

fn schedules(first: impl Policy + 'static, steps: &[usize], effect: Effect) -> Vec<Schedule> {
    let runs = runs_of(first, steps, effect);
    runs.ended.into_iter().map(|(_, it)| it).collect()
}

fn distinct(mut schedules: Vec<Schedule>) -> usize {
    schedules.sort();
    schedules.dedup();
    schedules.len()
}

/// Counts the preemptions by their definition.
fn preemptions(schedule: &Schedule) -> usize {
    let pairs = schedule.0.windows(2).enumerate();
    let preemptions = pairs.filter(|(at, pair)| {
        let goes_on_later = schedule.0[at + 1..].contains(&pair[0]);
        pair[0] != pair[1] && goes_on_later
    });
    preemptions.count()
}

/// Two clients of two steps: AABB, ABAB, ABBA, BAAB, BABA, BBAA.
#[test]
fn every_schedule_is_run_once() {
    for (steps, expected) in [
        (&[2, 2][..], 6),
        (&[3, 3], 20),
        (&[5, 5], 252),
        (&[1, 4], 5),
        (&[2, 2, 2], 90),
        (&[7], 1),
    ] {
        let all = schedules(Exhaustive::within(None), steps, Effect::Conflicts);
        assert_eq!(all.len(), expected, "{steps:?}");
        assert_eq!(distinct(all), expected, "{steps:?}");
    }
}

#[test]
fn schedules_with_fewer_preemptions_come_first() {
    for steps in [&[4, 4][..], &[2, 2, 2], &[1, 3, 2]] {
        let runs = runs_of(Exhaustive::within(None), steps, Effect::Conflicts);
        for (expected, schedule) in &runs.ended {
            assert_eq!(preemptions(schedule), *expected, "{schedule}");
        }
        assert!(runs.ended.is_sorted_by_key(|(preemptions, _)| *preemptions));
    }
}

/// n steps of two clients: 2 schedules without a preemption, 2 (n - 1) with one, and 2 (n - 1)²
/// with two.
#[test]
fn a_bound_leaves_out_all_with_more_preemptions() {
    for (steps, bound, expected) in [
        (42, 0, 2),
        (42, 1, 2 + 82),
        (42, 2, 3446),
        (2, 1, 4),
        (2, 2, 6),
    ] {
        let bounded = Exhaustive::within(Some(bound));
        let runs = runs_of(bounded, &[steps, steps], Effect::Conflicts);
        assert_eq!(runs.ended.len(), expected, "{steps} {bound}");
        // Of two steps each, no schedule has three preemptions.
        let has_all = (steps, bound) == (2, 2);
        assert_eq!(runs.leaves_out, !has_all, "{steps} {bound}");
    }
}

#[test]
fn a_reduced_search_leaves_out_names_and_the_order_of_what_is_independent() {
    let run = |effect| {
        let first = Exhaustive::reduced(Reduction::default(), true);
        schedules(first, &[2, 2, 2], effect).len()
    };
    // All steps meet: only the names are left out, 90 / 3!.
    assert_eq!(run(Effect::Conflicts), 15);
    // None do: one order stands for all.
    assert_eq!(run(Effect::Reads), 1);
    assert_eq!(run(Effect::Local), 1);
}

#[test]
fn clients_that_are_not_alike_keep_their_names() {
    let count = |alike| {
        let first = Exhaustive::reduced(Reduction::default(), alike);
        schedules(first, &[2, 2], Effect::Conflicts).len()
    };
    assert_eq!(count(true), 3);
    assert_eq!(count(false), 6);
}

#[test]
fn the_same_seed_draws_the_same_schedules() {
    let drawn = |seed| schedules(Random::new(seed, 50, 3), &[3, 3, 3], Effect::Conflicts);
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    // And the one before them.
    assert_eq!(drawn(1).len(), 51);
    assert!(distinct(drawn(1)) > 20);
}

#[test]
fn a_replay_is_the_schedule_itself() {
    let schedule = Schedule::parse("ABBA", 2).unwrap();
    let replayed = schedules(Replay::new(schedule.clone()), &[2, 2], Effect::Conflicts);
    assert_eq!(replayed, [schedule]);
}
