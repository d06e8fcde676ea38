//! What a script consists of.

use super::template::Template;

/// A script, ready to be run from its first instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub(super) instructions: Vec<Instruction>,
}

impl Script {
    /// The same script, whose text begins this number of lines below the first one of its file.
    #[must_use]
    pub fn below(mut self, lines: usize) -> Self {
        for instruction in &mut self.instructions {
            instruction.line += lines;
        }
        self
    }

    /// The instructions, in the order of the text. A jump goes to an index in them; one behind the
    /// last is the script's end.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its line, from 1: within the script's text, or within the file that the text stands in.
    pub line: usize,
    /// What it does.
    pub kind: InstructionKind,
}

/// What an instruction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstructionKind {
    /// Sends SQL to the engine.
    Statement(Statement),
    /// `\set name value…`
    Set {
        /// The variable.
        name: String,
        /// Its value: [`Template::value`].
        value: Template,
    },
    /// `\unset name`
    Unset {
        /// The variable.
        name: String,
    },
    /// `\if` and `\elif`: goes on with the next instruction if the condition is true.
    Branch {
        /// A boolean, once it is filled: [`truth`](super::truth).
        condition: Template,
        /// Where it goes if the condition is false.
        otherwise: usize,
    },
    /// The end of a branch's body: goes on behind `\endif`.
    Jump(usize),
    /// `\q`: the application stops by its own decision.
    Quit,
}

/// One SQL statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text, without the delimiter and without comments before and after it.
    pub sql: Template,
    /// The prefix of the variables that capture its row, as `\gset` names it; empty if it names
    /// none. `None` without a `\gset`.
    pub capture: Option<String>,
    /// Whether the instruction that runs next mentions `:ERROR`, `:FAULT`, `:SQLSTATE` or
    /// `:ERROR_CODE`. If not, an error of the statement ends the client.
    pub handles_errors: bool,
}
