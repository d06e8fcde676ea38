//! What became of a permutation: what each step returned, which steps waited, and when.
//!
//! As text it is what isolationtester prints.

use std::fmt;

use super::table::table;
use super::{PermutationStep, Spec, Sql};
use crate::answer::Answer;
use crate::engine::{Fault, Notice};

/// What became of one permutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermutationReport {
    /// Its steps' names.
    pub steps: Vec<String>,
    /// What happened, in the order in which isolationtester tells it.
    pub events: Vec<SpecEvent>,
    /// How many of its steps were sent.
    pub sent: usize,
    /// Why it was broken off. None if it was run whole.
    pub broken_off: Option<BrokenOff>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecEvent {
    /// A step was sent.
    Sent {
        /// Its name.
        step: String,
        /// Its SQL.
        sql: String,
        /// Whether it waits. If not, it has ended.
        waits: bool,
    },
    /// A step that had to wait has ended.
    Completed {
        /// Its name.
        step: String,
    },
    /// A result, of the step before it, or of a block that sets up or tidies up.
    Returned(Answer),
    /// The engine has refused the step before it.
    Refused(Fault),
    /// PostgreSQL tells a session something besides.
    Told {
        /// The session's name.
        session: String,
        /// What it is told.
        notice: Notice,
    },
    /// The engine has refused a block that tidies up.
    TeardownRefused {
        /// The session's name. None for the file's own teardown.
        session: Option<String>,
        /// The refusal.
        fault: Fault,
    },
}

/// Why a permutation was not run to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokenOff {
    /// A step cannot be sent, because its session still waits for what later steps do.
    SessionWaits {
        /// The step that would be next.
        step: String,
        /// Its session.
        session: String,
        /// The step in which the session waits.
        waits_in: String,
    },
    /// Steps still wait when all were sent, for locks that the sessions keep or for each other.
    StillWaiting {
        /// The steps that wait.
        steps: Vec<String>,
    },
    /// The engine does not understand a step.
    NotHere(NotHere),
}

/// A block that the engine does not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotHere {
    /// Which block: `step take`, `setup`.
    pub block: String,
    /// Its line in the file.
    pub line: usize,
    /// Its session and its number there, if it is a step.
    pub step: Option<(usize, usize)>,
    /// What the engine says.
    pub fault: Fault,
}

impl NotHere {
    /// A step that the engine does not understand.
    pub(super) fn step(spec: &Spec, at: &PermutationStep, fault: Fault) -> Self {
        let step = spec.step(at);
        Self {
            block: format!("step {}", step.name),
            line: step.sql.line,
            step: Some((at.session, at.step)),
            fault,
        }
    }

    /// Another block.
    pub(super) fn block(block: &str, sql: &Sql, fault: Fault) -> Self {
        Self {
            block: block.to_owned(),
            line: sql.line,
            step: None,
            fault,
        }
    }
}

impl fmt::Display for NotHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {}", self.line, self.block, self.fault)
    }
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionWaits {
                step,
                session,
                waits_in,
            } => write!(
                f,
                "not possible: step {step} is next, and its session {session} still waits in step \
                 {waits_in}"
            ),
            Self::StillWaiting { steps } => {
                write!(
                    f,
                    "not possible: at the end still waits {}",
                    steps.join(", ")
                )
            }
            Self::NotHere(not_here) => write!(f, "not run: {not_here}"),
        }
    }
}

impl fmt::Display for SpecEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { step, sql, waits } => {
                let waits = if *waits { " <waiting ...>" } else { "" };
                writeln!(f, "step {step}: {sql}{waits}")
            }
            Self::Completed { step } => writeln!(f, "step {step}: <... completed>"),
            Self::Returned(answer) => f.write_str(&table(answer)),
            Self::Refused(fault) => writeln!(f, "ERROR:  {}", fault.message),
            Self::Told { session, notice } => {
                writeln!(f, "{session}: {}:  {}", notice.severity, notice.message)
            }
            Self::TeardownRefused { session, fault } => {
                let of = session.as_ref().map(|it| format!(" of session {it}"));
                let of = of.unwrap_or_default();
                writeln!(f, "teardown{of} failed: ERROR:  {}", fault.message)
            }
        }
    }
}

impl fmt::Display for PermutationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nstarting permutation: {}", self.steps.join(" "))?;
        for event in &self.events {
            event.fmt(f)?;
        }
        match &self.broken_off {
            Some(why) => writeln!(f, "{why}"),
            None => Ok(()),
        }
    }
}
