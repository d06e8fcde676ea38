//! The search: all runs that a policy asks for, several at once, and what they add up to.
//!
//! The search is stateless: nothing of a run is kept but the decisions that lead to others. Each run
//! begins with a stake of its own and repeats the decisions up to the one that it takes differently.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::trace::Shape;
use super::{Exhaustive, Policy, Random, Replay, Run, RunError, Schedule, Subject, run};
use crate::engine::{Database, Fault, Lane};
use crate::verdict::Verdict;

/// Which schedules to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedules {
    /// Every one.
    All {
        /// But of those that are bound to end alike, only one: see [`Exhaustive`].
        reduced: bool,
    },
    /// So many, drawn at random.
    Sample {
        /// The same seed draws the same schedules.
        seed: u64,
        /// How many.
        runs: u32,
    },
    /// This one.
    One(Schedule),
}

impl Schedules {
    fn policy(&self, clients: usize, alike: bool) -> Box<dyn Policy> {
        match self {
            Self::All { reduced } => Box::new(Exhaustive::new(*reduced, alike)),
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
    /// Of how many clients.
    pub clients: usize,
    /// By how many instances of the service they are served, in turn: one, or as many as there are
    /// clients, so that all clients are alike.
    pub instances: usize,
    /// At most that many runs.
    pub limit: Option<u64>,
}

/// Stops a search early; what was found so far is its result.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Lets the runs that are under way come to their end, and begins no other.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A run that was judged.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) run: Run,
    pub(super) verdict: Verdict,
    /// The second in which it ran. None if the strategy reads no clock.
    pub(super) second: Option<i64>,
}

/// Runs the plan's schedules on these lanes, one on each at a time, and hands each that is done to
/// `found`. What was left out; and why it ended early, if a run could not be brought to its end.
pub(super) async fn search(
    lanes: &[Lane],
    subject: &'static dyn Subject,
    plan: &Plan,
    stop: &Stop,
    mut found: impl FnMut(Judged),
) -> (Rest, Result<(), RunError>) {
    let alike = subject.clients_are_alike();
    let mut to_run = vec![plan.schedules.policy(plan.clients, alike)];
    let mut idle: Vec<_> = lanes.iter().map(|lane| Worker::on(lane, subject)).collect();
    let mut running = JoinSet::new();
    let mut begun = 0;
    let mut diverged = 0;
    let mut not_seen = 0;
    let mut result = Ok(());
    loop {
        let goes_on =
            result.is_ok() && !stop.is_stopped() && plan.limit.is_none_or(|it| begun < it);
        // The last that was found comes first, so that few lie waiting.
        if goes_on
            && !idle.is_empty()
            && let Some(policy) = to_run.pop()
        {
            let mut worker = idle.swap_remove(0);
            let (clients, instances) = (plan.clients, plan.instances);
            running.spawn(async move {
                let done = worker.run(clients, instances, policy).await;
                (worker, done)
            });
            begun += 1;
            continue;
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        let (worker, done) =
            joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        idle.push(worker);
        match done {
            Ok((done, branches)) => {
                to_run.extend(branches);
                match done {
                    Done::Judged(judged) => found(*judged),
                    Done::Covered => begun -= 1,
                    Done::Diverged => diverged += 1,
                }
            }
            Err(error) => {
                not_seen += u64::from(matches!(error, RunError::WaitNotSeen { .. }));
                result = result.and(Err(error));
            }
        }
    }
    for worker in idle {
        worker.tidy_up().await;
    }
    let rest = Rest {
        not_run: result.is_err() || !to_run.is_empty(),
        diverged,
        not_seen,
    };
    (rest, result)
}

/// What a search has left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    /// Whether it ended before everything was run.
    pub(super) not_run: bool,
    /// How many beginnings the engine would not repeat, so that nobody knows what follows from them.
    pub(super) diverged: u64,
    /// How many runs ended in a lock timeout of a client that was not seen to wait.
    pub(super) not_seen: u64,
}

/// What became of one run.
enum Done {
    /// It came to its end.
    Judged(Box<Judged>),
    /// It is not to be counted: another run shows the same, or it was only to learn from.
    Covered,
    /// It could not be brought to do what an earlier run had done.
    Diverged,
}

impl Done {
    /// The shape of a run in which a refused client goes on, where further runs follow from that.
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
    subject: &'static dyn Subject,
    /// Whether what it leaves behind is somebody else's to look at.
    tidies_up: bool,
    /// How many stakes it sets up together.
    at_once: usize,
    fresh: Vec<i64>,
    used: Vec<i64>,
}

impl Worker {
    /// Set up together, because each time costs a commit; but not where the strategy looks at a clock,
    /// which is to show the same when a stake is set up and when it is raced for.
    const STAKES_AT_ONCE: usize = 16;

