//! A schedule, stepped through: what happened in each step, and the state after it.
//!
//! Every state is computed before it is shown, so that a step back is as exact as a step forward.

mod loss;
mod of;
mod replay;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

pub use of::of;
pub use source::of_card;

/// The version of the form. It changes when a field is renamed, removed or given another meaning.
pub const VERSION: u32 = 1;

/// A schedule with the state after every step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SteppedRun {
    /// The version of this form.
    pub version: u32,
    /// Always `schedule`.
    pub kind: &'static str,
    /// The strategy's or scenario's name.
    pub strategy: String,
    /// What it is an example of.
    pub title: String,
    /// The engine and its level, in words.
    pub engine: String,
    /// The clients in their order: `A A B`.
    pub schedule: String,
    /// The verdict of the whole exploration, in words.
    pub verdict: String,
    /// Whether the run had no anomaly.
    pub safe: bool,
    /// The clients.
    pub clients: Vec<SteppedClient>,
    /// The code that ran. None if it is not known here.
    pub source: Option<SourceText>,
    /// SQL that sets it up.
    pub setup_sql: String,
    /// SQL that shows what became of it.
    pub inspect_sql: String,
    /// The command that runs it again.
    pub replay: String,
    /// The state before the first step.
    pub start: StateBefore,
    /// The steps, in their order.
    pub steps: Vec<SteppedStep>,
    /// Where it went wrong.
    pub highlight: Option<Highlight>,
    /// The three steps that lost something. None if nothing was lost in this way.
    pub loss: Option<ScheduleLoss>,
}

/// One client of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SteppedClient {
    /// Its letter.
    pub letter: String,
    /// What it is. None if it has no name.
    pub name: Option<String>,
}

/// A file of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceText {
    /// Its path in the repository.
    pub file: String,
    /// The number of its first line that is shown.
    pub first: u32,
    /// The lines.
    pub lines: Vec<String>,
}

/// The state before the first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateBefore {
    /// What is stored.
    pub row: Vec<Cell>,
    /// What each client has in hand.
    pub hands: BTreeMap<String, Option<String>>,
}

/// One step, and the state after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SteppedStep {
    /// Its place in the schedule. None for what is no step of it.
    pub number: Option<usize>,
    /// The client's letter.
    pub client: String,
    /// The kind of action.
    pub action: String,
    /// A few words.
    pub label: String,
    /// The statement with its values, or what the step does in words.
    pub text: String,
    /// What came of it.
    pub result: String,
    /// The line of `source` that runs. None if it is not in there.
    pub line: Option<u32>,
    /// What happened, in one sentence.
    pub sentence: String,
    /// Whether it begins to wait for a lock.
    pub waits: bool,
    /// The step whose wait ends here.
    pub resumes: Option<usize>,
    /// The engine's refusal in words.
    pub refusal: Option<String>,
    /// What is stored, as another client would read it. Empty if it is not known.
    pub row: Vec<Cell>,
    /// What each client has in hand.
    pub hands: BTreeMap<String, Option<String>>,
    /// The clients whose hand has changed.
    pub changed_hands: Vec<String>,
    /// Whether each client has an open transaction.
    pub open: BTreeMap<String, bool>,
    /// The clients that wait for a lock, and for which client.
    pub waiting: BTreeMap<String, Option<String>>,
}

/// A named value that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Its name, e.g. `balance`.
    pub name: String,
    /// Its value, as the engine's client shows it.
    pub value: String,
    /// Whether this step has changed it.
    pub changed: bool,
}

/// Where a run went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Highlight {
    /// The place in `steps`.
    pub index: usize,
    /// What happened there.
    pub words: String,
}

/// The three steps that lost something: places in `steps`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleLoss {
    /// The read that did not see it.
    pub read: usize,
    /// What was written, and is gone.
    pub overwritten: usize,
    /// What was written over it.
    pub overwrite: usize,
    /// The story in one sentence.
    pub sentence: String,
}
