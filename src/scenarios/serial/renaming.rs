//! Whether two ends are equal up to the numbers that the engine has drawn.
//!
//! Two clients that insert a row each get the numbers 1 and 2 in the order in which they come, and
//! with two tables each may be first in one of them. No serial order gives these numbers, and yet
//! nothing is wrong. So the drawn numbers of one end are mapped one to one to those of the other.
//!
//! The mapping is found as one finds it between two graphs: numbers that stand in like rows get
//! like colours, until no colour splits any more. If several numbers still share a
//! colour, one of them is set apart, each of its possible partners in turn.

use std::collections::BTreeMap;

use super::end::{End, Source};
use super::view::{Cell, View};
use crate::answer::Datum;

/// After this number of refinements the ends are taken for equal. A miss is better than a false
/// alarm, and more than a few equal rows are needed to get there.
const MOST_REFINEMENTS: usize = 2_000;

/// Whether the ends are equal, as far as they are compared.
pub(super) fn are_equal(one: &End, other: &End, view: &View) -> bool {
    if !have_the_same_shape(one, other, view) {
        return false;
    }
    let mut search = Search {
        one: Side::of(one, view),
        other: Side::of(other, view),
        refinements: 0,
    };
    search.matches()
}

/// Whether there are the same tables, columns and numbers of rows.
fn have_the_same_shape(one: &End, other: &End, view: &View) -> bool {
    let shape = |end: &End| -> Vec<_> {
        let tables = end.tables.iter();
        let compared = tables.filter(|(source, _)| !view.volatile_tables.contains(source));
        compared
            .map(|(source, table)| (source.clone(), table.columns.clone(), table.rows.len()))
            .collect()
    };
    shape(one) == shape(other)
}

/// A number that was drawn: its group and its value.
type Drawn<'d> = (usize, &'d Datum);

/// The colour of a number. Numbers of the two ends that may be partners have the same one.
type Colour = usize;

/// One of the two ends.
#[derive(Clone)]
struct Side<'d> {
    rows: Vec<(Source, Vec<Cell<'d>>)>,
    colours: BTreeMap<Drawn<'d>, Colour>,
}

impl<'d> Side<'d> {
    fn of(end: &'d End, view: &View) -> Self {
        let mut rows = Vec::new();
        for (source, table) in &end.tables {
            if !view.volatile_tables.contains(source) {
                let these = view.rows(source, table).into_iter();
                rows.extend(these.map(|row| (source.clone(), row)));
            }
        }
        let cells = rows.iter().flat_map(|(_, row)| row);
        let drawn = cells.filter_map(|cell| match cell {
            Cell::Drawn(group, value) => Some(((*group, *value), *group)),
            Cell::LeftOut | Cell::Plain(_) => None,
        });
        Self {
            colours: drawn.collect(),
            rows,
        }
    }

    /// The row with colours in the place of numbers. `itself` is the number from whose place the
    /// row is seen.
    fn signature(&self, row: &[Cell<'d>], itself: Option<Drawn<'d>>) -> Vec<Shade<'d>> {
        let shade = |cell: &Cell<'d>| match cell {
            Cell::LeftOut => Shade::LeftOut,
            Cell::Plain(value) => Shade::Plain(value),
            Cell::Drawn(group, value) if itself == Some((*group, *value)) => Shade::Itself,
            Cell::Drawn(group, value) => Shade::Coloured(self.colours[&(*group, *value)]),
        };
        row.iter().map(shade).collect()
    }

    /// How a number looks: its colour, and all rows in which it stands.
    fn look(&self, number: Drawn<'d>) -> Look<'d> {
        let stands_in = |row: &[Cell<'d>]| row.contains(&Cell::Drawn(number.0, number.1));
        let rows = self.rows.iter().filter(|(_, row)| stands_in(row));
        let mut seen: Vec<_> = rows
            .map(|(source, row)| (source.clone(), self.signature(row, Some(number))))
            .collect();
        seen.sort();
        (self.colours[&number], seen)
    }

    fn looks(&self) -> Vec<(Drawn<'d>, Look<'d>)> {
        let numbers = self.colours.keys();
        numbers.map(|it| (*it, self.look(*it))).collect()
    }

    /// The number of numbers with each colour.
    fn palette(&self) -> BTreeMap<Colour, usize> {
        let mut palette = BTreeMap::new();
        for colour in self.colours.values() {
            *palette.entry(*colour).or_default() += 1;
        }
        palette
    }

    /// All rows, in the order of what they look like.
    fn coloured_rows(&self) -> Vec<(Source, Vec<Shade<'d>>)> {
        let rows = self.rows.iter();
        let mut rows: Vec<_> = rows
            .map(|(source, row)| (source.clone(), self.signature(row, None)))
            .collect();
        rows.sort();
        rows
    }
}

type Look<'d> = (Colour, Vec<(Source, Vec<Shade<'d>>)>);

