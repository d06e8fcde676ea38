//! Tables of cases, and properties of every text.

mod branches;
mod commands;
mod properties;
mod splitting;
mod variables;

use super::{InstructionKind, Script, Statement, Variables};
use crate::answer::{Datum, DatumKind};
use crate::engine::Flavour;
use Flavour::{MariaDb, MySql, Postgres, Sqlite};

const EVERY: [Flavour; 4] = [MySql, MariaDb, Postgres, Sqlite];
const INNODB: [Flavour; 2] = [MySql, MariaDb];

/// The script's instructions, one a line: what is sent is shown as it is, jumps by their targets.
fn listed(text: &str, flavour: Flavour) -> Vec<String> {
    let script = Script::parse(text, flavour).unwrap_or_else(|error| panic!("{text}: {error}"));
    let shown = script.instructions().iter().map(|it| match &it.kind {
        InstructionKind::Statement(statement) => shown(statement),
        InstructionKind::Set { name, value } => format!("set {name} = {}", value.text()),
        InstructionKind::Unset { name } => format!("unset {name}"),
        InstructionKind::Branch {
            condition,
            otherwise,
        } => format!("if {} else {otherwise}", condition.text()),
        InstructionKind::Jump(target) => format!("jump {target}"),
        InstructionKind::Quit => "quit".to_owned(),
    });
    shown.collect()
}

fn shown(statement: &Statement) -> String {
    let capture = match &statement.capture {
        Some(prefix) => format!(" -> {prefix}*"),
        None => String::new(),
    };
    let handles = if statement.handles_errors { " !" } else { "" };
    format!("{}{capture}{handles}", statement.sql.text())
}

/// The complaint about a script.
fn complaint(text: &str, flavour: Flavour) -> String {
    match Script::parse(text, flavour) {
        Ok(script) => panic!("{text} is taken: {script:?}"),
        Err(error) => error.to_string(),
    }
}

fn value(text: &str, kind: DatumKind) -> Datum {
    Datum::Value {
        text: text.to_owned(),
        kind,
    }
}

/// Variables of every kind.
fn variables() -> Variables {
    let mut variables = Variables::default();
    for (name, datum) in [
        ("n", Datum::number(5)),
        ("minus", Datum::number(-5)),
        ("text", Datum::text("it's")),
        ("yes", value("t", DatumKind::Boolean)),
        ("null", Datum::Null),
        ("A.used", Datum::number(1)),
        ("día_1", Datum::number(7)),
    ] {
        variables.set(name, datum);
    }
    variables
}
