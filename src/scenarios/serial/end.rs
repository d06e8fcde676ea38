//! How a run ended, as tables: those of the database, and one for each client.

use std::collections::BTreeMap;

use crate::answer::Datum;
use crate::engine::Contents;
use crate::explore::{Client, ClientResult};
use crate::verdict::Outcome;

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) tables: BTreeMap<Source, Table>,
}

/// Where a table comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The database, under this name.
    Database(String),
    /// A client: one row with its outcome, and what it has captured in its last attempt.
    Client(Client),
}

/// Rows, in the order of their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Datum>>,
}

/// The name of a client's first column. No variable has a space in its name.
pub(super) const OUTCOME: &str = "its outcome";

impl End {
    /// The end of a run, with all its clients.
    pub(super) fn of(contents: Contents, results: &[ClientResult]) -> Self {
        let tables = contents.tables.into_iter().map(|table| {
            let mut rows = table.rows;
            rows.sort();
            let columns = table.columns;
            (Source::Database(table.name), Table { columns, rows })
        });
        let clients = Client::first(results.len()).zip(results);
        let clients =
            clients.map(|(client, result)| (Source::Client(client), table_of_client(result)));
        Self {
            tables: tables.chain(clients).collect(),
        }
    }

    /// The same with these clients alone.
    pub(super) fn with_clients(&self, clients: &[Client]) -> Self {
        let tables = self.tables.iter().filter(|(source, _)| match source {
            Source::Database(_) => true,
            Source::Client(client) => clients.contains(client),
        });
        Self {
            tables: tables
                .map(|(it, table)| (it.clone(), table.clone()))
                .collect(),
        }
    }

    /// The same if the clients of the one order had run as those of the other, place by place.
    pub(super) fn renamed(&self, from: &[Client], to: &[Client]) -> Self {
        let renamed = |source: &Source| match source {
            Source::Client(client) => {
                let at = from.iter().position(|it| it == client);
                Source::Client(at.map_or(*client, |at| to[at]))
            }
            Source::Database(_) => source.clone(),
        };
        let tables = self.tables.iter();
        Self {
            tables: tables
                .map(|(it, table)| (renamed(it), table.clone()))
                .collect(),
        }
    }
}

fn table_of_client(result: &ClientResult) -> Table {
    let mut captured = result.captured.clone();
    captured.retain(|(name, _)| !result.incidental.contains(name));
    captured.sort();
    let outcome = (OUTCOME.to_owned(), Datum::text(outcome_of(result)));
    let (columns, row) = std::iter::once(outcome).chain(captured).unzip();
    Table {
        columns,
        rows: vec![row],
    }
}

/// The outcome in words, with the kind of refusal.
fn outcome_of(result: &ClientResult) -> String {
    let kind = result.fault.as_ref().map(|it| it.kind.name());
    match (result.outcome, kind) {
        (Outcome::Refused, None) => "declined".to_owned(),
        (outcome, None) => outcome.name().to_owned(),
        (outcome, Some(kind)) => format!("{} ({kind})", outcome.name()),
    }
}

impl Table {
    /// The values of one column, in their order. Empty if there is no such column.
    pub(super) fn column(&self, name: &str) -> Vec<&Datum> {
        let Some(at) = self.columns.iter().position(|it| it == name) else {
            return Vec::new();
        };
        let mut values: Vec<_> = self.rows.iter().map(|row| &row[at]).collect();
        values.sort();
        values
    }
}
