//! One run as SQL, to be pasted into as many terminals as there are clients.

use std::fmt::Write as _;

use super::super::{Client, Example, Finding, Row, SHOWN_STAKE, What};
use super::timeline::result;
use crate::engine::{Engine, Flavour, Journal};

/// The run as SQL: for each step in its order, in which terminal to paste what, and what to see.
pub(super) fn write(finding: &Finding, example: &Example) -> String {
    let clients: Vec<_> = Client::first(finding.plan.clients)
        .map(|client| client.to_string())
        .collect();
    let mut text = format!(
        "-- Terminals {}: connect each to one database that Racy has migrated. In each, first:\n",
        clients.join(" and ")
    );
    for line in session_set_up(&finding.engine) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(
        text,
        "-- In one of them; it sets up number {SHOWN_STAKE}, for which they race:\n{}",
        finding.subject.set_up()
    );
    let mut last = None;
    for row in &example.trace.rows {
        let is_to_be_typed = row.step.sql.is_some() && !matches!(row.what, What::Resumed(..));
        if is_to_be_typed && last != Some(row.client) {
            let _ = writeln!(text, "-- Terminal {}:", row.client);
            last = Some(row.client);
        }
        write_row(&mut text, row, example);
    }
    if let Some(moment) = &example.moment {
        let _ = writeln!(text, "-- {}", moment.words);
    }
    let _ = writeln!(text, "-- In any:\n{}", finding.subject.look());
    text
}

/// What makes a terminal's session one like the explorer's.
fn session_set_up(engine: &Engine) -> Vec<String> {
    let level = engine.isolation.sql();
    match engine.flavour {
        Flavour::MySql => vec![format!("SET SESSION TRANSACTION ISOLATION LEVEL {level};")],
        Flavour::MariaDb => vec![
            format!("SET SESSION TRANSACTION ISOLATION LEVEL {level};"),
            format!(
                "SET SESSION innodb_snapshot_isolation = {};",
                match engine.snapshot_isolation {
                    true => "ON",
                    false => "OFF",
                }
            ),
        ],
        Flavour::Postgres => vec![format!(
            "SET default_transaction_isolation = '{}';",
            level.to_lowercase()
        )],
        Flavour::Sqlite => vec![
            "-- (sqlite3 3.42 or later, for the defaults in Racy's tables)".to_owned(),
            match engine.journal {
                Some(Journal::Rollback) => "PRAGMA journal_mode = DELETE;",
                _ => "PRAGMA journal_mode = WAL;",
            }
            .to_owned(),
            "PRAGMA foreign_keys = ON;".to_owned(),
            "PRAGMA busy_timeout = 50000;".to_owned(),
        ],
    }
}

fn write_row(text: &mut String, row: &Row, example: &Example) {
    let remark = match &row.what {
        What::Resumed(number, ending) => {
            let ended = result(row, ending);
            let _ = writeln!(
                text,
                "-- ({}'s statement {number} goes on{ended})",
                row.client
            );
            return;
        }
        What::Waits => " -- waits".to_owned(),
        What::Happened(ending) | What::Besides(ending) => match result(row, ending) {
            nothing if nothing.is_empty() => nothing,
            something => format!(" --{something}"),
        },
    };
    if let Some(statement) = example.statement(&row.step) {
        let _ = writeln!(text, "{statement};{remark}");
    }
}
