//! What only somebody who knows the application can tell.

use std::collections::BTreeSet;
use std::time::Duration;

use super::branches::{begins_like, shortened};
use super::captures::Captures;
use super::doubt::{Doubt, DoubtKind};
use super::line::Line;
use super::racers::{Recorded, changes};
use crate::engine::{Flavour, StatementKind};

/// Asks about each query before a change whose answer nothing depends on that was sent: perhaps the
/// application has decided by it whether it goes on. Queries that differ in values alone are one.
pub(super) fn unused_reads(lines: &[Line], captures: &Captures, flavour: Flavour) -> Vec<Doubt> {
    let last_change = lines.iter().rposition(|it| changes(it, flavour));
    let mut asked = BTreeSet::new();
    let mut doubts = Vec::new();
    for (at, line) in lines.iter().enumerate().take(last_change.unwrap_or(0)) {
        let is_used = captures.used.contains(&at);
        if is_used || !returned_rows_of_a_table(line, flavour) || !asked.insert(&line.shape) {
            continue;
        }
        let words = format!(
            "{} read by `{}`, and nothing that was sent depends on it: does the application \
             decide by it? If it does, write that branch with \\if",
            columns_were(line),
            shortened(&line.shape)
        );
        doubts.push(Doubt::new(DoubtKind::Question, Some(at), words));
    }
    doubts
}

fn returned_rows_of_a_table(line: &Line, flavour: Flavour) -> bool {
    let kind = line.statement.kind;
    let is_query = matches!(kind, StatementKind::Read | StatementKind::LockingRead);
    let names = line.statement.names(flavour);
    let has_rows = line.answer.as_ref().is_ok_and(|it| !it.rows.is_empty());
    let is_of_a_table = names.iter().any(|it| it.eq_ignore_ascii_case("FROM"));
    is_query && is_of_a_table && has_rows && line.left_out.is_none()
}

/// The columns of an answer, as the subject of a sentence.
fn columns_were(line: &Line) -> String {
    let columns = line.answer.as_ref().map(|it| it.columns.as_slice());
    match columns.unwrap_or_default() {
        [column] => format!("{column} was"),
        columns => format!("{} were", shortened(&columns.join(", "))),
    }
}

/// Asks whether a client is two requests, if requests are told apart by a pause of this length.
pub(super) fn two_in_one(client: &Recorded, pause: Duration) -> Option<Doubt> {
    let transactions = transactions(&client.lines);
    let have_begun_alike = |at: usize| {
        let one = transactions[at];
        transactions[at + 1..]
            .iter()
            .any(|other| begins_like(one, other) || begins_like(other, one))
    };
    (0..transactions.len()).any(have_begun_alike).then(|| {
        let words = format!(
            "{} has two transactions with the same statements: requests that follow each other \
             within {} s count as one. If these are two, wait longer between them, or take \
             `--each transaction`",
            client.name,
            pause.as_secs_f64()
        );
        Doubt::new(DoubtKind::Question, None, words)
    })
}

/// The statements of each transaction that has begun with a BEGIN.
fn transactions(lines: &[Line]) -> Vec<&[Line]> {
    let begins = |it: &usize| matches!(lines[*it].statement.kind, StatementKind::Begin(_));
    let starts = (0..lines.len()).filter(begins);
    let transaction = |start: usize| {
        let rest = &lines[start..];
        let end = rest.iter().position(|it| !it.leaves_open);
        &rest[..end.map_or(rest.len(), |it| it + 1)]
    };
    starts.map(transaction).collect()
}
