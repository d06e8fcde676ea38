//! When it is believed that a value was read before.
//!
//! A value that is the same as one that was read can be so by chance. Several recordings of the
//! same statements tell: if what was read differs between them and what is sent differs with it,
//! the one comes from the other. Of one recording alone, a value is believed if it is one that is
//! seldom met by chance, or if it goes back to the column from which it was read.

use super::line::Line;
use super::numbers::{Number, are_same, is_telling};
use super::origin::Origin;
use crate::answer::Datum;
use crate::engine::StatementValue;

/// All recordings of the same statements. The first one is the client's own.
pub(super) struct Evidence<'l> {
    recordings: Vec<&'l [Line]>,
    sources: Vec<Source>,
}

/// A value that was read, in each recording.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) origin: Origin,
    /// The column's name. Empty for a generated key.
    name: String,
    values: Vec<Datum>,
}

/// A value that was sent, in each recording.
pub(super) struct Target<'l> {
    pub(super) line: usize,
    pub(super) number: usize,
    value: &'l StatementValue,
    values: Vec<Datum>,
}

impl Source {
    /// What it was in the client's own recording.
    pub(super) fn own(&self) -> String {
        self.values
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Whether the recordings differ in it.
    fn varies(&self) -> bool {
        self.values.iter().any(|it| *it != self.values[0])
    }

    fn is_key(&self) -> bool {
        matches!(self.origin, Origin::Key { .. })
    }

    /// Whether it was read from the column that this value belongs to. `MAX(no)` is `no`.
    fn is_of_the_column(&self, target: &Target<'_>) -> bool {
        let name = self.name.rsplit('(').next().unwrap_or(&self.name);
        let name = name.trim_end_matches(')');
        let name = name.rsplit('.').next().unwrap_or(name);
        let column = target.value.column.as_ref();
        column.is_some_and(|it| it.eq_ignore_ascii_case(name))
    }

    fn numbers(&self) -> Option<Vec<Number>> {
        self.values.iter().map(Number::of).collect()
    }
}

impl Target<'_> {
    /// What it is in the client's own recording.
    pub(super) fn own(&self) -> String {
        self.value.value.to_string()
    }

    fn varies(&self) -> bool {
        self.values.iter().any(|it| *it != self.values[0])
    }

    fn numbers(&self) -> Option<Vec<Number>> {
        self.values.iter().map(Number::of).collect()
    }

    /// Whether its column may refer to a key, by its name.
    fn may_be_a_key(&self) -> bool {
        const ENDINGS: [&str; 5] = ["id", "no", "number", "key", "ref"];
        let column = self.value.column.as_ref().map(|it| it.to_lowercase());
        column.is_none_or(|it| ENDINGS.iter().any(|ending| it.ends_with(ending)))
    }
}

