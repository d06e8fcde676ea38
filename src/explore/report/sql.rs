//! One run as SQL, to be pasted into one terminal for each client.

use std::fmt::Write as _;

use super::super::{Client, SHOWN_ID};
use super::{ExampleData, FindingData, StepData};
use crate::engine::{Engine, Flavour, Journal};

/// The run as SQL: for each step in its order, which terminal to paste it into, and what to see.
/// None if no step is SQL.
pub fn script(finding: &FindingData, example: &ExampleData) -> Option<String> {
    if example.steps.iter().all(|step| step.sql.is_none()) {
        return None;
    }
    let clients: Vec<_> = Client::first(finding.clients)
        .map(|client| client.to_string())
        .collect();
    let is_scenario = finding.title.is_some();
    let where_to = if is_scenario {
        "the same empty database"
    } else {
        "one database that Racy has migrated"
    };
    let mut text = format!(
        "-- Terminals {}: connect each to {where_to}. In each, first:\n",
        clients.join(" and ")
    );
    for line in session_setup(&finding.engine, is_scenario) {
        let _ = writeln!(text, "{line}");
    }
    for (client, facts) in clients.iter().zip(&finding.scenario_clients) {
        if let Some(level) = facts.isolation {
            let engine = Engine {
                isolation: level,
                ..finding.engine.clone()
            };
            let _ = writeln!(text, "-- In terminal {client} alone:");
            let _ = writeln!(text, "{}", session_setup(&engine, is_scenario)[0]);
        }
    }
    let what = if is_scenario {
        "In one of them, the set-up".to_owned()
    } else {
        format!("In one of them; it sets up number {SHOWN_ID}, for which they race")
    };
    let _ = writeln!(text, "-- {what}:\n{}", finding.setup_sql);
    let mut last = None;
    for step in &example.steps {
        let is_to_be_typed = step.sql.is_some() && step.resumes.is_none();
        if is_to_be_typed && last != Some(step.client) {
            let _ = writeln!(text, "-- Terminal {}:", step.client);
            last = Some(step.client);
        }
        write_step(&mut text, step);
    }
    if let Some(highlight) = &example.highlight {
        let _ = writeln!(text, "-- {}", highlight.words);
    }
    let inspect = example.inspect_sql.as_deref();
    let inspect = inspect.unwrap_or(&finding.inspect_sql);
    let _ = writeln!(text, "-- In any:\n{inspect}");
    Some(text)
}

/// What gives a terminal's session the same settings as the explorer's.
fn session_setup(engine: &Engine, is_scenario: bool) -> Vec<String> {
    let level = engine.isolation.sql();
    match engine.flavour {
        Flavour::MySql => vec![format!("SET SESSION TRANSACTION ISOLATION LEVEL {level};")],
        Flavour::MariaDb => vec![
            format!("SET SESSION TRANSACTION ISOLATION LEVEL {level};"),
            format!(
                "SET SESSION innodb_snapshot_isolation = {};",
                if engine.snapshot_isolation {
                    "ON"
                } else {
                    "OFF"
                }
            ),
        ],
        Flavour::Postgres => vec![format!(
            "SET default_transaction_isolation = '{}';",
            level.to_lowercase()
        )],
        Flavour::Sqlite => sqlite_setup(engine.journal, is_scenario),
    }
}

fn sqlite_setup(journal: Option<Journal>, is_scenario: bool) -> Vec<String> {
    let journal = match journal {
        Some(Journal::Rollback) => "PRAGMA journal_mode = DELETE;",
        _ => "PRAGMA journal_mode = WAL;",
    };
    let waits = "PRAGMA busy_timeout = 50000;";
    let lines = if is_scenario {
        vec![journal, waits]
    } else {
        vec![
            "-- (sqlite3 3.42 or later, for the defaults in Racy's tables)",
            journal,
            "PRAGMA foreign_keys = ON;",
            waits,
        ]
    };
    lines.into_iter().map(str::to_owned).collect()
}

fn write_step(text: &mut String, step: &StepData) {
    let result = step.result();
    if let Some(number) = step.resumes {
        let client = step.client;
        let _ = writeln!(text, "-- ({client}'s statement {number} goes on{result})");
        return;
    }
    let remark = if step.wait {
        " -- waits".to_owned()
    } else if result.is_empty() {
        result
    } else {
        format!(" --{result}")
    };
    if let Some(statement) = &step.sql {
        let _ = writeln!(text, "{statement};{remark}");
    }
}
