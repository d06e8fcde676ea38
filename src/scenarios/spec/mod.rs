//! PostgreSQL's isolation test format: `.spec` files as isolationtester reads them.
//!
//! - `lexer`: words, blocks of SQL and signs, each with its place.
//! - `parser`: the grammar. `names`: which step a permutation means.
//! - `interleavings`: every order of the sessions' steps, for a file that names no permutation.
//! - `error`: what is wrong in a file, where, and what would be right.
//!
//! Running it:
//! - `beside`: in a database of its own. `run`: which permutations are run.
//! - `tester`: permutations one after the other, on the same connections. `attempt`: one of them,
//!   with isolationtester's meaning of waiting.
//! - `sessions`: all sessions. `seat`: one of them.
//! - `columns`: the columns of results without rows.
//! - `report`: what became of a permutation. `table`: a result as libpq prints it.
//!   `json`: the same for programs.

mod attempt;
mod beside;
mod columns;
mod error;
mod interleavings;
mod json;
mod lexer;
mod names;
mod parser;
mod report;
mod run;
mod seat;
mod sessions;
mod table;
mod tester;

use std::time::Duration;

pub use beside::SpecRunError;
pub use error::{Place, SpecError};
pub use interleavings::Interleavings;
pub use report::{BrokenOff, NotHere, PermutationReport, SpecEvent};
pub use run::SpecReport;
pub use tester::{TestError, Tester};

/// A `.spec` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The blocks that set up the database before each permutation, in their order. Each is sent as
    /// one query.
    pub setup: Vec<Sql>,
    /// The block that tidies up after each permutation.
    pub teardown: Option<Sql>,
    /// The sessions, at least one. Each has a connection of its own.
    pub sessions: Vec<SpecSession>,
    /// The permutations that the file names. If there are none, every interleaving is meant: see
    /// [`all_permutations`](Spec::all_permutations).
    pub permutations: Vec<Permutation>,
}

/// A block of SQL: any number of statements that are sent as one query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    /// The text between the braces, without the blanks at its ends. Line breaks stay.
    pub text: String,
    /// The line of the opening brace.
    pub line: usize,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecSession {
    /// Its name.
    pub name: String,
    /// What it does before the first step of each permutation.
    pub setup: Option<Sql>,
    /// Its steps, at least one.
    pub steps: Vec<SpecStep>,
    /// What it does after the last step of each permutation.
    pub teardown: Option<Sql>,
}

/// One step of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecStep {
    /// Its name. No other step of the file has it.
    pub name: String,
    /// What it does.
    pub sql: Sql,
}

/// An order of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permutation {
    /// The steps in the order in which they are sent. A step may be in it several times.
    pub steps: Vec<PermutationStep>,
    /// The line of the word `permutation`. None if the file names no permutation.
    pub line: Option<usize>,
}

/// A step's place in a permutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermutationStep {
    /// Which session, from 0.
    pub session: usize,
    /// Which of its steps, from 0.
    pub step: usize,
    /// What delays the report that the step has ended.
    pub blockers: Vec<Blocker>,
}

/// An annotation of a step in a permutation: the step counts as waiting until this is so, even if
/// it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocker {
    /// `(*)`: until the next step was sent.
    Once,
    /// `(other)`: as long as the other step is under way.
    Step {
        /// The other step's session.
        session: usize,
        /// The other step, among those of its session.
        step: usize,
    },
    /// `(other notices 2)`: until the session of the other step has received this number of notices
    /// since this step was sent.
    Notices {
        /// The session that has to receive them.
        session: usize,
        /// How many.
        count: u32,
    },
}

impl Spec {
    /// Reads a file.
    ///
    /// # Errors
    /// The first mistake in it, with its place.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        names::resolve(parser::parse(text)?)
    }

    /// Every interleaving of the sessions' steps, each session's steps in the order of the file.
    pub fn all_permutations(&self) -> Interleavings {
        Interleavings::new(self.sessions.iter().map(|it| it.steps.len()))
    }

    /// A permutation's step.
    pub fn step(&self, at: &PermutationStep) -> &SpecStep {
        &self.sessions[at.session].steps[at.step]
    }

    /// All blocks of SQL.
    fn blocks(&self) -> impl Iterator<Item = &Sql> {
        let sessions = self.sessions.iter().flat_map(|it| {
            let steps = it.steps.iter().map(|step| &step.sql);
            it.setup.iter().chain(steps).chain(&it.teardown)
        });
        self.setup.iter().chain(sessions).chain(&self.teardown)
    }

    /// How long a wait can last that only a timeout ends.
    fn waits_end_within(&self) -> Duration {
        /// The file sets a timeout, of a lock or a statement. It is longer in no sensible file.
        const WITH_A_TIMEOUT: Duration = Duration::from_secs(20);
        /// Long enough to be sure that the engine shows no passing state.
        const WITHOUT_ONE: Duration = Duration::from_millis(100);

        let sets_one = |it: &Sql| {
            let sql = it.text.to_lowercase().replace("deadlock_timeout", "");
            sql.contains("timeout")
        };
        if self.blocks().any(sets_one) {
            WITH_A_TIMEOUT
        } else {
            WITHOUT_ONE
        }
    }

    /// The steps that no permutation uses, if the file names permutations.
    pub fn unused_steps(&self) -> Vec<&SpecStep> {
        if self.permutations.is_empty() {
            return Vec::new();
        }
        let used = |session, step| {
            let mut all = self.permutations.iter().flat_map(|it| &it.steps);
            all.any(|it| (it.session, it.step) == (session, step))
        };
        let sessions = self.sessions.iter().enumerate();
        let steps = sessions.flat_map(|(session, it)| {
            let steps = it.steps.iter().enumerate();
            steps.filter(move |(step, _)| !used(session, *step))
        });
        steps.map(|(_, step)| step).collect()
    }
}

#[cfg(test)]
mod tests;
