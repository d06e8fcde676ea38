//! One lane at work: it brings each run that it is given to its end.

use std::sync::Arc;

use super::patience::Pace;
use super::run::{RunSetting, run_in};
use super::trace::Shape;
use super::{Fixture, Fixtures, Policy, Rows, Run, RunError, Subject};
use crate::engine::{Database, Fault, Lane};
use crate::verdict::Verdict;

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

/// What a policy leaves when its run is over.
pub(super) struct AfterRun {
    /// The share of the search that the run stood for.
    pub(super) share: f64,
    /// Whether the plan's bound has left out a run that would have followed from it.
    pub(super) leaves_out: bool,
    /// The runs that follow from it.
    pub(super) branches: Vec<Box<dyn Policy>>,
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
pub(super) enum Attempt {
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
pub(super) struct Worker {
    database: Database,
    subject: Arc<Subject>,
    /// Whether the rows that it makes must be removed afterwards, because the lane stays.
    must_tidy_up: bool,
    fresh: Vec<i64>,
    used: Vec<i64>,
    /// How the next attempt runs.
    pace: Pace,
    /// Whether it looks at what is stored after each step.
    pub(super) looks: bool,
}

impl Worker {
    /// Rows are made together, because each time costs a commit. If the clients read the clock,
    /// each row is made alone: it has to be made in the second in which it is used.
    const ROWS_AT_ONCE: usize = 16;

    const TRIES: u32 = 6;

    /// A run takes a tenth of a second at most, unless the machine is overloaded.
    const TRIES_WITHIN_A_SECOND: u32 = 20;

    pub(super) fn on(lane: &Lane, subject: &Arc<Subject>) -> Self {
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

    /// Opens its lane.
    pub(super) async fn open(&self) -> Result<(), Fault> {
        match &self.subject.fixtures {
            Fixtures::Rows(_) => Ok(()),
            Fixtures::WholeDatabase(whole) => whole.restore(&self.database).await,
        }
    }

    /// Explores one schedule: runs it, and again if the run does not repeat what an earlier one has
    /// done. InnoDB may choose another victim of the same deadlock: of three clients or more at
    /// will, of two if a page is split meanwhile. If the victim goes on, further runs depend on
    /// that choice, so it has to be made twice in a row. A client of another lane may be in the way
    /// by chance: where lanes share a database, InnoDB's locks on gaps may reach too far.
    pub(super) async fn explore_one(
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
    pub(super) async fn tidy_up(mut self) {
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
