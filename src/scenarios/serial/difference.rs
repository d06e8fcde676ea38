//! Where a run's end differs from those of the serial orders, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::end::{End, OUTCOME, Source, Table};
use super::view::{Cell, View};
use crate::answer::{Datum, DatumKind};
use crate::explore::Client;

/// One place in which a run differs from an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    place: Place,
    /// What it is after the run.
    is: String,
    /// What it is after the order.
    would_be: String,
}

impl Difference {
    /// Two values that differ, as people can tell them apart.
    fn of_values(place: Place, is: &Datum, would_be: &Datum) -> Self {
        let looks_alike = is.to_string() == would_be.to_string();
        let words = |value: &Datum| match value {
            Datum::Value {
                text,
                kind: DatumKind::Text,
            } if looks_alike || text.trim() != text => format!("'{text}'"),
            value => value.to_string(),
        };
        let (is, would_be) = (words(is), words(would_be));
        let alike = is.chars().zip(would_be.chars());
        let alike = alike.take_while(|(one, other)| one == other).count();
        Self {
            place,
            is: shortened(&is, alike),
            would_be: shortened(&would_be, alike),
        }
    }
}

/// The part of a long value around the letter in which it differs from another one.
fn shortened(value: &str, alike: usize) -> String {
    const LONGEST: usize = 80;
    const BEFORE: usize = 20;
    let count = value.chars().count();
    if count <= LONGEST {
        return value.to_owned();
    }
    let from = alike.saturating_sub(BEFORE);
    let part: String = value.chars().skip(from).take(LONGEST / 2).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + LONGEST / 2 < count {
        "…"
    } else {
        ""
    };
    format!(
        "{before}{part}{after} ({count} characters, from number {} on)",
        from + 1
    )
}

/// What differs, the clearest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A value in a row that both have, e.g. `voucher.used`.
    Value(String),
    /// The number of rows in a table.
    Count(String),
    /// A row that one of them has.
    Row(String),
    /// What a client has captured, e.g. `A.seen`.
    Captured(String),
    /// How a client ended.
    Outcome(Client),
    /// Only which rows refer to which.
    References,
}

/// All places in which they differ. There is at least one.
pub(super) fn between(run: &End, order: &End, view: &View) -> Vec<Difference> {
    let sources: BTreeSet<_> = run.tables.keys().chain(order.tables.keys()).collect();
    let mut found = Vec::new();
    for source in sources {
        if view.volatile_tables.contains(source) {
            continue;
        }
        let (one, other) = (run.tables.get(source), order.tables.get(source));
        match source {
            Source::Client(client) => found.extend(of_client(*client, one, other, view)),
            Source::Database(name) => found.extend(of_table(source, name, one, other, view)),
        }
    }
    if found.is_empty() {
        found.push(Difference {
            place: Place::References,
            is: String::new(),
            would_be: String::new(),
        });
    }
    found
}

fn of_client(
    client: Client,
    one: Option<&Table>,
    other: Option<&Table>,
    view: &View,
) -> Vec<Difference> {
    let columns = |table: Option<&Table>| table.map(|it| it.columns.clone()).unwrap_or_default();
    let names: BTreeSet<_> = columns(one).into_iter().chain(columns(other)).collect();
    let value = |table: Option<&Table>, name: &str| -> Option<Datum> {
        let values = table.map(|it| it.column(name)).unwrap_or_default();
        values.first().map(|it| (*it).clone())
    };
    let differing = names.into_iter().filter_map(|name| {
        let source = Source::Client(client);
        let (is, would_be) = (value(one, &name), value(other, &name));
        let place = (source, name);
        if view.volatile.contains(&place) || is == would_be {
            return None;
        }
        let (_, name) = place;
        let place = if name == OUTCOME {
            Place::Outcome(client)
        } else {
            Place::Captured(format!("{client}.{name}"))
        };
        let not_set = Datum::text("not set");
        let is = is.as_ref().unwrap_or(&not_set);
        let would_be = would_be.as_ref().unwrap_or(&not_set);
        Some(Difference::of_values(place, is, would_be))
    });
    differing.collect()
}

fn of_table(
    source: &Source,
    name: &str,
    one: Option<&Table>,
    other: Option<&Table>,
    view: &View,
) -> Vec<Difference> {
    let (Some(one), Some(other)) = (one, other) else {
        let there = |table: Option<&Table>| table.map_or("missing", |_| "there").to_owned();
        return vec![Difference {
            place: Place::Row(format!("table {name}")),
            is: there(one),
            would_be: there(other),
        }];
    };
    let mut found = Vec::new();
    if one.columns == other.columns
        && let (Some(rows), Some(others)) = (by_key(source, one, view), by_key(source, other, view))
    {
        let is_alone = one.rows.len() == 1 && other.rows.len() == 1;
        for (key, row) in &rows {
            let Some(other_row) = others.get(key) else {
                continue;
            };
            for (at, column) in one.columns.iter().enumerate() {
                if let (Cell::Plain(is), Cell::Plain(would_be)) = (row[at], other_row[at])
                    && is != would_be
                {
                    let place = if is_alone {
                        format!("{name}.{column}")
                    } else {
                        format!(
                            "{name}.{column} where {}",
                            key_in_words(one, source, key, view)
                        )
                    };
                    found.push(Difference::of_values(Place::Value(place), is, would_be));
                }
            }
        }
    }
    if one.rows.len() != other.rows.len() {
        found.push(Difference {
            place: Place::Count(name.to_owned()),
            is: rows_in_words(one.rows.len()),
            would_be: rows_in_words(other.rows.len()),
        });
    }
    if found.is_empty() {
        found.extend(of_rows(source, name, one, other, view));
    }
    found
}

