//! psql's meta-commands, as far as they are understood.

use super::arguments::{Argument, read_arguments};
use super::error::ScriptError;
use super::lexer::Lexer;
use super::template::{Part, Template};
use super::unsupported::advice;
use super::variables::truth;
use crate::engine::{begins_word, continues_name};

/// A meta-command, and where its backslash is.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) offset: usize,
    pub(super) kind: CommandKind,
}

#[derive(Debug)]
pub(super) enum CommandKind {
    /// `\gset`, with its prefix.
    Capture(String),
    Set(String, Template),
    Unset(String),
    If(Template),
    Elif(Template),
    Else,
    Endif,
    Quit,
}

/// What is behind a command's name.
struct Line<'t> {
    text: &'t str,
    /// The command as it is written, with its backslash.
    command: String,
    offset: usize,
    arguments: Vec<Argument>,
}

impl Command {
    /// Reads the command whose backslash, at `offset`, was just read.
    pub(super) fn read(lexer: &mut Lexer<'_>, offset: usize) -> Result<Self, ScriptError> {
        let text = lexer.text;
        let rest = lexer.rest();
        let length = rest
            .find(|it: char| it.is_whitespace() || it == '\\')
            .unwrap_or(rest.len());
        let name = &rest[..length];
        if !NAMES.contains(&name) {
            return Err(ScriptError::at(text, offset, advice(name)));
        }
        lexer.at += length;
        let line = Line {
            text,
            command: format!("\\{name}"),
            offset,
            arguments: read_arguments(lexer, name == "set")?,
        };
        let kind = match name {
            "gset" => CommandKind::Capture(line.prefix()?),
            "set" => line.set()?,
            "unset" => CommandKind::Unset(line.only_name()?),
            "if" => CommandKind::If(line.condition()?),
            "elif" => CommandKind::Elif(line.condition()?),
            "else" => line.alone(CommandKind::Else)?,
            "endif" => line.alone(CommandKind::Endif)?,
            _ => line.alone(CommandKind::Quit)?,
        };
        Ok(Self { offset, kind })
    }

    /// Whether it may stand in the place of a statement's `;`.
    pub(super) fn ends_statement(&self) -> bool {
        matches!(self.kind, CommandKind::Capture(_))
    }

    /// Its name as it is written.
    pub(super) fn written(&self) -> &'static str {
        match self.kind {
            CommandKind::Capture(_) => "\\gset",
            CommandKind::Set(..) => "\\set",
            CommandKind::Unset(_) => "\\unset",
            CommandKind::If(_) => "\\if",
            CommandKind::Elif(_) => "\\elif",
            CommandKind::Else => "\\else",
            CommandKind::Endif => "\\endif",
            CommandKind::Quit => "\\q",
        }
    }
}

const NAMES: [&str; 9] = [
    "gset", "set", "unset", "if", "elif", "else", "endif", "q", "quit",
];

/// psql's own settings, which a script for psql may set.
const SETTINGS: [(&str, &str); 3] = [
    (
        "AUTOCOMMIT",
        "a statement outside BEGIN and COMMIT is always committed at once",
    ),
    (
        "ON_ERROR_ROLLBACK",
        "write SAVEPOINT and ROLLBACK TO SAVEPOINT",
    ),
    (
        "ON_ERROR_STOP",
        "an error always ends the client, unless the next instruction tests :ERROR or :FAULT",
    ),
];