    const TRIES: u32 = 6;

    /// A run takes a tenth of a second at most, unless the machine is at its end.
    const TRIES_BETWEEN_TICKS: u32 = 20;

    fn on(lane: &Lane, subject: &'static dyn Subject) -> Self {
        Self {
            database: lane.database.clone(),
            subject,
            tidies_up: !lane.is_private(),
            at_once: match subject.tick(&lane.database) {
                None => Self::STAKES_AT_ONCE,
                Some(_) => 1,
            },
            fresh: Vec::new(),
            used: Vec::new(),
        }
    }

    /// Runs once, and again if the run does not repeat what an earlier one has done. InnoDB may
    /// choose another victim of the same deadlock: of three clients or more at will, of two if a
    /// page is split meanwhile. If the victim goes on, further runs depend on that choice, so it
    /// has to be made twice in a row.
    async fn run(
        &mut self,
        clients: usize,
        instances: usize,
        mut policy: Box<dyn Policy>,
    ) -> Result<(Done, Vec<Box<dyn Policy>>), RunError> {
        let mut unconfirmed = None;
        let mut too_slow = None;
        for _ in 0..Self::TRIES {
            let again = policy.again();
            let ran = self.run_between_ticks(clients, instances, &mut policy);
            match ran.await {
                Ok(done) => match done.to_be_confirmed(&*policy) {
                    Some(shape) if unconfirmed.as_ref() != Some(&shape) => {
                        unconfirmed = Some(shape);
                        policy = again;
                    }
                    _ => return Ok((done, policy.branches())),
                },
                Err(RunError::Diverged(_)) if policy.forgives() => policy = again,
                Err(error @ RunError::TooSlow { .. }) => (policy, too_slow) = (again, Some(error)),
                Err(error) => return Err(error),
            }
        }
        too_slow.map_or(Ok((Done::Diverged, Vec::new())), Err)
    }

    /// Runs once, within one tick of the clock that the strategy looks at, if it does. A tick is much
    /// longer than a run, and it is noticed afterwards whether the run was in it; then, again.
    async fn run_between_ticks(
        &mut self,
        clients: usize,
        instances: usize,
        policy: &mut Box<dyn Policy>,
    ) -> Result<Done, RunError> {
        for _ in 0..Self::TRIES_BETWEEN_TICKS {
            let again = policy.again();
            let began = self.tick().await?;
            let mut done = self.run_once(clients, instances, &mut **policy).await;
            if self.tick().await? == began {
                if let Ok(Done::Judged(judged)) = &mut done {
                    judged.second = began;
                }
                return done;
            }
            *policy = again;
        }
        Err(RunError::Ticked)
    }

    async fn run_once(
        &mut self,
        clients: usize,
        instances: usize,
        policy: &mut dyn Policy,
    ) -> Result<Done, RunError> {
        let stake = self.stake().await?;
        let cast = self.subject.cast(instances);
        let Some(run) = run(&self.database, &cast, stake, clients, policy).await? else {
            return Ok(Done::Covered);
        };
        if policy.is_trial() {
            return Ok(Done::Covered);
        }
        let judging = self.subject.judge(&self.database, stake, &run.ended);
        let verdict = judging.await?;
        Ok(Done::Judged(Box::new(Judged {
            run,
            verdict,
            second: None,
        })))
    }

    async fn tick(&self) -> Result<Option<i64>, Fault> {
        match self.subject.tick(&self.database) {
            Some(tick) => tick.await.map(Some),
            None => Ok(None),
        }
    }

    async fn stake(&mut self) -> Result<i64, Fault> {
        loop {
            while let Some(stake) = self.fresh.pop() {
                self.used.push(stake);
                if self.subject.is_unmistakable(stake) {
                    return Ok(stake);
                }
            }
            let opening = self.subject.open(&self.database, self.at_once);
            self.fresh = opening.await?;
        }
    }

    /// As far as it goes: a database that is gone has nothing to tidy up.
    async fn tidy_up(mut self) {
        if self.tidies_up {
            self.used.append(&mut self.fresh);
            if let Err(fault) = self.subject.remove(&self.database, &self.used).await {
                tracing::warn!(%fault, "what the explorer had set up could not be removed");
            }
        }
    }
}
