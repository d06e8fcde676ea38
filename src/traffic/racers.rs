//! Who races: which of the recorded clients go into the file, and as what.

use std::collections::{BTreeMap, BTreeSet};

use super::branches::begins_like;
use super::line::Line;
use crate::engine::{Flavour, StatementKind};

/// A client of a recording.
pub(super) struct Recorded {
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
}

/// The clients of a recording, by their places among all.
pub(super) struct Parts {
    pub(super) all: Vec<Recorded>,
    /// Those that race, in the order in which they came. One that races with itself because its
    /// twin was declined is here more than once.
    pub(super) racers: Vec<usize>,
    /// Those that came before the last racer and have changed something: they are in the set-up.
    pub(super) before: Vec<usize>,
    /// Those that make, change or drop tables.
    pub(super) definers: BTreeSet<usize>,
    /// Those that were declined, each with the racer that races with itself therefore.
    pub(super) declined: BTreeMap<usize, usize>,
    /// Whether no client has changed anything, but for the definers.
    pub(super) is_unchanged: bool,
}

/// Decides who races: at most this number of clients.
///
/// 1. A client that makes, changes or drops tables is a part of the set-up. It never races.
/// 2. Each other client that has changed something has a place in the race.
/// 3. A client that has changed nothing, and began like one of these, was declined: the other one
///    was first. Its place goes to that other client, which then races with itself. If that
///    client was recorded twice, these two race, and the declined one has no place.
/// 4. If nobody has a place, each client but those of rule 1 gets one.
/// 5. The last places race.
/// 6. What came before them and has changed something is a part of the set-up.
///
/// None if nobody can race.
pub(super) fn parts(all: Vec<Recorded>, most: usize, flavour: Flavour) -> Option<Parts> {
    let has_changed = |it: &usize| all[*it].lines.iter().any(|line| changes(line, flavour));
    let defines = |it: &usize| all[*it].lines.iter().any(|line| defines(line, flavour));
    let definers: BTreeSet<usize> = (0..all.len()).filter(defines).collect();
    let others: Vec<usize> = (0..all.len()).filter(|it| !definers.contains(it)).collect();
    let (changers, idle): (Vec<usize>, Vec<usize>) = others.iter().partition(|it| has_changed(it));
    let mut declined: BTreeMap<usize, usize> = idle
        .into_iter()
        .filter_map(|it| Some((it, twin(it, &changers, &all)?)))
        .collect();

    let place = |it: &usize| match changers.contains(it) {
        true => Some(*it),
        false => declined.get(it).copied(),
    };
    let is_unchanged = changers.is_empty();
    let mut places: Vec<usize> = match is_unchanged {
        true => others,
        false => others.iter().filter_map(place).collect(),
    };
    let mut racers = places.split_off(places.len().saturating_sub(most));
    racers.sort_unstable();

    let races_with_itself = |it: &usize| racers.iter().filter(|racer| *racer == it).count() > 1;
    declined.retain(|_, twin| races_with_itself(twin));
    let last = *racers.last()?;
    let is_before = |it: &usize| *it < last && !racers.contains(it) && has_changed(it);
    let before = (0..all.len()).filter(is_before).collect();
    Some(Parts {
        racers,
        before,
        definers,
        declined,
        is_unchanged,
        all,
    })
}

impl Parts {
    /// These clients.
    pub(super) fn each(&self, places: &[usize]) -> impl Iterator<Item = &Recorded> {
        places.iter().map(|it| &self.all[*it])
    }

    /// Those that race, each of them once.
    pub(super) fn racers_once(&self) -> Vec<usize> {
        let mut racers = self.racers.clone();
        racers.dedup();
        racers
    }
}

/// The client that a declined one began like. None if it began like none, or if that one was
/// recorded twice.
fn twin(declined: usize, changers: &[usize], all: &[Recorded]) -> Option<usize> {
    let lines = |it: usize| all[it].lines.as_slice();
    let mut latest_first = changers.iter().rev().copied();
    let twin = latest_first.find(|it| begins_like(lines(declined), lines(*it)))?;
    let shapes = |it: usize| -> Vec<&str> { lines(it).iter().map(|it| &*it.shape).collect() };
    let has_another = changers
        .iter()
        .any(|it| *it != twin && shapes(*it) == shapes(twin));
    (!has_another).then_some(twin)
}

/// Whether a statement may have changed something.
pub(super) fn changes(line: &Line, flavour: Flavour) -> bool {
    let matched = line.answer.as_ref().map(|it| it.row_count);
    match line.left_out {
        Some(_) => line.may_have_changed,
        None => matched.is_ok_and(|it| line.statement.may_have_changed(it, flavour)),
    }
}

/// Whether a statement makes, changes, drops or empties what all clients share.
fn defines(line: &Line, flavour: Flavour) -> bool {
    const WORDS: [&str; 5] = ["CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME"];
    let names = line.statement.names(flavour);
    let begins = |word: &str| {
        names
            .first()
            .is_some_and(|it| it.eq_ignore_ascii_case(word))
    };
    line.statement.kind == StatementKind::Schema
        && WORDS.into_iter().any(begins)
        && changes(line, flavour)
}
