//! SQL scripts with psql's meta-commands, read for every engine.
//!
//! A text is split into statements and meta-commands, and these become a flat list of instructions
//! with jumps. Nothing here speaks to an engine.
//!
//! - `split`: statements and meta-commands, in their order. `lexer` finds the pieces that matter
//!   for it, `body` where a trigger's body ends. Where strings and comments end, the engine's
//!   `quotes` says.
//! - `command`: the meta-commands. `arguments`: what is behind their names. `unsupported`: what to
//!   do instead of those that are not understood.
//! - `compile`: the instructions, with the targets of their branches. `instruction`: what they are.
//! - `template`: text with the places of variables. `variables`: their values.
//!
//! What differs from psql:
//!
//! - A variable's value has a type, and `:name` becomes a literal of it. psql inserts plain text.
//! - An unset `:name` is a mistake once it is used. psql leaves it as it is.
//! - `\gset` never sends a statement again. A meta-command within a statement is a mistake.
//! - A comment (`--`) may stand behind every meta-command but `\set`.
//! - A value stands in single quotes or in none. Double quotes and backquotes are mistakes.

mod arguments;
mod body;
mod command;
mod compile;
mod error;
mod instruction;
mod lexer;
mod split;
mod template;
mod unsupported;
mod variables;

pub use error::ScriptError;
pub use instruction::{Instruction, InstructionKind, Script, Statement};
pub use template::Template;
pub use variables::{UnsetVariable, Variables, truth};

use crate::engine::Flavour;
use compile::Compiler;
use error::{Lines, column_of};
use lexer::Naming;
use split::{Piece, Splitter};

impl Script {
    /// Reads a client's script. One without any statement is a mistake.
    pub fn parse(text: &str, flavour: Flavour) -> Result<Self, ScriptError> {
        let mut splitter = Splitter::of_script(text, flavour);
        let mut compiler = Compiler::new(text);
        while let Some(piece) = splitter.next()? {
            match piece {
                Piece::Statement(source) => compiler.statement(source),
                Piece::Command(command) => compiler.command(command)?,
            }
        }
        let instructions = compiler.finish()?;
        Ok(Self { instructions })
    }
}

/// Splits SQL without meta-commands and variables, as in set-up, into its statements, each with its
/// line and column, from 1. There may be none.
pub fn statements(
    text: &str,
    flavour: Flavour,
) -> Result<Vec<(usize, usize, String)>, ScriptError> {
    const REFUSAL: &str = "only clients' scripts have them; plain SQL is right here";
    let mut splitter = Splitter::of_sql(text, flavour, Naming::Refused, REFUSAL);
    let mut lines = Lines::new(text);
    let mut statements = Vec::new();
    while let Some(piece) = splitter.next()? {
        if let Piece::Statement(source) = piece {
            let line = lines.line_of(source.range.start);
            let column = column_of(text, source.range.start);
            statements.push((line, column, text[source.range].to_owned()));
        }
    }
    Ok(statements)
}

/// Reads one statement with variables, as in an invariant. Names may have a dot: `:A.used`.
pub fn template(sql: &str, flavour: Flavour) -> Result<Template, ScriptError> {
    const REFUSAL: &str = "only clients' scripts have them; one statement of SQL is right here";
    let mut splitter = Splitter::of_sql(sql, flavour, Naming::Dotted, REFUSAL);
    let mut found: Option<Template> = None;
    while let Some(piece) = splitter.next()? {
        let Piece::Statement(source) = piece else {
            continue;
        };
        if found.is_some() {
            let message = "a second statement begins here; one statement is right";
            return Err(ScriptError::at(sql, source.range.start, message));
        }
        found = Some(source.template(sql));
    }
    found.ok_or_else(|| {
        let message =
            "there is no statement here; one is right, such as `SELECT used <= max FROM …`";
        ScriptError::at(sql, 0, message)
    })
}

#[cfg(test)]
mod tests;