/// The rows by their primary keys. None if the table has none that can be compared.
fn by_key<'d>(
    source: &Source,
    table: &'d Table,
    view: &View,
) -> Option<BTreeMap<Vec<&'d Datum>, Vec<Cell<'d>>>> {
    let is_key = |column: &String| view.is_key(source, column);
    if !table.columns.iter().any(is_key) {
        return None;
    }
    let mut rows = BTreeMap::new();
    for row in view.rows(source, table) {
        let keys = table.columns.iter().zip(&row);
        let keys = keys.filter(|(column, _)| is_key(column));
        let key = keys.map(|(_, cell)| match cell {
            Cell::Plain(value) => Some(*value),
            Cell::LeftOut | Cell::Drawn(..) => None,
        });
        // A row whose number was drawn has no partner by its key.
        if let Some(key) = key.collect::<Option<Vec<_>>>() {
            rows.insert(key, row);
        }
    }
    Some(rows)
}

fn key_in_words(table: &Table, source: &Source, key: &[&Datum], view: &View) -> String {
    let columns = table.columns.iter().filter(|it| view.is_key(source, it));
    let words: Vec<_> = columns
        .zip(key)
        .map(|(column, value)| format!("{column} = {value}"))
        .collect();
    words.join(" and ")
}

fn rows_in_words(count: usize) -> String {
    match count {
        0 => "no row".to_owned(),
        1 => "1 row".to_owned(),
        _ => format!("{count} rows"),
    }
}

/// The first row that only one of them has.
fn of_rows(
    source: &Source,
    name: &str,
    one: &Table,
    other: &Table,
    view: &View,
) -> Option<Difference> {
    let described = |table: &Table| {
        let rows = view.rows(source, table).into_iter();
        let mut rows: Vec<_> = rows.map(|row| row_in_words(&table.columns, &row)).collect();
        rows.sort();
        rows
    };
    let (ones, others) = (described(one), described(other));
    let count = |rows: &[String], row: &String| rows.iter().filter(|it| *it == row).count();
    let differing = ones
        .iter()
        .chain(&others)
        .find(|row| count(&ones, row) != count(&others, row))?;
    let times = |count: usize| match count {
        0 => "missing".to_owned(),
        1 => "there".to_owned(),
        _ => format!("there {count} times"),
    };
    Some(Difference {
        place: Place::Row(format!("the row ({differing}) of {name}")),
        is: times(count(&ones, differing)),
        would_be: times(count(&others, differing)),
    })
}

fn row_in_words(columns: &[String], row: &[Cell<'_>]) -> String {
    let cells = columns.iter().zip(row).map(|(column, cell)| match cell {
        Cell::Plain(value) => format!("{column} = {}", shortened(&value.to_string(), 0)),
        Cell::LeftOut | Cell::Drawn(..) => format!("{column} = …"),
    });
    cells.collect::<Vec<_>>().join(", ")
}

/// Says in as few sentences as it takes how the run differs from each order, by its name.
pub(super) fn in_words(differences: &[(String, Vec<Difference>)]) -> String {
    let mut unsaid: Vec<_> = differences.iter().collect();
    let mut sentences = Vec::new();
    while let Some(place) = commonest_place(&unsaid) {
        let (said, rest): (Vec<_>, Vec<_>) = unsaid
            .into_iter()
            .partition(|(_, it)| finds(it, &place).is_some());
        sentences.push(sentence(&place, &said));
        unsaid = rest;
    }
    sentences.join(". And ")
}

fn finds<'d>(differences: &'d [Difference], place: &Place) -> Option<&'d Difference> {
    differences.iter().find(|it| it.place == *place)
}

/// The place in which the run differs from most of these orders. Of several, the clearest.
fn commonest_place(orders: &[&(String, Vec<Difference>)]) -> Option<Place> {
    let mut counts: BTreeMap<&Place, usize> = BTreeMap::new();
    for difference in orders.iter().flat_map(|(_, it)| it) {
        *counts.entry(&difference.place).or_default() += 1;
    }
    // The clearest is the first, and `max_by_key` keeps the last.
    let commonest = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    commonest.map(|(place, _)| place.clone())
}

/// These orders in a row. Of more than six, three and the number of the others.
fn together(orders: &[String]) -> String {
    if orders.len() <= 6 {
        return orders.join(" and ");
    }
    let (named, more) = orders.split_at(3);
    format!("{} and after {} more orders", named.join(", "), more.len())
}

fn sentence(place: &Place, orders: &[&(String, Vec<Difference>)]) -> String {
    let mut is = "";
    let mut by_value: Vec<(&str, Vec<String>)> = Vec::new();
    for (order, differences) in orders {
        let Some(found) = finds(differences, place) else {
            continue;
        };
        is = &found.is;
        let order = format!("after {order}");
        match by_value
            .iter_mut()
            .find(|(value, _)| *value == found.would_be)
        {
            Some((_, orders)) => orders.push(order),
            None => by_value.push((&found.would_be, vec![order])),
        }
    }
    let (subject, verb) = match place {
        Place::Value(name) | Place::Row(name) | Place::Captured(name) => (name.clone(), "is"),
        Place::Outcome(client) => (format!("client {client}"), "is"),
        Place::Count(table) => (table.clone(), "has"),
        Place::References => {
            let orders: Vec<_> = by_value.into_iter().flat_map(|(_, it)| it).collect();
            return format!("rows refer to other rows than {}", together(&orders));
        }
    };
    let would_be = by_value
        .iter()
        .map(|(value, orders)| format!("{value} {}", together(orders)));
    let would_be: Vec<_> = would_be.collect();
    format!(
        "{subject} {verb} {is}; it {verb} {}",
        would_be.join(", and ")
    )
}