/// One cell of a row that is being compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shade<'d> {
    LeftOut,
    Plain(&'d Datum),
    Itself,
    Coloured(Colour),
}

/// The search for a mapping.
struct Search<'d> {
    one: Side<'d>,
    other: Side<'d>,
    refinements: usize,
}

impl Search<'_> {
    fn matches(&mut self) -> bool {
        if !self.refine() {
            return false;
        }
        let palette = self.one.palette();
        let shared = palette.iter().filter(|(_, count)| **count > 1);
        let Some((colour, _)) = shared.min_by_key(|(_, count)| **count) else {
            return self.one.coloured_rows() == self.other.coloured_rows();
        };
        let colour = *colour;
        let with_it = |side: &Side<'_>| {
            let numbers = side.colours.iter().filter(|(_, it)| **it == colour);
            numbers
                .map(|(number, _)| (number.0, number.1.clone()))
                .collect::<Vec<_>>()
        };
        let apart = palette.keys().max().map_or(0, |it| it + 1);
        let (first, partners) = (with_it(&self.one), with_it(&self.other));
        let Some((group, value)) = first.first() else {
            return true;
        };
        partners.iter().any(|(_, partner)| {
            let mut next = Search {
                one: self.one.clone(),
                other: self.other.clone(),
                refinements: self.refinements,
            };
            set_apart(&mut next.one, *group, value, apart);
            set_apart(&mut next.other, *group, partner, apart);
            let matches = next.matches();
            self.refinements = next.refinements;
            matches
        })
    }

    /// Splits colours until they stay as they are. False if the two sides differ.
    fn refine(&mut self) -> bool {
        loop {
            self.refinements += 1;
            if self.refinements > MOST_REFINEMENTS {
                return true;
            }
            let before = self.one.palette().len();
            let (ones, others) = (self.one.looks(), self.other.looks());
            let mut names: BTreeMap<&Look<'_>, Colour> = BTreeMap::new();
            let looks = ones.iter().chain(&others).map(|(_, look)| look);
            for look in looks.collect::<std::collections::BTreeSet<_>>() {
                names.insert(look, names.len());
            }
            let named = |looks: &[(Drawn<'_>, Look<'_>)]| -> Vec<Colour> {
                looks.iter().map(|(_, look)| names[look]).collect()
            };
            let (one, other) = (named(&ones), named(&others));
            for (colour, new) in self.one.colours.values_mut().zip(one) {
                *colour = new;
            }
            for (colour, new) in self.other.colours.values_mut().zip(other) {
                *colour = new;
            }
            if self.one.palette() != self.other.palette() {
                return false;
            }
            if self.one.palette().len() == before {
                return true;
            }
        }
    }
}

fn set_apart(side: &mut Side<'_>, group: usize, value: &Datum, colour: Colour) {
    let number = side
        .colours
        .iter_mut()
        .find(|(it, _)| **it == (group, value));
    if let Some((_, own)) = number {
        *own = colour;
    }
}
