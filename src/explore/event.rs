//! What a job tells while it is at work.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Finding;
use crate::engine::Engine;
use crate::verdict::Verdict;

/// Something that happens in a job.
#[derive(Debug, Clone)]
pub enum Event {
    /// A subject is set up and tried without a race, which takes seconds if an application has to
    /// start.
    Rehearsing(Exploring),
    /// The exploration of a subject begins.
    Started(Exploring),
    /// A run was judged.
    Progress {
        /// What is being explored.
        exploring: Exploring,
        /// The number of runs so far.
        schedules: u64,
        /// The number of runs with each verdict so far.
        verdicts: BTreeMap<Verdict, u64>,
        /// The share of the search that is done, from 0 to 1. It is an estimate.
        done: f64,
    },
    /// The exploration of a subject has ended.
    Found(Box<Finding>),
    /// An engine is not here. The text names it and says why.
    Missing(String),
    /// One line that a person should read.
    Note(String),
    /// The job has ended, early if there is a reason.
    Ended(Option<String>),
}

/// A subject on an engine.
#[derive(Debug, Clone)]
pub struct Exploring {
    /// The subject's name.
    pub subject: Cow<'static, str>,
    /// The engine, at its level.
    pub engine: Engine,
    /// The number of instances of the service.
    pub instances: usize,
}

/// Takes the events of a job, one after the other. It must not block.
pub type Events<'e> = &'e (dyn Fn(Event) + Sync);
