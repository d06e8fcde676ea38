//! The search: all runs that a policy asks for, several at once, and what they add up to.
//!
//! The search is stateless: all it keeps of a run are the decisions that lead to other runs. Each
//! run begins with a fixture of its own and repeats the decisions up to the one that it takes
//! differently.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::patience::Pace;
use super::queue::Queue;
use super::run::{RunSetting, run_in};
use super::trace::Shape;
use super::{
    Exhaustive, Fixture, Fixtures, Policy, Random, Reduction, Replay, Rows, Run, RunError,
    Schedule, Subject,
};
use crate::engine::{Database, Fault, Lane};
use crate::verdict::Verdict;

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
        matches!(self, Self::Reduced(_))
    }

    fn policy(&self, clients: usize, alike: bool) -> Box<dyn Policy> {
        match self {
            Self::All { preemptions } => Box::new(Exhaustive::within(*preemptions)),
            Self::Reduced(reduction) => Box::new(Exhaustive::reduced(*reduction, alike)),
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
}

/// Stops a search early; what was found so far is its result.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Lets the runs that are under way come to their end, and begins no other one.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A run with its verdict.
#[derive(Debug)]
pub(super) struct JudgedRun {
    pub(super) run: Run,
    pub(super) verdict: Verdict,
    /// What is wrong in it, in the judge's words.
    pub(super) because: Option<String>,
    /// The second in which it ran. None if the strategy reads no clock.
    pub(super) second: Option<i64>,
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
    let mut idle: Vec<_> = lanes.iter().map(|lane| Worker::on(lane, subject)).collect();
    let mut running = JoinSet::new();
    let mut begun = 0;
    let mut done = 0.0;
    let mut left_out = LeftOut::default();
    let mut result = Ok(());
    loop {
        let goes_on =
            result.is_ok() && !stop.is_stopped() && plan.limit.is_none_or(|it| begun < it);
        if goes_on
            && !idle.is_empty()
            && let Some(policy) = queue.begin_next()
        {
            let mut worker = idle.swap_remove(0);
            let (clients, instances) = (plan.clients, plan.instances);
            let preemptions = policy.preemptions();
            running.spawn(async move {
                let explored = worker.explore_one(clients, instances, policy).await;
                (worker, preemptions, explored)
            });
            begun += 1;
            continue;
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        let (worker, preemptions, explored) =
            joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        idle.push(worker);
        queue.end(preemptions);
        match explored {
            Ok((attempt, after)) => {
                queue.add(after.branches);
                done += after.share;
                left_out.is_bounded |= after.leaves_out;
                match attempt {
                    Attempt::Judged(judged) => found(*judged, done),
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
    for worker in idle {
        worker.tidy_up().await;
    }
    let first_waiting = queue.first_waiting();
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
}

impl LeftOut {
    fn leave_open(&mut self, preemptions: usize) {
        let open_from = self.open_from.unwrap_or(preemptions);
        self.open_from = Some(open_from.min(preemptions));
    }
}

/// What a policy leaves when its run is over.
struct AfterRun {
    /// The share of the search that the run stood for.
    share: f64,
    /// Whether the plan's bound has left out a run that would have followed from it.
    leaves_out: bool,
    /// The runs that follow from it.
    branches: Vec<Box<dyn Policy>>,
}

impl AfterRun {
    fn of(policy: Box<dyn Policy>) -> Self {
        Self {
            share: policy.share(),
            leaves_out: policy.leaves_out(),
            branches: policy.branches(),
        }
    }
}

/// What one run led to.
enum Attempt {
    /// It came to its end.
    Judged(Box<JudgedRun>),
    /// It does not count: it was only to learn from.
    Trial,
    /// It was broken off: another run shows the same.
    Covered,
    /// It could not be brought to do what an earlier run had done.
    Diverged,
}

impl Attempt {
    /// The shape of a run in which a refused client goes on, if further runs follow from that.
    fn to_be_confirmed(&self, policy: &dyn Policy) -> Option<Shape> {
        let Self::Judged(judged) = self else {
            return None;
        };
        let trace = &judged.run.trace;
        let known = policy.known();
        trace.goes_on_after_a_refusal(known).then(|| trace.shape())
    }
}

/// One lane at work.
struct Worker {
    database: Database,
    subject: Arc<Subject>,
    /// Whether the rows that it makes must be removed afterwards, because the lane stays.
    must_tidy_up: bool,
    fresh: Vec<i64>,
    used: Vec<i64>,
    /// How the next attempt runs.
    pace: Pace,
    /// Whether it looks at what is stored after each step.
    looks: bool,
}

impl Worker {
    /// Rows are made together, because each time costs a commit. If the clients read the clock,
    /// each row is made alone: it has to be made in the second in which it is used.
    const ROWS_AT_ONCE: usize = 16;

    const TRIES: u32 = 6;

    /// A run takes a tenth of a second at most, unless the machine is overloaded.
    const TRIES_WITHIN_A_SECOND: u32 = 20;

    fn on(lane: &Lane, subject: &Arc<Subject>) -> Self {
        Self {
            database: lane.database.clone(),
            subject: Arc::clone(subject),
            must_tidy_up: !lane.is_private(),
            fresh: Vec::new(),
            used: Vec::new(),
            pace: Pace::Quick,
            looks: false,
        }
    }

    /// Explores one schedule: runs it, and again if the run does not repeat what an earlier one has
    /// done. InnoDB may choose another victim of the same deadlock: of three clients or more at
    /// will, of two if a page is split meanwhile. If the victim goes on, further runs depend on
    /// that choice, so it has to be made twice in a row. A client of another lane may be in the way
    /// by chance: where lanes share a database, InnoDB's locks on gaps may reach too far.
    async fn explore_one(
        &mut self,
        clients: usize,
        instances: usize,
        mut policy: Box<dyn Policy>,
    ) -> Result<(Attempt, AfterRun), RunError> {
        self.pace = Pace::Quick;
        let mut unconfirmed = None;
        let mut too_slow = None;
        let mut was_unseen = false;
        for _ in 0..Self::TRIES {
            let again = policy.again();
            let ran = self.run_within_a_second(clients, instances, &mut policy);
            match ran.await {
                Ok(attempt) => match attempt.to_be_confirmed(&*policy) {
                    Some(shape) if unconfirmed.as_ref() != Some(&shape) => {
                        unconfirmed = Some(shape);
                        policy = again;
                    }
                    _ => return Ok((attempt, AfterRun::of(policy))),
                },
                Err(RunError::Diverged(_)) if policy.forgives() => policy = again,
                Err(RunError::Hasty) => (policy, self.pace) = (again, Pace::Patient),
                Err(RunError::Disturbed) => policy = again,
                // A machine that stood still for a while looks alike. A wait that the engine does
                // not show stays unseen.
                Err(RunError::WaitNotSeen { .. }) if !was_unseen => {
                    (policy, was_unseen) = (again, true);
                }
                Err(error @ RunError::TooSlow { .. }) => (policy, too_slow) = (again, Some(error)),
                Err(error) => return Err(error),
            }
        }
        // What branches off from it is not known.
        let after = AfterRun {
            share: policy.share(),
            leaves_out: policy.leaves_out(),
            branches: Vec::new(),
        };
        too_slow.map_or(Ok((Attempt::Diverged, after)), Err)
    }

    /// Runs once, within one second of the engine's clock if the clients read it. A second is much
    /// longer than a run. Whether the run stayed within it is known afterwards; if not, it is
    /// repeated.
    async fn run_within_a_second(
        &mut self,
        clients: usize,
        instances: usize,
        policy: &mut Box<dyn Policy>,
    ) -> Result<Attempt, RunError> {
        for _ in 0..Self::TRIES_WITHIN_A_SECOND {
            let again = policy.again();
            let began = self.clock_second().await?;
            let mut attempt = self.attempt(clients, instances, &mut **policy).await;
            if self.clock_second().await? == began {
                if let Ok(Attempt::Judged(judged)) = &mut attempt {
                    judged.second = began;
                }
                return attempt;
            }
            *policy = again;
        }
        Err(RunError::CrossedASecond)
    }

    async fn attempt(
        &mut self,
        clients: usize,
        instances: usize,
        policy: &mut dyn Policy,
    ) -> Result<Attempt, RunError> {
        let fixture = self.fixture().await?;
        let served = (self.subject.clients)(instances);
        let setting = RunSetting {
            pace: self.pace,
            looked_at_by: Some(&self.subject.judge).filter(|_| self.looks),
        };
        let running = run_in(setting, &self.database, &served, fixture, clients, policy);
        let Some(run) = running.await? else {
            return Ok(Attempt::Covered);
        };
        if policy.is_trial() {
            return Ok(Attempt::Trial);
        }
        let judge = &self.subject.judge;
        let judged = judge.judge(&self.database, fixture, &run.results).await?;
        Ok(Attempt::Judged(Box::new(JudgedRun {
            run,
            verdict: judged.verdict,
            because: judged.because,
            second: None,
        })))
    }

    async fn clock_second(&self) -> Result<Option<i64>, Fault> {
        let second = match &self.subject.fixtures {
            Fixtures::Rows(rows) => rows.clock_second(&self.database),
            Fixtures::WholeDatabase(_) => None,
        };
        match second {
            Some(second) => second.await.map(Some),
            None => Ok(None),
        }
    }

    async fn fixture(&mut self) -> Result<Fixture, Fault> {
        match &self.subject.fixtures {
            Fixtures::Rows(rows) => {
                let rows = Arc::clone(rows);
                self.row(&*rows).await.map(Fixture::Row)
            }
            Fixtures::WholeDatabase(whole) => {
                whole.restore(&self.database).await?;
                Ok(Fixture::WholeDatabase)
            }
        }
    }

    async fn row(&mut self, rows: &dyn Rows) -> Result<i64, Fault> {
        let reads_the_clock = rows.clock_second(&self.database).is_some();
        let at_once = if reads_the_clock {
            1
        } else {
            Self::ROWS_AT_ONCE
        };
        loop {
            while let Some(id) = self.fresh.pop() {
                self.used.push(id);
                if rows.id_is_unambiguous(id) {
                    return Ok(id);
                }
            }
            self.fresh = rows.make(&self.database, at_once).await?;
        }
    }

    /// Removes what it made, as far as that is possible: a database that is gone needs no tidying.
    async fn tidy_up(mut self) {
        let Fixtures::Rows(rows) = &self.subject.fixtures else {
            return;
        };
        if self.must_tidy_up {
            self.used.append(&mut self.fresh);
            if let Err(fault) = rows.remove(&self.database, &self.used).await {
                tracing::warn!(%fault, "the rows that the explorer has made could not be removed");
            }
        }
    }
}
