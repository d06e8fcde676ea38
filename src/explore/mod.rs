//! The explorer: every interleaving of a strategy's real code, on the real engine.
//!
//! Load shows a race when luck allows. The explorer leaves nothing to luck: it runs the very
//! functions that serve requests, step by step, through every schedule of so many clients, and counts
//! how each ends.
//!
//! - [`Schedule`]: who moved when.
//! - `gate`: parks each client before each step.
//! - [`run()`]: the scheduler, who lets one of them go at a time.
//! - [`Policy`]: decides whom, and which further runs follow from a run.
//! - [`Trace`]: what happened in a run.
//! - [`explore()`]: all runs, several at once; what they add up to is a [`Finding`].
//! - `rules`: what may be asked of an exploration.
//! - [`report`]: findings for people and for programs.
//!
//! It knows no strategy. What it explores is handed to it as a [`Subject`].

mod finding;
mod gate;
mod policy;
pub mod report;
mod rules;
mod run;
mod schedule;
mod search;
mod trace;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

pub use finding::{Example, Finding, Tally, explore};
pub use policy::{Diverged, Exhaustive, Policy, Random, Replay, Standing};
pub use rules::{PlanRequest, PolicyName, UnfitRequest};
pub use run::{Run, RunError, run};
pub use schedule::{Client, Schedule};
pub use search::{Plan, Schedules, Stop};
pub use trace::{Row, Trace, What};

use crate::engine::{Database, Engine, Fault, Session};
use crate::verdict::{Anomaly, Outcome, Verdict};

/// The number under which stakes are shown, whatever they had in the run.
pub const SHOWN_STAKE: i64 = 1;

/// The second under which a clock's seconds are shown, whatever the time of the run was.
pub const SHOWN_SECOND: i64 = 1_700_000_000;

/// What a subject's functions return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is explored: one strategy of an exhibit, as the explorer sees it.
pub trait Subject: fmt::Debug + Send + Sync {
    /// The strategy's name.
    fn name(&self) -> &'static str;

    /// The anomalies that it can show, the worst first.
    fn anomalies(&self) -> &'static [&'static Anomaly];

    /// Sets up so many things to race for, each for one run, and returns their numbers.
    fn open<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>>;

    /// SQL that shows a person what became of number [`SHOWN_STAKE`].
    fn look(&self) -> &'static str;

    /// SQL that sets up number [`SHOWN_STAKE`] as the explorer's stakes are, for a person to run.
    fn set_up(&self) -> &'static str;

    /// Whether no other value in a statement could be taken for this number, so that it can be
    /// replaced where the statement is shown. Only then is it raced for.
    fn is_unmistakable(&self, stake: i64) -> bool;

    /// Where the hand of the clock is that the strategy looks at; none where it looks at no clock. A run
    /// counts only if the hand does not move from before the stake is set up until the run is judged: how
    /// runs end would otherwise depend on when they happen to begin. One that it moves in is run again.
    fn tick<'a>(&'a self, _database: &'a Database) -> Option<Pending<'a, Result<i64, Fault>>> {
        None
    }

    /// The clients of one run, served by so many instances of what serves them.
    fn cast(&self, instances: usize) -> Arc<dyn Cast>;

    /// Judges a run in which the clients have raced for `stake`.
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        stake: i64,
        ended: &'a [Ended],
    ) -> Pending<'a, Result<Verdict, Fault>>;

    /// Removes what was set up.
    fn remove<'a>(
        &'a self,
        database: &'a Database,
        stakes: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>>;

    /// By how many instances of the service it is worth being explored, with so many clients.
    fn instances(&self, _clients: usize) -> Vec<usize> {
        vec![1]
    }

    /// Whether all clients do the same, so that schedules which differ only in their names end alike.
    fn clients_are_alike(&self) -> bool {
        true
    }

    /// Whether it promises that so many instances on this engine never show an anomaly.
    fn promises_safety(&self, _engine: &Engine, _instances: usize) -> bool {
        false
    }

    /// What an anomaly does to the books, in one word.
    fn harm(&self) -> &'static str {
        "lost"
    }

    /// Where in a run with an anomaly it happened, and how to say so.
    fn moment(&self, trace: &Trace, ended: &[Ended]) -> Option<Moment>;
}

/// The clients of one run, with what they share besides the database.
pub trait Cast: fmt::Debug + Send + Sync {
    /// Runs one client to its end.
    fn perform<'a>(
        &'a self,
        client: Client,
        session: Session<'a>,
        stake: i64,
    ) -> Pending<'a, Ended>;
}

/// How one client ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What became of what it wanted.
    pub outcome: Outcome,
    /// The engine's refusal, where it was refused by the engine.
    pub fault: Option<Fault>,
    /// What was wrong with what it got to see, whatever the books say afterwards.
    pub saw: Option<&'static Anomaly>,
}

/// The refusal that stands for all of a run's: which one does not depend on the clients' names, nor on
/// who came first.
pub fn refusal(ended: &[Ended]) -> Option<&Fault> {
    let faults = ended.iter().filter_map(|client| client.fault.as_ref());
    faults.min_by_key(|fault| (fault.kind, &fault.code))
}

/// The moment at which something was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// In this row of the trace.
    pub row: usize,
    /// What happened there, in words.
    pub words: String,
}
