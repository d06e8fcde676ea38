//! What a command runs, and what the server has answered to it, in the words of the other rooms.

use super::mysql::{CommandKind, Outcome, StatementResult};
use super::postgres;
use super::shown::{MOST_BYTES, MOST_TEXT, is_cut};
use super::turns::Arrived;
use super::witness::{Gap, Sent};
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
            arrived.sent.gap = Some(Gap::Bulk);
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
    let gap = is_cut(text, MOST_TEXT).then_some(Gap::Cut);
    Arrived {
        sent: in_parts(&statement, &[], gap),
        shown: statement.text.clone(),
        statement,
    }
}

/// A statement that was prepared before. None if it is not known which.
pub(super) fn executed(text: Option<&str>, arguments: &[Datum], flavour: Flavour) -> Arrived {
    /// It is not known what it does, so it may do anything.
    const UNKNOWN: &str = "EXECUTE a_statement_that_was_prepared_before";
    let is_a_cut_value = |it: &Datum| match it {
        Datum::Value { text, .. } => is_cut(text, MOST_BYTES),
        Datum::Null => false,
    };
    let gap = match text {
        None => Some(Gap::Unknown),
        Some(text) if is_cut(text, MOST_TEXT) => Some(Gap::Cut),
        Some(_) => arguments.iter().any(is_a_cut_value).then_some(Gap::Cut),
    };
    let text = text.unwrap_or(UNKNOWN).trim().trim_end_matches(';');
    let statement = UserStatement::new(text, flavour);
    Arrived {
        sent: in_parts(&statement, arguments, gap),
        statement,
        shown: UserStatement::with_values(text, arguments, flavour),
    }
}

/// A statement of the lab's own, or one that the end of a session stands for.
pub(super) fn of_the_lab(text: &str, shown: String, flavour: Flavour) -> Arrived {
    let statement = UserStatement::new(text, flavour);
    Arrived {
        sent: in_parts(&statement, &[], None),
        statement,
        shown,
    }
}

fn in_parts(statement: &UserStatement, arguments: &[Datum], gap: Option<Gap>) -> Sent {
    Sent {
        text: statement.text.clone(),
        arguments: arguments.to_vec(),
        gap,
    }
}

/// The first key that the engine has generated, as its answers say.
pub(super) fn generated_key(outcome: &Outcome) -> Option<u64> {
    outcome.results.iter().find_map(|it| match it {
        StatementResult::Done { last_insert_id, .. } => Some(*last_insert_id).filter(|it| *it > 0),
        StatementResult::Rows(_) | StatementResult::Refused(_) => None,
    })
}

/// The answer to a command with a statement: the refusal if there is one, else the first result.
pub(super) fn answer_of(outcome: Outcome) -> Result<Answer, Fault> {
    first_of(outcome.results.into_iter().map(|it| match it {
        StatementResult::Refused(error) => {
            let state = error.state.as_deref();
            Err(Fault::of_another_client(error.code, state, &error.message))
        }
        StatementResult::Rows(rows) => Ok(rows),
        StatementResult::Done { affected_rows, .. } => Ok(done(affected_rows)),
    }))
}

/// The same of PostgreSQL.
pub(super) fn outcome_of(outcome: postgres::Outcome) -> Result<Answer, Fault> {
    first_of(outcome.results.into_iter().map(|it| match it {
        postgres::StatementResult::Refused(error) => Err(Fault::of_another_client_of_postgres(
            &error.code,
            &error.message,
        )),
        postgres::StatementResult::Rows(rows) => Ok(rows),
        postgres::StatementResult::Done { affected_rows } => Ok(done(affected_rows)),
    }))
}

/// The first refusal if there is one, else the first answer.
fn first_of(results: impl Iterator<Item = Result<Answer, Fault>>) -> Result<Answer, Fault> {
    let answers = results.collect::<Result<Vec<_>, _>>()?;
    Ok(answers.into_iter().next().unwrap_or_default())
}

/// The answer to what returns no rows.
fn done(affected_rows: u64) -> Answer {
    Answer {
        row_count: affected_rows,
        ..Answer::default()
    }
}
