//! SQL scripts with psql's meta-commands.

mod error;
mod instruction;
mod template;
mod variables;

pub use error::ScriptError;
pub use instruction::{Instruction, InstructionKind, Script, Statement};
pub use template::Template;
pub use variables::{UnsetVariable, Variables, truth};

use crate::engine::Flavour;

impl Script {
    /// Reads a client's script.
    pub fn parse(text: &str, _flavour: Flavour) -> Result<Self, ScriptError> {
        Err(ScriptError::at(text, 0, "scripts cannot be read yet"))
    }
}

/// Splits SQL without meta-commands and variables, as in set-up, into its statements, each with its
/// line, from 1.
pub fn statements(text: &str, _flavour: Flavour) -> Result<Vec<(usize, String)>, ScriptError> {
    Err(ScriptError::at(text, 0, "scripts cannot be read yet"))
}

/// Reads one statement with variables, as in an invariant. Names may have a dot: `:A.used`.
pub fn template(sql: &str, _flavour: Flavour) -> Result<Template, ScriptError> {
    Ok(Template::of_sql(sql, Vec::new()))
}