impl Line<'_> {
    fn prefix(&self) -> Result<String, ScriptError> {
        self.refuse_more_than(1, "takes one prefix at most, as in `\\gset new_`")?;
        let Some(argument) = self.arguments.first() else {
            return Ok(String::new());
        };
        match argument.plain() {
            Some(prefix) if is_name(prefix) => Ok(prefix.to_owned()),
            _ => Err(self.error_at(
                argument,
                "is no prefix for names: it begins with a letter and has letters, digits and _, \
                 as in `\\gset new_`",
            )),
        }
    }

    fn set(&self) -> Result<CommandKind, ScriptError> {
        let name = self.name()?;
        let values = &self.arguments[1..];
        if let Some(first) = values.first()
            && first.plain() == Some("=")
        {
            return Err(self.error_at(
                first,
                &format!("would be part of the value; `\\set {name} value` is right"),
            ));
        }
        if let Some((_, instead)) = SETTINGS.iter().find(|(setting, _)| *setting == name) {
            return Err(ScriptError::at(
                self.text,
                self.offset,
                format!("{name} is a setting of psql's, without effect here: {instead}"),
            ));
        }
        Ok(CommandKind::Set(name, self.value_of(values)))
    }

    /// Several arguments are put together, as psql does it.
    fn value_of(&self, values: &[Argument]) -> Template {
        let is_bare = match values {
            [value] => value.plain().is_some() && !value.is_quoted,
            _ => false,
        };
        let written = self.written(values);
        let start = values.first().map_or(0, |first| first.range.start);
        let parts = values.iter().flat_map(|value| &value.parts).cloned();
        let parts = parts.map(|part| match part {
            Part::Variable(place) => Part::Variable(place.from(start)),
            Part::Text(text) => Part::Text(text),
        });
        Template::of_value(written, parts.collect(), is_bare)
    }

    /// The arguments as they are written, with what is between them.
    fn written(&self, arguments: &[Argument]) -> &str {
        match (arguments.first(), arguments.last()) {
            (Some(first), Some(last)) => &self.text[first.range.start..last.range.end],
            _ => "",
        }
    }

    fn only_name(&self) -> Result<String, ScriptError> {
        self.refuse_more_than(1, "takes one name, as in `\\unset name`")?;
        self.name()
    }

    fn name(&self) -> Result<String, ScriptError> {
        let command = &self.command;
        let Some(argument) = self.arguments.first() else {
            let values = if command == "\\set" { " value" } else { "" };
            return Err(self.error(format!(
                "{command} needs the name of a variable: `{command} name{values}`"
            )));
        };
        match argument.plain() {
            Some(name) if is_name(name) => Ok(name.to_owned()),
            _ => Err(self.error_at(
                argument,
                "is no name of a variable: it begins with a letter and has letters, digits and _, \
                 without a colon",
            )),
        }
    }

    fn condition(&self) -> Result<Template, ScriptError> {
        let command = &self.command;
        let Some(first) = self.arguments.first() else {
            return Err(self.error(format!(
                "{command} needs a boolean: `{command} :name`, `{command} :{{?name}}` or \
                 `{command} true`"
            )));
        };
        let parts: Vec<_> = self.arguments.iter().flat_map(|it| &it.parts).collect();
        match parts.as_slice() {
            [Part::Variable(_)] => return Ok(self.value_of(&self.arguments)),
            [Part::Text(text)] if truth(text).is_some() => {
                return Ok(self.value_of(&self.arguments));
            }
            [Part::Text(text)] if is_name(text) => {
                return Err(self.error_at(
                    first,
                    &format!("is no boolean; the variable is written `:{text}`"),
                ));
            }
            _ => {}
        }
        let written = self.written(&self.arguments);
        Err(ScriptError::at(
            self.text,
            first.range.start,
            format!(
                "{written} is no boolean: {command} computes nothing, SQL does: `SELECT {written} \
                 AS holds; \\gset`, then `{command} :holds`"
            ),
        ))
    }

    fn alone(&self, kind: CommandKind) -> Result<CommandKind, ScriptError> {
        self.refuse_more_than(0, "stands alone on its line")?;
        Ok(kind)
    }

    fn refuse_more_than(&self, most: usize, right: &str) -> Result<(), ScriptError> {
        let Some(more) = self.arguments.get(most) else {
            return Ok(());
        };
        let is_wrong = format!("is too much: {} {right}", self.command);
        Err(self.error_at(more, &is_wrong))
    }

    fn error(&self, message: String) -> ScriptError {
        ScriptError::at(self.text, self.offset, message)
    }

    /// A mistake in an argument. The message goes on after the argument as it is written.
    fn error_at(&self, argument: &Argument, is_wrong: &str) -> ScriptError {
        let written = &self.text[argument.range.clone()];
        ScriptError::at(
            self.text,
            argument.range.start,
            format!("{written} {is_wrong}"),
        )
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(begins_word) && text.chars().all(continues_name)
}
