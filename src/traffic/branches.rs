//! Where two recordings part: perhaps a branch that depends on what was read.

use super::doubt::{Doubt, DoubtKind};
use super::line::Line;
use crate::engine::StatementKind;

/// Where the statements of a client part from those of these others. Two clients that have nothing
/// in common but how they begin a transaction are two requests, and nothing is said of them.
pub(super) fn branches(own: &[Line], others: &[&[Line]]) -> Vec<Doubt> {
    let mut doubts: Vec<Doubt> = Vec::new();
    for other in others {
        let doubt = branch(own, other).filter(|it| !doubts.contains(it));
        doubts.extend(doubt);
    }
    doubts
}

fn branch(own: &[Line], other: &[Line]) -> Option<Doubt> {
    let common = common(own, other);
    let have_parted = common < own.len() || common < other.len();
    if !tells_a_request(&own[..common]) || !have_parted {
        return None;
    }
    let sent = |lines: &[Line]| match lines.get(common) {
        Some(line) => format!("`{}`", shortened(&line.text())),
        None => "nothing more".to_owned(),
    };
    let were_answered_alike = |at: &usize| {
        let rows = |it: &Line| it.answer.as_ref().map(|it| it.rows.clone()).ok();
        let (one, other) = (&own[*at], &other[*at]);
        rows(one) == rows(other) && one.answer.is_ok() == other.answer.is_ok()
    };
    let why = match (0..common).rev().find(|it| !were_answered_alike(it)) {
        Some(at) => format!(
            "statement {} was answered {} here and {} there",
            own[..=at].iter().filter(|it| !it.is_setting).count(),
            answered(&own[at]),
            answered(&other[at])
        ),
        None => "nothing that was answered tells why".to_owned(),
    };
    let words = format!(
        "another client began alike and went on in another way: {} was sent here, and {} there; \
         {why}. If both are the same request, this is a branch: write it with \\if",
        sent(own),
        sent(other)
    );
    let line = common.min(own.len().saturating_sub(1));
    Some(Doubt::new(DoubtKind::CannotBeRight, Some(line), words))
}

/// Whether one client has sent what the other one has begun with, and has ended its transaction
/// there if not before.
pub(super) fn begins_like(one: &[Line], other: &[Line]) -> bool {
    let ends = |it: &Line| {
        let kind = it.statement.kind;
        matches!(kind, StatementKind::Commit | StatementKind::Rollback)
    };
    let common = common(one, other);
    tells_a_request(&one[..common]) && one[common..].iter().all(ends)
}

/// How many statements two clients have begun with that differ in values alone.
fn common(one: &[Line], other: &[Line]) -> usize {
    let both = one.iter().zip(other);
    both.take_while(|(one, other)| one.shape == other.shape)
        .count()
}

/// Whether there is more than what every transaction begins with.
fn tells_a_request(lines: &[Line]) -> bool {
    let is_begin =
        |it: &Line| it.is_setting || matches!(it.statement.kind, StatementKind::Begin(_));
    lines.iter().any(|it| !is_begin(it))
}

/// The answer to a statement in a few words.
fn answered(line: &Line) -> String {
    match &line.answer {
        Err(_) => "with an error".to_owned(),
        Ok(answer) => match answer.rows.as_slice() {
            [] if answer.has_rows() => "with no row".to_owned(),
            [] => format!("with {} matched", answer.row_count),
            [row] => {
                let values: Vec<_> = row.iter().map(ToString::to_string).collect();
                shortened(&values.join(" | "))
            }
            _ => format!("with {} rows", answer.row_count),
        },
    }
}

/// The beginning of a text, on one line.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
