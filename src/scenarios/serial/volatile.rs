//! What differs between two runs of one order: times, random values, and numbers that are drawn.

use std::collections::BTreeSet;

use super::end::{End, Source};
use super::renaming;
use super::view::View;

/// Learns from the two passes of an order what is volatile, and whose numbers the engine draws.
pub(super) fn note(view: &mut View, first: &End, second: &End) {
    note_drawn(view, first, second);
    note_columns(view, first, second);
    note_captured_numbers(view, first);
    if renaming::are_equal(first, second, view) {
        return;
    }
    // A value went to another row, e.g. by chance. As little as explains it is left out: a column,
    // or two of one table, or a table.
    let explained = explanations(first)
        .map(|left_out| wider(view, &left_out))
        .find(|it| renaming::are_equal(first, second, it));
    if let Some(explained) = explained {
        *view = explained;
        return;
    }
    for source in first.tables.keys().chain(second.tables.keys()) {
        view.volatile_tables.insert(source.clone());
        if renaming::are_equal(first, second, view) {
            return;
        }
    }
}

/// What may be left out of a comparison.
enum LeftOut {
    Columns(Vec<(Source, String)>),
    Table(Source),
}

/// What may explain that two passes differ, the least first.
fn explanations(end: &End) -> impl Iterator<Item = LeftOut> {
    let one = columns_of(end)
        .into_iter()
        .map(|it| LeftOut::Columns(vec![it]));
    let tables = end.tables.iter();
    let two = tables.clone().flat_map(|(source, table)| {
        let columns = table.columns.iter().enumerate();
        columns.flat_map(move |(at, one)| {
            let others = table.columns[at + 1..].iter();
            others.map(move |another| {
                let place = |column: &String| (source.clone(), column.clone());
                LeftOut::Columns(vec![place(one), place(another)])
            })
        })
    });
    let whole = tables.map(|(source, _)| LeftOut::Table(source.clone()));
    one.chain(two).chain(whole)
}

/// The view without what is left out.
fn wider(view: &View, left_out: &LeftOut) -> View {
    let mut wider = view.clone();
    match left_out {
        LeftOut::Columns(columns) => wider.volatile.extend(columns.iter().cloned()),
        LeftOut::Table(source) => {
            wider.volatile_tables.insert(source.clone());
        }
    }
    wider
}

/// If the counters cannot be moved, a client's number may be one that the engine has drawn.
fn note_captured_numbers(view: &mut View, end: &End) {
    let clients = end.tables.iter();
    let clients = clients.filter(|(source, _)| matches!(source, Source::Client(_)));
    let captured = clients.flat_map(|(source, table)| {
        let values = table.rows.iter().flatten();
        let cells = table.columns.iter().zip(values);
        cells.map(move |(column, value)| (source, column, value))
    });
    let drawn: Vec<_> = captured
        .filter(|(_, _, value)| view.may_be_drawn(value, end))
        .map(|(source, column, _)| (source.clone(), column.clone()))
        .collect();
    view.volatile.extend(drawn);
}

/// A numbered column whose values have moved with its counter is one whose numbers are drawn.
fn note_drawn(view: &mut View, first: &End, second: &End) {
    let groups = view.groups().filter(|(source, column, _)| {
        let values = |end: &'_ End| {
            let table = end.tables.get(source);
            table.map(|it| it.column(column).into_iter().cloned().collect::<Vec<_>>())
        };
        values(first) != values(second)
    });
    let moved: Vec<_> = groups.map(|(_, _, group)| group).collect();
    for group in moved {
        view.is_drawn[group] = true;
    }
}

/// A column that does not hold the same values is volatile. A table that does not have the same
/// number of rows is.
fn note_columns(view: &mut View, first: &End, second: &End) {
    let sources: BTreeSet<_> = first.tables.keys().chain(second.tables.keys()).collect();
    for source in sources {
        let (Some(one), Some(other)) = (first.tables.get(source), second.tables.get(source)) else {
            view.volatile_tables.insert(source.clone());
            continue;
        };
        if one.rows.len() != other.rows.len() {
            view.volatile_tables.insert(source.clone());
            continue;
        }
        for column in one.columns.iter().chain(&other.columns) {
            let is_drawn = view
                .group(source, column)
                .is_some_and(|it| view.is_drawn[it]);
            if !is_drawn && one.column(column) != other.column(column) {
                view.leave_out(source, column);
            }
        }
    }
}

fn columns_of(end: &End) -> Vec<(Source, String)> {
    let tables = end.tables.iter();
    let columns = tables.flat_map(|(source, table)| {
        let columns = table.columns.iter();
        columns.map(move |it| (source.clone(), it.clone()))
    });
    columns.collect()
}
