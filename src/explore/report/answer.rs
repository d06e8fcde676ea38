//! What a report shows of a scenario alone: its clients, and what the engine answered to them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::ClientFacts;
use crate::answer::{Answer, Datum};
use crate::engine::Isolation;
use crate::step::Action;

/// One client of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClientData {
    /// What it is, e.g. `customer`.
    pub name: Option<String>,
    /// The isolation level of its transactions, if it is another one than the session's.
    pub isolation: Option<Isolation>,
    /// The request that it sends to the application, e.g. `POST /checkout/{order}/`. Absent if it
    /// sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The program that it is, e.g. `python3 nightly.py --day {n}`. Absent if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl ClientData {
    pub(super) fn of(facts: &ClientFacts) -> Self {
        Self {
            name: facts.name.clone(),
            isolation: facts.level,
            request: facts.request.clone(),
            command: facts.command.clone(),
        }
    }
}

/// The answer to a statement of a user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerData {
    /// The columns' names. Empty if the statement returned no rows.
    pub columns: Vec<String>,
    /// The first rows, with each value as the engine's own client shows it. NULL is null.
    pub rows: Vec<Vec<Option<String>>>,
    /// The number of rows that it returned or, of a statement that changes rows, matched.
    pub row_count: u64,
}

impl AnswerData {
    /// The largest number of rows that a report shows.
    const SHOWN_ROWS: usize = 10;

    pub(super) fn of(answer: &Answer) -> Self {
        let shown = |value: &Datum| match value {
            Datum::Null => None,
            Datum::Value { .. } => Some(value.to_string()),
        };
        let rows = answer.rows.iter().take(Self::SHOWN_ROWS);
        Self {
            columns: answer.columns.clone(),
            rows: rows.map(|row| row.iter().map(shown).collect()).collect(),
            row_count: answer.row_count,
        }
    }

    /// What came of a statement, to be written behind it. Empty if there is nothing to say.
    pub(super) fn in_words(&self, action: Action) -> String {
        let row = |row: &Vec<Option<String>>| {
            let values = row.iter().map(|it| it.as_deref().unwrap_or("NULL"));
            values.collect::<Vec<_>>().join(" | ")
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        let more = self.row_count.saturating_sub(rows.len() as u64);
        match (&rows[..], action) {
            ([], Action::Read) => " → no row".to_owned(),
            ([], Action::Write) => format!(" → {}", counted(self.row_count)),
            ([], _) => String::new(),
            (_, _) if more > 0 && !self.columns.is_empty() => {
                format!(" → {}; … and {more} rows more", rows.join("; "))
            }
            _ => format!(" → {}", rows.join("; ")),
        }
    }
}

fn counted(rows: u64) -> String {
    match rows {
        1 => "1 row".to_owned(),
        other => format!("{other} rows"),
    }
}
