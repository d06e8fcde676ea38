//! What can go wrong with a request to a table.

use std::io;

use axum::http::StatusCode;

use super::APPEND;
use crate::engine::Fault;
use crate::exhibits::tables::{Appended, Damage, KeptBy, Refusal, TableName, Unreadable};
use crate::http::problem::Problem;
use crate::verdict::Outcome;

/// What became of an append.
pub(super) fn outcome_of(result: &Result<Appended, Refusal>) -> Outcome {
    match result {
        Ok(_) => Outcome::Applied,
        Err(Refusal::Unknown(_)) => Outcome::Unknown,
        Err(_) => Outcome::Refused,
    }
}

/// How many attempts an append took, or lost.
pub(super) fn attempts_of(result: &Result<Appended, Refusal>) -> u32 {
    match result {
        Ok(appended) => appended.attempts,
        Err(Refusal::Conflict { attempts } | Refusal::GaveUp { attempts, .. }) => *attempts,
        Err(_) => 1,
    }
}

/// Whether this client has made attempts to commit that say something about the table.
pub(super) fn has_tried(result: &Result<Appended, Refusal>) -> bool {
    match result {
        Ok(appended) => appended.leads,
        Err(Refusal::Conflict { .. }) => true,
        Err(Refusal::GaveUp { leads, .. }) => *leads,
        Err(_) => false,
    }
}

pub(super) fn cannot_be_listed(error: &io::Error) -> Problem {
    Fault::of_file("the tables could not be listed", error).into()
}

impl Problem {
    /// An append that was not made.
    pub(super) fn of_append(table: &TableName, refusal: Refusal) -> Self {
        let problem = match refusal {
            Refusal::Conflict { attempts } => Self::conflict(attempts),
            Refusal::GaveUp { attempts, .. } => Self::gave_up(attempts),
            Refusal::Unknown(fault) => {
                return Self::from(fault).with_outcome(Outcome::Unknown, APPEND);
            }
            other => return Self::of_read(table, other).with_outcome(Outcome::Refused, APPEND),
        };
        problem.with_outcome(Outcome::Refused, APPEND)
    }

    /// A table that was not read.
    pub(super) fn of_read(table: &TableName, refusal: Refusal) -> Self {
        match refusal {
            Refusal::KeptBy(kept_by) => Self::kept_otherwise(table, kept_by),
            Refusal::Damaged(damage) => Self::damaged(table, &damage),
            Refusal::Unreadable(why) => Self::of_unreadable(table, why),
            Refusal::Unknown(fault) | Refusal::Fault(fault) => fault.into(),
            Refusal::Conflict { attempts } | Refusal::GaveUp { attempts, .. } => {
                Self::gave_up(attempts)
            }
        }
    }

    /// A table of which something could not be read.
    pub(super) fn of_unreadable(table: &TableName, why: Unreadable) -> Self {
        match why {
            Unreadable::NoTable => Self::new(
                StatusCode::NOT_FOUND,
                "unknown-table",
                "There is no such table",
                format!("There is no table {table}. The first append to it makes it."),
            ),
            Unreadable::NoSnapshot => Self::new(
                StatusCode::NOT_FOUND,
                "unknown-snapshot",
                "There is no such snapshot",
                format!(
                    "The table {table} has no such snapshot. Old ones are removed after a while."
                ),
            ),
            Unreadable::Damaged(damage) => Self::damaged(table, &damage),
            Unreadable::Fault(fault) => fault.into(),
        }
    }

    /// 409: another client has added to the table in a way that must not be merged.
    fn conflict(attempts: u32) -> Self {
        Self {
            retryable: true,
            attempts: Some(attempts),
            ..Self::new(
                StatusCode::CONFLICT,
                "commit-conflict",
                "Another client has committed first",
                "Another client has committed since this one has read the table. Nothing was appended."
                    .to_owned(),
            )
        }
    }

    /// 409: the table belongs to strategies of another kind.
    fn kept_otherwise(table: &TableName, kept_by: KeptBy) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "kept-otherwise",
            "The table is kept in another way",
            format!(
                "What the table {table} is at this moment is said by {}. This strategy would not \
                 look there. Name another table.",
                kept_by.in_words()
            ),
        )
    }

    /// 500: a file of the table is not what it should be.
    fn damaged(table: &TableName, damage: &Damage) -> Self {
        tracing::error!(%table, %damage, "a table is damaged");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "table-damaged",
            "The table is damaged",
            format!("A file of the table {table} cannot be used: {damage}."),
        )
    }
}
