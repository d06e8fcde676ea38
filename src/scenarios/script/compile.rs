//! The instructions of a script, with the targets of its branches.

use super::command::{Command, CommandKind};
use super::error::{Lines, ScriptError, line_of};
use super::instruction::{Instruction, InstructionKind, Statement};
use super::split::Source;
use super::template::Template;

/// Puts instructions together from the statements and commands of a text, in their order.
#[derive(Debug)]
pub(super) struct Compiler<'t> {
    text: &'t str,
    lines: Lines<'t>,
    instructions: Vec<Instruction>,
    /// The branches that are open, the innermost last.
    branches: Vec<Branch>,
    /// Whether the last instruction is a statement to which a `\gset` would belong.
    may_capture: bool,
}

/// An `\if` without its `\endif` as yet.
#[derive(Debug)]
struct Branch {
    offset: usize,
    /// The last `\if` or `\elif`, which still has to learn where it goes otherwise.
    condition: Option<usize>,
    /// The jumps to what is behind `\endif`.
    ends: Vec<usize>,
    has_else: bool,
}

/// Where a jump goes before its target is known.
const UNKNOWN: usize = usize::MAX;

/// An instruction that mentions one of these handles the error of the statement before it.
const ERROR_VARIABLES: [&str; 4] = ["ERROR", "FAULT", "SQLSTATE", "ERROR_CODE"];

impl<'t> Compiler<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            lines: Lines::new(text),
            instructions: Vec::new(),
            branches: Vec::new(),
            may_capture: false,
        }
    }

    pub(super) fn statement(&mut self, source: Source) {
        let offset = source.range.start;
        let statement = Statement {
            sql: source.template(self.text),
            capture: None,
            handles_errors: false,
        };
        self.push(offset, InstructionKind::Statement(statement));
        self.may_capture = true;
    }

    pub(super) fn command(&mut self, command: Command) -> Result<(), ScriptError> {
        let offset = command.offset;
        let may_capture = std::mem::replace(&mut self.may_capture, false);
        match command.kind {
            CommandKind::Capture(prefix) => self.capture(offset, prefix, may_capture)?,
            CommandKind::Set(name, value) => {
                self.push(offset, InstructionKind::Set { name, value });
            }
            CommandKind::Unset(name) => self.push(offset, InstructionKind::Unset { name }),
            CommandKind::If(condition) => {
                let condition = self.condition(offset, condition);
                self.branches.push(Branch {
                    offset,
                    condition: Some(condition),
                    ends: Vec::new(),
                    has_else: false,
                });
            }
            CommandKind::Elif(condition) => {
                let mut branch = self.end_body(offset, "\\elif")?;
                branch.condition = Some(self.condition(offset, condition));
                self.branches.push(branch);
            }
            CommandKind::Else => {
                let mut branch = self.end_body(offset, "\\else")?;
                branch.has_else = true;
                self.branches.push(branch);
            }
            CommandKind::Endif => self.endif(offset)?,
            CommandKind::Quit => self.push(offset, InstructionKind::Quit),
        }
        Ok(())
    }

    /// The instructions, once all of the text was read.
    pub(super) fn finish(mut self) -> Result<Vec<Instruction>, ScriptError> {
        if let Some(open) = self.branches.last() {
            return Err(self.error(open.offset, "the \\if that begins here has no \\endif"));
        }
        let is_statement = |it: &Instruction| matches!(it.kind, InstructionKind::Statement(_));
        if !self.instructions.iter().any(is_statement) {
            return Err(self.error(
                0,
                "there is no statement here; a script sends at least one, such as `SELECT 1;`",
            ));
        }
        for index in 0..self.instructions.len() {
            let handles = self.handles_errors(index + 1);
            if let InstructionKind::Statement(statement) = &mut self.instructions[index].kind {
                statement.handles_errors = handles;
            }
        }
        Ok(self.instructions)
    }

    fn capture(
        &mut self,
        offset: usize,
        prefix: String,
        may_capture: bool,
    ) -> Result<(), ScriptError> {
        match self.instructions.last_mut().map(|it| &mut it.kind) {
            Some(InstructionKind::Statement(statement)) if may_capture => {
                statement.capture = Some(prefix);
                Ok(())
            }
            _ => Err(self.error(
                offset,
                "\\gset captures the row of the statement directly before it, and there is none: \
                 `SELECT …; \\gset`",
            )),
        }
    }

    /// Adds a condition, which does not know yet where it goes otherwise.
    fn condition(&mut self, offset: usize, condition: Template) -> usize {
        let index = self.instructions.len();
        let otherwise = UNKNOWN;
        let kind = InstructionKind::Branch {
            condition,
            otherwise,
        };
        self.push(offset, kind);
        index
    }

    /// Ends the body before `\elif` or `\else`. What follows is where its condition goes
    /// otherwise. Returns the innermost branch, which is no longer in the list.
    fn end_body(&mut self, offset: usize, command: &str) -> Result<Branch, ScriptError> {
        let mut branch = self.innermost(offset, command)?;
        if branch.has_else {
            let line = line_of(self.text, branch.offset);
            return Err(self.error(
                offset,
                &format!(
                    "{command} comes after the \\else of the \\if on line {line}; \\else is the last \
                     branch, and \\endif ends it"
                ),
            ));
        }
        branch.ends.push(self.instructions.len());
        self.push(offset, InstructionKind::Jump(UNKNOWN));
        self.otherwise_here(branch.condition.take());
        Ok(branch)
    }

    fn endif(&mut self, offset: usize) -> Result<(), ScriptError> {
        let branch = self.innermost(offset, "\\endif")?;
        self.otherwise_here(branch.condition);
        let here = self.instructions.len();
        for end in branch.ends {
            self.instructions[end].kind = InstructionKind::Jump(here);
        }
        Ok(())
    }

    fn innermost(&mut self, offset: usize, command: &str) -> Result<Branch, ScriptError> {
        self.branches
            .pop()
            .ok_or_else(|| self.error(offset, &format!("{command} has no \\if before it")))
    }

    /// If this condition is false, what comes next is run.
    fn otherwise_here(&mut self, condition: Option<usize>) {
        let here = self.instructions.len();
        if let Some(index) = condition
            && let InstructionKind::Branch { otherwise, .. } = &mut self.instructions[index].kind
        {
            *otherwise = here;
        }
    }

    /// Whether the instruction that runs from this index mentions the error before it.
    fn handles_errors(&self, mut index: usize) -> bool {
        while let Some(InstructionKind::Jump(target)) = self.kind(index) {
            index = *target;
        }
        let template = match self.kind(index) {
            Some(InstructionKind::Statement(statement)) => &statement.sql,
            Some(InstructionKind::Set { value, .. }) => value,
            Some(InstructionKind::Branch { condition, .. }) => condition,
            Some(InstructionKind::Unset { .. } | InstructionKind::Jump(_))
            | Some(InstructionKind::Quit)
            | None => return false,
        };
        template.names().any(|name| ERROR_VARIABLES.contains(&name))
    }

    fn kind(&self, index: usize) -> Option<&InstructionKind> {
        self.instructions.get(index).map(|it| &it.kind)
    }

    fn push(&mut self, offset: usize, kind: InstructionKind) {
        let line = self.lines.line_of(offset);
        self.instructions.push(Instruction { line, kind });
    }

    fn error(&self, offset: usize, message: &str) -> ScriptError {
        ScriptError::at(self.text, offset, message)
    }
}