impl<'l> Evidence<'l> {
    pub(super) fn new(own: &'l [Line], peers: &[&'l [Line]]) -> Self {
        let recordings = std::iter::once(own).chain(peers.iter().copied());
        let recordings: Vec<_> = recordings.collect();
        let sources = (0..own.len()).flat_map(|line| sources(&recordings, line));
        Self {
            sources: sources.collect(),
            recordings,
        }
    }

    /// The value with this number in this statement. None if it can come from nowhere.
    pub(super) fn target(&self, line: usize, number: usize) -> Option<Target<'l>> {
        let value = self.recordings[0].get(line)?.value(number)?;
        let values = self.values(line, number)?;
        let is_one = !value.counts_rows && value.value != Datum::Null;
        is_one.then_some(Target {
            line,
            number,
            value,
            values,
        })
    }

    fn values(&self, line: usize, number: usize) -> Option<Vec<Datum>> {
        let value = |it: &&[Line]| Some(it.get(line)?.value(number)?.value.clone());
        self.recordings.iter().map(value).collect()
    }

    /// What was read before this value was sent, the latest first.
    fn before(&self, target: &Target<'_>) -> impl Iterator<Item = &Source> {
        let line = target.line;
        let before = self.sources.iter().rev();
        before.filter(move |it| it.origin.line() < line)
    }

    /// What this value is, as it was read.
    pub(super) fn read(&self, target: &Target<'_>) -> Option<&Source> {
        let is_it = |it: &&Source| are_all_same(&it.values, &target.values);
        let is_believed = |it: &&Source| {
            let is_key = it.is_key() && target.may_be_a_key();
            it.varies() || is_key || it.is_of_the_column(target) || is_telling(&target.value.value)
        };
        let found = self.before(target).filter(is_it).filter(is_believed);
        let found = found.filter(|it| !self.was_sent_before(target, it.origin.line()));
        found
            .enumerate()
            .max_by_key(|(later, it)| {
                let is_of_the_column = it.is_of_the_column(target);
                (is_of_the_column, it.varies(), std::cmp::Reverse(*later))
            })
            .map(|(_, it)| it)
    }

    /// Whether the client had this value before it read anything that it could be computed from.
    pub(super) fn is_parameter(&self, target: &Target<'_>) -> bool {
        let last = target.line.checked_sub(1);
        last.is_some_and(|line| self.was_sent_before(target, line))
    }

    /// Whether the same value was sent by this statement or before it, for the same column: so it
    /// need not have been read.
    fn was_sent_before(&self, target: &Target<'_>, last: usize) -> bool {
        let lines = self.recordings[0].iter().enumerate().take(last + 1);
        let mut sent = lines.flat_map(|(at, line)| {
            let values = line.values().enumerate();
            values.map(move |(number, value)| (at, number, value))
        });
        sent.any(|(at, number, value)| {
            let is_of_the_column = match (&value.column, &target.value.column) {
                (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
                _ => true,
            };
            (is_of_the_column || target.varies())
                && self
                    .values(at, number)
                    .is_some_and(|it| are_all_same(&it, &target.values))
        })
    }

    /// What this value was computed from by adding a number, as several recordings show.
    pub(super) fn computed(&self, target: &Target<'_>) -> Option<(&Source, Number)> {
        self.changes(target).find_map(|(source, changes)| {
            let is_constant = changes.iter().all(|it| *it == changes[0]);
            let is_written_back = source.is_of_the_column(target);
            let is_next = is_constant && changes[0].is_one_or_minus_one();
            let is_believed = is_next
                || is_written_back && (is_constant || self.is_another_value(target, &changes));
            (source.varies() && target.varies() && is_believed).then_some((source, changes[0]))
        })
    }

    /// The same of recordings that have read the same, or of one alone: what was read is written
    /// back to its column.
    pub(super) fn perhaps_computed(&self, target: &Target<'_>) -> Option<(&Source, Number)> {
        let mut changes = self.changes(target);
        changes.find_map(|(source, changes)| {
            let is_written_back = target.value.is_assigned && source.is_of_the_column(target);
            let tells_nothing = !source.varies() && !target.varies();
            (is_written_back && tells_nothing).then_some((source, changes[0]))
        })
    }

    /// What this value was computed from in a way that is not known.
    pub(super) fn computed_in_some_way(&self, target: &Target<'_>) -> Option<&Source> {
        let is_written_back = |it: &&Source| it.is_of_the_column(target);
        let source = self.before(target).find(is_written_back)?;
        (target.value.is_assigned && target.varies()).then_some(source)
    }

    /// The statement that has returned this value in one of several rows. None if it is a value
    /// that is often met by chance.
    pub(super) fn among_several_rows(&self, target: &Target<'_>) -> Option<usize> {
        let own = &target.value.value;
        let mut lines = self.recordings[0].iter().take(target.line);
        lines.position(|line| {
            let rows = line.answer.as_ref().map(|it| it.rows.as_slice());
            let rows = rows.unwrap_or_default();
            let has_it = rows.iter().flatten().any(|it| are_same(it, own));
            rows.len() > 1 && is_telling(own) && has_it
        })
    }

    /// The numbers that were read before, with what has to be added to each of them in each
    /// recording. An operand of arithmetic is none of these.
    fn changes(&self, target: &Target<'_>) -> impl Iterator<Item = (&Source, Vec<Number>)> {
        let numbers = target.numbers().filter(|_| !target.value.is_operand);
        self.before(target).filter_map(move |source| {
            let read = source.numbers().filter(|_| !source.is_key())?;
            let sent = numbers.as_ref()?.iter();
            let changes: Vec<_> = sent
                .zip(read)
                .map(|(sent, read)| sent.minus(read))
                .collect();
            let is_a_change = changes.iter().all(|it| !it.is_zero());
            is_a_change.then_some((source, changes))
        })
    }

    /// Whether another value of the client is this number, in each recording.
    fn is_another_value(&self, target: &Target<'_>, changes: &[Number]) -> bool {
        let lines = self.recordings[0].iter().enumerate();
        let mut others = lines.flat_map(|(at, line)| {
            let values = line.values().enumerate();
            values.map(move |(number, value)| (at, number, value))
        });
        others.any(|(at, number, value)| {
            let is_other = (at, number) != (target.line, target.number) && !value.counts_rows;
            let values = self.values(at, number).unwrap_or_default();
            let is_it = |(value, change): (&Datum, &Number)| {
                let value = Number::of(value);
                value.is_some_and(|it| it.is_the_same_but_for_its_sign(*change))
            };
            is_other && values.len() == changes.len() && values.iter().zip(changes).all(is_it)
        })
    }
}

fn are_all_same(some: &[Datum], others: &[Datum]) -> bool {
    some.len() == others.len()
        && some
            .iter()
            .zip(others)
            .all(|(one, other)| are_same(one, other))
}

/// What one statement has returned in all recordings.
fn sources(recordings: &[&[Line]], line: usize) -> Vec<Source> {
    let mut sources = Vec::new();
    let keys = recordings.iter().map(|it| it.get(line)?.generated_key);
    if let Some(keys) = keys.collect::<Option<Vec<_>>>() {
        sources.push(Source {
            origin: Origin::Key { line },
            name: String::new(),
            values: keys.into_iter().map(Datum::number).collect(),
        });
    }
    let rows = recordings.iter().map(|it| it.get(line)?.only_row());
    let Some(rows) = rows.collect::<Option<Vec<_>>>() else {
        return sources;
    };
    let (names, _) = rows[0];
    for (column, name) in names.iter().enumerate() {
        let is_unique = names.iter().filter(|it| *it == name).count() == 1;
        let values = rows.iter().map(|(_, row)| row.get(column).cloned());
        if let Some(values) = values.collect::<Option<Vec<_>>>().filter(|_| is_unique) {
            sources.push(Source {
                origin: Origin::Column { line, column },
                name: name.clone(),
                values,
            });
        }
    }
    sources
}
