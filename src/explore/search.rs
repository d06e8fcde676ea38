//! The search: all runs that a policy asks for, several at once, and what they add up to.
//!
//! The search is stateless: all it keeps of a run are the decisions that lead to other runs. Each
//! run begins with a fixture of its own and repeats the decisions up to the one that it takes
//! differently.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::crew::Crew;
use super::queue::Queue;
use super::worker::{Attempt, JudgedRun, Worker};
use super::{Exhaustive, Policy, Random, Reduction, Replay, RunError, Schedule, Subject};
use crate::engine::Lane;

/// Which schedules to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedules {
    /// Every one, those with the fewest preemptions first: see [`Exhaustive`].
    All {
        /// The largest number of preemptions. None if there is no bound.
        preemptions: Option<usize>,
    },
    /// Of the schedules that must end alike, only one: see [`Exhaustive`].
    Reduced(Reduction),
    /// Those with few preemptions, without the ones that must end like another one of them: see
    /// [`Exhaustive`].
    Bounded {
        /// The largest number of preemptions.
        preemptions: usize,
        /// Which steps are independent.
        reduction: Reduction,
    },
    /// A sample, drawn at random.
    Sample {
        /// The same seed draws the same schedules.
        seed: u64,
        /// The number of schedules drawn.
        runs: u32,
    },
    /// This one.
    One(Schedule),
}

impl Schedules {
    /// All schedules of this number of clients. Of more than two, one is run for all that must end
    /// alike.
    pub fn all_of(clients: usize) -> Self {
        if clients > 2 {
            Self::Reduced(Reduction::default())
        } else {
            Self::All { preemptions: None }
        }
    }

    /// Whether one run stands for all schedules that must end alike.
    pub fn is_reduced(&self) -> bool {
        matches!(self, Self::Reduced(_) | Self::Bounded { .. })
    }

    /// The largest number of preemptions. None if there is no bound.
    pub fn bound(&self) -> Option<usize> {
        match self {
            Self::All { preemptions } => *preemptions,
            Self::Bounded { preemptions, .. } => Some(*preemptions),
            Self::Reduced(_) | Self::Sample { .. } | Self::One(_) => None,
        }
    }

    /// The same with this bound, if it can have one.
    pub(super) fn within(&self, bound: usize) -> Self {
        match self {
            Self::All { .. } => Self::All {
                preemptions: Some(bound),
            },
            Self::Bounded { reduction, .. } => Self::Bounded {
                preemptions: bound,
                reduction: *reduction,
            },
            Self::Reduced(_) | Self::Sample { .. } | Self::One(_) => self.clone(),
        }
    }

    fn policy(&self, clients: usize, alike: bool) -> Box<dyn Policy> {
        match self {
            Self::All { preemptions } => Box::new(Exhaustive::within(*preemptions)),
            Self::Reduced(reduction) => Box::new(Exhaustive::reduced(*reduction, alike)),
            Self::Bounded {
                preemptions,
                reduction,
            } => Box::new(Exhaustive::bounded(*preemptions, *reduction)),
            Self::Sample { seed, runs } => Box::new(Random::new(*seed, *runs, clients)),
            Self::One(schedule) => Box::new(Replay::new(schedule.clone())),
        }
    }
}

/// What to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which schedules.
    pub schedules: Schedules,
    /// The number of clients.
    pub clients: usize,
    /// The number of instances of the service that serve the clients in turn: one, or one for each
    /// client, so that all clients are alike.
    pub instances: usize,
    /// The largest number of runs that come to their end. None if there is no limit. Runs that a
    /// reduced search breaks off are not counted.
    pub limit: Option<u64>,
    /// Whether the search is for the simplest schedule that goes wrong: it ends with the number of
    /// preemptions with which one was found. Up to [`ALWAYS_WHOLE`] all schedules with that number
    /// are run.
    pub counterexample_first: bool,
}

impl Plan {
    /// Whether a run with this number of preemptions is still wanted, if one with `found` was the
    /// first that went wrong.
    fn wants(&self, preemptions: usize, found: Option<usize>) -> bool {
        let Some(found) = found.filter(|_| self.counterexample_first) else {
            return true;
        };
        preemptions <= found && found <= ALWAYS_WHOLE
    }
}

/// Up to this number of preemptions, a search for the simplest schedule that goes wrong runs all
/// schedules: there are about as many as the clients have steps. Of those with more there can be
/// thousands, and the first that goes wrong ends it.
pub const ALWAYS_WHOLE: usize = 1;

/// Stops a search early; what was found so far is its result.
#[derive(Debug, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// Lets the runs that are under way come to their end, and begins no other one.
    pub fn stop(&self) {
        self.0.cancel();
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Does this work. If it is stopped, the work is dropped, and there is None.
    pub(super) async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.0.run_until_cancelled(work).await
    }
}

