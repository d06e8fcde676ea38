//! The explorer: every interleaving of a strategy's real code, on the real engine.
//!
//! It runs the functions that serve requests, step by step, through every schedule of a number of
//! clients, and counts how each run ends.
//!
//! What is explored, and where:
//!
//! - [`Subject`]: what is explored. The room knows no exhibit; a subject is handed to it.
//!   [`About`]: the facts about it.
//! - [`Place`]: the engines, modes and levels, and the settings that they need.
//!
//! One run:
//!
//! - [`Schedule`]: which client moved when.
//! - [`Gate`]: parks each client before each step that others could notice.
//! - [`run_schedule`]: one run. Its `scheduler` lets one client go at a time. `gated`: what it
//!   knows of each client. `patience`: how long it waits for what. Time decides nothing else of a
//!   run.
//! - [`Policy`]: decides which client goes next, and which further runs follow from a run.
//! - [`Trace`]: what happened in a run.
//! - `look`: what is stored after each step. `stored`: one such value, as another client reads it.
//!
//! All runs:
//!
//! - `queue`: the runs that wait for their turn, by their number of preemptions.
//! - `worker`: one lane at work. `crew`: the lanes that work, and those that are to be opened.
//! - [`SeenSteps`]: the steps that its runs have shown.
//! - [`explore()`]: all runs, several at once; what they add up to is a [`Finding`]. `search`: what
//!   is asked of them, and when they are to stop.
//! - `simpler`: a schedule with fewer preemptions that ends like another one.
//! - `rules`: what may be asked of an exploration.
//! - [`Job`]: one exploration: subjects on one engine or on all of them, told as [`Event`]s.
//!   `plans`: what it runs of one subject. `exploration`: what it has led to. `job_error`: why it
//!   ended early.
//! - [`report`]: findings for people and for programs.

mod about;
mod crew;
mod event;
mod exploration;
mod finding;
mod gate;
mod gated;
mod job;
mod job_error;
mod look;
mod patience;
mod places;
mod plans;
mod policy;
mod queue;
pub mod report;
mod rules;
mod run;
mod schedule;
mod scheduler;
mod search;
mod seen;
mod simpler;
mod stored;
mod subject;
mod trace;
mod worker;

pub use about::{About, ClientFacts, OwnSearch, ScenarioFacts, SqlText};
pub use event::{Event, Events, Exploring};
pub use exploration::Exploration;
pub use finding::{Example, Finding, Tally, explore};
pub use gate::Gate;
pub use job::{Job, PARALLEL};
pub use job_error::JobError;
pub use look::Looks;
pub use places::{Place, settings};
pub use policy::{
    Ablation, Divergence, Exhaustive, ParkedClient, Policy, Random, Reduction, Replay, Standing,
};
pub use rules::{PlanRequest, PolicyName, UnfitRequest};
pub use run::{Run, RunError, run_schedule};
pub use schedule::{Client, Schedule, Simplicity};
pub use search::{ALWAYS_WHOLE, Plan, Schedules, Stop};
pub use seen::{SeenStep, SeenSteps};
pub use stored::{StoredValue, session_to_look_in};
pub use subject::{
    Broken, ClientResult, Clients, Fixture, Fixtures, Highlight, InSession, Judge, Judgement,
    Pending, Rehearsal, Restore, Rows, SHOWN_ID, SHOWN_SECOND, Subject, refusal, verdict_of,
};
pub use trace::{Row, Trace, What};
