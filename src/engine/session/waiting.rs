//! Waits in SQLite's place, delays, pauses, and what is left to chance.
//!
//! SQLite is the one engine whose waiting is done here. It keeps no queue: its own busy handler
//! sleeps and tries again, unseen. The session does the same in its place, so that an
//! [`Observer`](crate::step::Observer) learns of the wait and may say when to try again.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Session;
use super::steps::{Text, done, sql_of};
use crate::engine::connection::Connection;
use crate::engine::{Fault, FaultKind};
use crate::step::{Action, Arguments, Effect, Step};

/// How a session spends time between its statements, and what it draws.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// How long to think. If None, thinking is no step.
    think: Option<Duration>,
    /// How long to pause before each further attempt.
    pauses: std::vec::IntoIter<Duration>,
    /// What [`Session::draw`] draws. If None, it draws at random.
    drawn: Option<i64>,
}

impl Session<'_> {
    /// Sets how long [`think`](Self::think) takes. Thinking for no time is no step.
    pub fn thinking(mut self, think: Duration) -> Self {
        self.pacing.think = (!think.is_zero()).then_some(think);
        self
    }

    /// Makes [`think`](Self::think) a step that takes no time: for an observer that decides what
    /// happens meanwhile.
    pub fn thinking_in_no_time(mut self) -> Self {
        self.pacing.think = Some(Duration::ZERO);
        self
    }

    /// Sets how long each [`pause`](Self::pause) takes, and so how many there are. Without this
    /// call there is none.
    pub fn pausing(mut self, pauses: Vec<Duration>) -> Self {
        self.pacing.pauses = pauses.into_iter();
        self
    }

    /// Makes [`draw`](Self::draw) return 0 each time: for an observer whose clients should meet.
    pub fn drawing_the_first(mut self) -> Self {
        self.pacing.drawn = Some(0);
        self
    }

    /// Draws a number from 0 up to but not including `among`. Not a step.
    pub fn draw(&self, among: i64) -> i64 {
        let drawn = self.pacing.drawn;
        drawn.unwrap_or_else(|| fastrand::i64(0..among))
    }

    /// Lets time pass between two statements: the delay of the lesson, in which other clients get
    /// their chance. If the delay is zero, it is no step.
    #[track_caller]
    pub fn think(&mut self) -> impl Future<Output = ()> {
        let step = self.passing(Action::Think, "think");
        async move {
            if let Some(think) = self.pacing.think {
                self.let_pass(step, think).await;
            }
        }
    }

    /// Lets time pass between a lost attempt and the next one, and returns true. Returns false at
    /// once if that was the last attempt.
    #[track_caller]
    pub fn pause(&mut self) -> impl Future<Output = bool> {
        let step = self.passing(Action::Pause, "pause");
        async move {
            let Some(pause) = self.pacing.pauses.next() else {
                return false;
            };
            self.let_pass(step, pause).await;
            true
        }
    }

    #[track_caller]
    fn passing(&self, action: Action, label: &'static str) -> Step {
        self.step_without_sql(action, label, Effect::Local, Vec::new())
    }

    async fn let_pass(&mut self, step: Step, time: Duration) {
        self.observer.before(&step).await;
        let started = Instant::now();
        if !time.is_zero() {
            sleep(time).await;
        }
        self.after(step, started, &Ok(()), done);
    }

    /// Polls a COUNT until it is 0, for at most the lock wait timeout. The engine sees repeated
    /// reads and no wait for a lock.
    ///
    /// # Errors
    /// [`FaultKind::LockTimeout`] if it is still not 0 after that time.
    #[track_caller]
    pub fn wait_until_none(
        &mut self,
        label: impl Into<Text>,
        count: impl Into<Text>,
        args: impl Into<Arguments>,
    ) -> impl Future<Output = Result<(), Fault>> {
        let step = self.statement(Action::Lock, label, count, args, Effect::Conflicts);
        self.poll_until_none(step)
    }

    async fn poll_until_none(&mut self, step: Step) -> Result<(), Fault> {
        let polled = perform_step!(self, step, none_left(&mut self.connection, &step), done);
        polled.map_err(Fault::after_the_lock_wait)
    }

    /// Whether to try a step again that SQLite has refused as busy. It says so after waiting as
    /// SQLite itself would: for a commit, and for a statement whose transaction has no snapshot
    /// yet. A transaction that has read and then wants to write is refused at once, because its
    /// snapshot would grow old while it waited.
    pub(super) async fn tries_again<T>(
        &self,
        step: &Step,
        started: Instant,
        tries: &mut usize,
        result: &Result<T, Fault>,
    ) -> bool {
        let is_busy = matches!(result, Err(fault) if fault.kind == FaultKind::Busy);
        if !is_busy || (self.has_snapshot() && step.action != Action::Commit) {
            return false;
        }
        if let Some(turn) = self.observer.held_up(step) {
            return turn.await;
        }
        if started.elapsed() >= self.lock_wait {
            return false;
        }
        sleep(pause_before(*tries)).await;
        *tries += 1;
        true
    }
}

/// Refuses as busy if a count is not zero, so that the session polls again.
async fn none_left(connection: &mut Connection, step: &Step) -> Result<(), Fault> {
    let counted = connection.integers::<1>(sql_of(step), &step.args).await?;
    match counted.first() {
        Some([Some(0)]) => Ok(()),
        _ => Err(Fault::busy("another client is still in the way")),
    }
}

/// The pauses of SQLite's own busy handler, from short to long.
pub(in crate::engine) fn pause_before(try_number: usize) -> Duration {
    const MILLISECONDS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];
    let longest = MILLISECONDS.len() - 1;
    Duration::from_millis(MILLISECONDS[try_number.min(longest)])
}