/// Runs the plan's schedules on these lanes, one on each at a time, and hands each run that is
/// judged to `found`, with the share of the search that is done. Returns what was left out and, if
/// a run did not come to its end, why.
pub(super) async fn search(
    lanes: &[Lane],
    subject: &Arc<Subject>,
    plan: &Plan,
    stop: &Stop,
    mut found: impl FnMut(JudgedRun, f64),
) -> (LeftOut, Result<(), RunError>) {
    let alike = subject.about.clients_are_alike;
    let mut queue = Queue::with(plan.schedules.policy(plan.clients, alike));
    let mut crew = Crew::of(lanes, subject).await;
    let mut running = JoinSet::new();
    let mut found_with = None;
    let mut begun = 0;
    let mut done = 0.0;
    let mut left_out = LeftOut::default();
    let mut result = Ok(());
    loop {
        let goes_on =
            result.is_ok() && !stop.is_stopped() && plan.limit.is_none_or(|it| begun < it);
        let is_wanted = |it: usize| plan.wants(it, found_with);
        if goes_on && queue.next().is_some_and(is_wanted) {
            crew.grow();
        }
        if goes_on
            && queue.next().is_some_and(is_wanted)
            && let Some(mut worker) = crew.next_idle()
            && let Some(policy) = queue.begin_next()
        {
            let (clients, instances) = (plan.clients, plan.instances);
            let preemptions = policy.preemptions();
            running.spawn(async move {
                let explored = worker.explore_one(clients, instances, policy).await;
                (worker, preemptions, explored)
            });
            begun += 1;
            continue;
        }
        let joined = tokio::select! {
            joined = running.join_next() => joined,
            () = crew.grown() => continue,
        };
        let Some(joined) = joined else {
            break;
        };
        let (worker, preemptions, explored) =
            joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        crew.is_back(worker);
        queue.end(preemptions);
        match explored {
            Ok((attempt, after)) => {
                queue.add(after.branches);
                done += after.share;
                left_out.is_bounded |= after.leaves_out;
                match attempt {
                    Attempt::Judged(judged) => {
                        if judged.verdict.is_anomaly() {
                            found_with.get_or_insert(preemptions);
                        }
                        found(*judged, done);
                    }
                    Attempt::Trial => begun -= 1,
                    Attempt::Covered => {
                        begun -= 1;
                        left_out.covered += 1;
                    }
                    Attempt::Diverged => {
                        left_out.diverged += 1;
                        left_out.leave_open(preemptions);
                    }
                }
            }
            Err(error) => {
                left_out.leave_open(preemptions);
                left_out.waits_not_seen += u64::from(matches!(error, RunError::WaitNotSeen { .. }));
                result = result.and(Err(error));
            }
        }
    }
    left_out.at_once = crew.size();
    crew.go_home().await;
    let mut first_waiting = queue.first_waiting();
    if let Some(with) = found_with.filter(|it| plan.counterexample_first && *it <= ALWAYS_WHOLE)
        && first_waiting.is_some_and(|it| it > with)
    {
        left_out.ended_with = Some(with);
        left_out.is_bounded = true;
        first_waiting = None;
    }
    left_out.has_more = result.is_err() || first_waiting.is_some();
    if let Some(preemptions) = first_waiting {
        left_out.leave_open(preemptions);
    }
    (left_out, result)
}

/// Runs this schedule alone in the lane. `looks` says whether it is looked at what is stored after
/// each step. None if the run could not be brought to follow the schedule.
pub(super) async fn run_alone(
    lane: &Lane,
    subject: &Arc<Subject>,
    plan: &Plan,
    schedule: &Schedule,
    looks: bool,
) -> Option<JudgedRun> {
    let mut worker = Worker::on(lane, subject);
    worker.looks = looks;
    let policy: Box<dyn Policy> = Box::new(Replay::new(schedule.clone()));
    let explored = worker.explore_one(plan.clients, plan.instances, policy);
    let explored = explored.await;
    worker.tidy_up().await;
    match explored {
        Ok((Attempt::Judged(judged), _)) => Some(*judged),
        Ok((Attempt::Trial | Attempt::Covered | Attempt::Diverged, _)) | Err(_) => None,
    }
}

/// What a search has left out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LeftOut {
    /// Whether it ended before everything was run.
    pub(super) has_more: bool,
    /// The number of beginnings that the engine would not repeat. What follows them is not known.
    pub(super) diverged: u64,
    /// The number of runs that ended in a lock timeout of a client that was not seen to wait.
    pub(super) waits_not_seen: u64,
    /// The number of runs that were broken off because another run shows the same.
    pub(super) covered: u64,
    /// Whether the plan's bound has left schedules out.
    pub(super) is_bounded: bool,
    /// The smallest number of preemptions of which not every schedule was run. None if there is
    /// none within the plan's bound.
    pub(super) open_from: Option<usize>,
    /// The number of preemptions with which it ended, because a schedule with as many goes wrong.
    /// None if it did not end for that, or in the midst of them.
    pub(super) ended_with: Option<usize>,
    /// The largest number of runs at once.
    pub(super) at_once: usize,
}

impl LeftOut {
    fn leave_open(&mut self, preemptions: usize) {
        let open_from = self.open_from.unwrap_or(preemptions);
        self.open_from = Some(open_from.min(preemptions));
    }
}
