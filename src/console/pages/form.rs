//! Fields of forms, each with its label.

use maud::{Markup, html};

use crate::exhibits::EXHIBITS;

/// A number with its limits.
#[derive(Debug, Clone, Copy)]
pub struct Number<'a> {
    /// The field's name, which is its id as well.
    pub name: &'a str,
    /// Its label.
    pub label: &'a str,
    /// The number that is in it. None if it is empty.
    pub value: Option<i64>,
    /// The least.
    pub least: i64,
    /// The most. None if it has no limit.
    pub most: Option<i64>,
    /// A line below it.
    pub hint: &'a str,
}

/// A field for a number.
pub fn number(field: Number<'_>) -> Markup {
    let Number {
        name,
        label,
        value,
        least,
        most,
        hint,
    } = field;
    let hint_id = format!("{name}-hint");
    let described_by = (!hint.is_empty()).then_some(hint_id.as_str());
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="number" min=(least) max=[most] value=[value]
                aria-describedby=[described_by];
            @if !hint.is_empty() { p.hint id=(hint_id) { (hint) } }
        }
    }
}

/// A choice of one of a few.
pub fn select(name: &str, label: &str, options: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for (value, words) in options {
                    option value=(value) selected[*value == chosen] { (words) }
                }
            }
        }
    }
}

/// A choice of a strategy, grouped by exhibit. `may_be` says which ones are offered.
pub fn strategy(
    name: &str,
    label: &str,
    chosen: &str,
    may_be: impl Fn(&str, &str) -> bool,
) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for exhibit in EXHIBITS {
                    @let specimens = (exhibit.specimens)();
                    @let offered = specimens.iter().filter(|it| may_be(exhibit.name, it.name()));
                    @let offered: Vec<_> = offered.map(|it| it.full_name()).collect();
                    @if !offered.is_empty() {
                        optgroup label=(exhibit.name) {
                            @for name in offered {
                                option value=(name) selected[name == chosen] { (name) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The four isolation levels, and the lab's own.
pub const LEVELS: [(&str, &str); 5] = [
    ("", "the lab's own"),
    ("READ UNCOMMITTED", "READ UNCOMMITTED"),
    ("READ COMMITTED", "READ COMMITTED"),
    ("REPEATABLE READ", "REPEATABLE READ"),
    ("SERIALIZABLE", "SERIALIZABLE"),
];
