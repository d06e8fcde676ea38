//! What a command runs, and what the server has answered to it, in the words of the other rooms.

use super::mysql::{CommandKind, Outcome, StatementResult};
use super::postgres;
use super::turns::Arrived;
use crate::answer::{Answer, Datum};
use crate::engine::{Fault, Flavour, UserStatement};

/// The statement in a command. None if it runs none.
pub(super) fn arrived(kind: &CommandKind, flavour: Flavour) -> Option<Arrived> {
    match kind {
        CommandKind::Query { text } => Some(sent(text, flavour)),
        CommandKind::Execute {
            text, arguments, ..
        } => Some(executed(text.as_deref(), arguments, flavour)),
        CommandKind::Bulk { text, rows } => {
            let mut arrived = executed(text.as_deref(), &[], flavour);
            if let Some(rows) = rows {
                arrived
                    .shown
                    .push_str(&format!(" /* {rows} rows of values */"));
            }
            Some(arrived)
        }
        _ => None,
    }
}

/// A statement that is sent as a text.
pub(super) fn sent(text: &str, flavour: Flavour) -> Arrived {
    let statement = UserStatement::new(text.trim().trim_end_matches(';'), flavour);
    let shown = statement.text.clone();
    Arrived { statement, shown }
}

/// A statement that was prepared before. None if it is not known which.
pub(super) fn executed(text: Option<&str>, arguments: &[Datum], flavour: Flavour) -> Arrived {
    /// It is not known what it does, so it may do anything.
    const UNKNOWN: &str = "EXECUTE a_statement_that_was_prepared_before";
    let text = text.unwrap_or(UNKNOWN).trim().trim_end_matches(';');
    Arrived {
        statement: UserStatement::new(text, flavour),
        shown: UserStatement::with_values(text, arguments, flavour),
    }
}

/// The same of PostgreSQL.
pub(super) fn outcome_of(outcome: postgres::Outcome) -> Result<Answer, Fault> {
    let mut answer = None;
    for result in outcome.results {
        match result {
            postgres::StatementResult::Refused(error) => {
                return Err(Fault::of_another_client_of_postgres(
                    &error.code,
                    &error.message,
                ));
            }
            postgres::StatementResult::Rows(rows) => answer = answer.or(Some(rows)),
            postgres::StatementResult::Done { affected_rows } => {
                answer = answer.or(Some(Answer {
                    row_count: affected_rows,
                    ..Answer::default()
                }));
            }
        }
    }
    Ok(answer.unwrap_or_default())
}

/// The answer to a command with a statement: the refusal if there is one, else the first result.
pub(super) fn answer_of(outcome: Outcome) -> Result<Answer, Fault> {
    let mut answer = None;
    for result in outcome.results {
        match result {
            StatementResult::Refused(error) => {
                let state = error.state.as_deref();
                return Err(Fault::of_another_client(error.code, state, &error.message));
            }
            StatementResult::Rows(rows) => answer = answer.or(Some(rows)),
            StatementResult::Done { affected_rows, .. } => {
                answer = answer.or(Some(Answer {
                    row_count: affected_rows,
                    ..Answer::default()
                }));
            }
        }
    }
    Ok(answer.unwrap_or_default())
}
