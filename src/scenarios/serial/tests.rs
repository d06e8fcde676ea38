//! Ends that no engine has made, so that each comparison can be tried alone.

use std::collections::BTreeMap;

use super::end::{End, Source, Table};
use super::view::View;
use super::{difference, renaming, volatile};
use crate::answer::Datum;
use crate::explore::Client;

/// A table's name, its columns, and rows of words.
type Words<'w> = (&'w str, &'w [&'w str], &'w [&'w [&'w str]]);

/// An end with these tables.
fn end(tables: &[Words<'_>]) -> End {
    let tables = tables
        .iter()
        .map(|(name, columns, rows)| (Source::Database((*name).to_owned()), table(columns, rows)));
    End {
        tables: tables.collect(),
    }
}

fn table(columns: &[&str], rows: &[&[&str]]) -> Table {
    let row = |row: &&[&str]| row.iter().map(|it| Datum::text(*it)).collect();
    let mut rows: Vec<Vec<Datum>> = rows.iter().map(row).collect();
    rows.sort();
    Table {
        columns: columns.iter().map(|it| (*it).to_owned()).collect(),
        rows,
    }
}

/// Nodes with drawn numbers that look alike, and edges between them.
fn graph(nodes: &[&str], edges: &[[&str; 2]]) -> End {
    let nodes: Vec<[&str; 1]> = nodes.iter().map(|it| [*it]).collect();
    let nodes: Vec<&[&str]> = nodes.iter().map(|it| it.as_slice()).collect();
    let edges: Vec<&[&str]> = edges.iter().map(|it| it.as_slice()).collect();
    end(&[
        ("node", &["id"], &nodes),
        ("edge", &["source", "target"], &edges),
    ])
}

#[test]
fn drawn_numbers_are_compared_up_to_a_renaming() {
    let view = View::with_drawn(&[
        ("node", "id", 0),
        ("edge", "source", 0),
        ("edge", "target", 0),
    ]);
    let circle = [["1", "2"], ["2", "3"], ["3", "1"]];
    let other = [["7", "6"], ["6", "5"], ["5", "7"]];
    let (one, another) = (
        graph(&["1", "2", "3"], &circle),
        graph(&["5", "6", "7"], &other),
    );
    assert!(renaming::are_equal(&one, &another, &view));
    assert!(!renaming::are_equal(&one, &another, &View::default()));
    // A row too many, or one that refers elsewhere.
    let chain = graph(&["5", "6", "7"], &[["7", "6"], ["6", "5"], ["5", "6"]]);
    assert!(!renaming::are_equal(&one, &chain, &view));
}

/// No look at neighbours tells six in one circle from two circles of three: only trying does.
#[test]
fn numbers_that_share_their_colour_are_tried_in_turn() {
    let view = View::with_drawn(&[
        ("node", "id", 0),
        ("edge", "source", 0),
        ("edge", "target", 0),
    ]);
    let nodes = ["1", "2", "3", "4", "5", "6"];
    let circle = |of: &[&'static str]| -> Vec<[&'static str; 2]> {
        let next = of.iter().cycle().skip(1);
        of.iter()
            .zip(next)
            .map(|(one, other)| [*one, *other])
            .collect()
    };
    let six = graph(&nodes, &circle(&nodes));
    let again = graph(&nodes, &circle(&["4", "2", "6", "1", "3", "5"]));
    let threes = [circle(&nodes[..3]), circle(&nodes[3..])].concat();
    assert!(renaming::are_equal(&six, &again, &view));
    assert!(!renaming::are_equal(&six, &graph(&nodes, &threes), &view));
}

/// The prize went to another row, with its price: two columns explain that, and no other table is
/// left out.
#[test]
fn as_little_is_left_out_as_explains_a_difference() {
    let pass = |balance, winners: &[&[&str]]| {
        end(&[
            ("account", &["id", "balance"], &[&["1", balance]]),
            ("prize", &["winner", "price", "id", "name"], winners),
        ])
    };
    let one: &[&[&str]] = &[&["A", "5", "1", "gold"], &["-", "0", "2", "silver"]];
    let other: &[&[&str]] = &[&["-", "0", "1", "gold"], &["A", "5", "2", "silver"]];
    let mut view = View::default();
    volatile::note(&mut view, &pass("100", one), &pass("100", other));
    assert_eq!(view.left_out(), ["prize.price", "prize.winner"]);
    let lost = pass("200", other);
    assert!(!renaming::are_equal(&pass("100", one), &lost, &view));
}

#[test]
fn a_column_that_differs_between_two_passes_is_left_out_and_a_table_of_another_length() {
    let pass = |at: &str, rows: &[&[&str]]| {
        end(&[
            ("log", &["id", "at"], &[&["1", at]]),
            ("lucky", &["id"], rows),
        ])
    };
    let mut view = View::default();
    let first = pass("10:00", &[&["1"]]);
    volatile::note(&mut view, &first, &pass("10:01", &[&["1"], &["2"]]));
    assert_eq!(view.left_out(), ["lucky", "log.at"]);
    assert!(renaming::are_equal(&first, &pass("11:59", &[]), &view));
}

/// A value that differs between passes that come later is left out as well.
#[test]
fn each_pass_can_leave_out_more() {
    let pass = |minute: &str| end(&[("hits", &["minute"], &[&[minute]])]);
    let mut view = View::default();
    volatile::note(&mut view, &pass("10:00"), &pass("10:00"));
    assert!(!renaming::are_equal(&pass("10:00"), &pass("10:01"), &view));
    volatile::note(&mut view, &pass("10:00"), &pass("10:01"));
    assert!(renaming::are_equal(&pass("10:00"), &pass("10:02"), &view));
}

#[test]
fn clients_that_are_alike_are_arranged_by_what_is_compared() {
    let of = |values: &[[&str; 2]]| {
        let clients = Client::first(values.len()).zip(values);
        let tables = clients.map(|(client, row)| {
            let table = table(&["seen", "ref"], &[row.as_slice()]);
            (Source::Client(client), table)
        });
        End {
            tables: tables.collect::<BTreeMap<_, _>>(),
        }
    };
    let mut view = View::default();
    let clients: Vec<_> = Client::first(3).collect();
    for client in &clients {
        let place = (Source::Client(*client), "ref".to_owned());
        view.volatile.insert(place);
    }
    let one = view.arranged(&of(&[["2", "x"], ["0", "y"], ["1", "z"]]));
    let other = view.arranged(&of(&[["0", "q"], ["1", "x"], ["2", "a"]]));
    assert!(renaming::are_equal(&one, &other, &view));
    let differs = view.arranged(&of(&[["0", "q"], ["1", "x"], ["1", "a"]]));
    assert!(!renaming::are_equal(&one, &differs, &view));
}

#[test]
fn many_orders_are_told_in_a_few_words() {
    let end = |value: &str| end(&[("voucher", &["used"], &[&[value]])]);
    let found = difference::between(&end("1"), &end("2"), &View::default());
    let orders = ["A B C D", "A B D C", "A C B D", "A C D B"];
    let few: Vec<_> = orders[..2]
        .iter()
        .map(|it| ((*it).to_owned(), found.clone()))
        .collect();
    assert_eq!(
        difference::in_words(&few),
        "the row (used = 1) of voucher is there; it is missing after A B C D and after A B D C"
    );
    let many = orders.iter().cycle().take(24);
    let many: Vec<_> = many.map(|it| ((*it).to_owned(), found.clone())).collect();
    assert_eq!(
        difference::in_words(&many),
        "the row (used = 1) of voucher is there; it is missing after A B C D, after A B D C, \
         after A C B D and after 21 more orders"
    );
}

/// What the report says of a run with this value, if each order has the other one.
fn told(is: Datum, would_be: Datum) -> String {
    let client = |value| {
        let table = Table {
            columns: vec!["seen".to_owned()],
            rows: vec![vec![value]],
        };
        let client = Client::first(1).next().unwrap();
        End {
            tables: [(Source::Client(client), table)].into(),
        }
    };
    let found = difference::between(&client(is), &client(would_be), &View::default());
    difference::in_words(&[("A B".to_owned(), found)])
}

#[test]
fn a_long_value_is_told_around_the_place_where_it_differs() {
    let long = "x".repeat(1_000);
    let said = told(
        Datum::text(format!("{long}1")),
        Datum::text(format!("{long}2")),
    );
    let around = format!("…{}", "x".repeat(20));
    assert_eq!(
        said,
        format!(
            "A.seen is {around}1 (1001 characters, from number 981 on); \
             it is {around}2 (1001 characters, from number 981 on) after A B"
        )
    );
}

#[test]
fn values_that_look_alike_are_told_apart() {
    assert_eq!(
        told(Datum::number(1), Datum::text("1")),
        "A.seen is 1; it is '1' after A B"
    );
    assert_eq!(
        told(Datum::text("a"), Datum::text("a ")),
        "A.seen is a; it is 'a ' after A B"
    );
}
