//! Small things that several pages have.

use std::fmt::Display;

use maud::{Markup, html};

use super::frame::percent_encoded;
use crate::exhibits::EXHIBITS;

/// A figure with its name.
pub struct Fact<'a> {
    /// What it is.
    pub name: &'a str,
    /// The figure.
    pub value: String,
    /// Whether it is bad news.
    pub is_bad: bool,
}

impl<'a> Fact<'a> {
    /// A figure.
    pub fn new(name: &'a str, value: impl Display) -> Self {
        Self {
            name,
            value: value.to_string(),
            is_bad: false,
        }
    }

    /// A figure that is bad news if this holds.
    #[must_use]
    pub fn bad_if(self, is_bad: bool) -> Self {
        Self { is_bad, ..self }
    }
}

/// Figures in a row.
pub fn facts(facts: &[Fact<'_>]) -> Markup {
    html! {
        dl.facts {
            @for fact in facts {
                div class=[fact.is_bad.then_some("lost")] { dt { (fact.name) } dd { (fact.value) } }
            }
        }
    }
}

/// A verdict: a headline, a sentence and what belongs to it. `kind` is `anomaly`, `refused`, `safe`
/// or `unclear`.
pub fn verdict(kind: &str, headline: &str, sentence: &str, more: &Markup) -> Markup {
    html! {
        section class={ "verdict " (kind) } aria-labelledby="verdict" {
            h2 #verdict { (headline) }
            @if !sentence.is_empty() { p { (sentence) } }
            (more)
        }
    }
}

/// A table that may be wider than the page.
pub fn scroll(label: &str, table: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" { (table) }
    }
}

/// A text to copy, with a button that scripts show.
pub fn copyable(id: &str, what: &str, text: &str) -> Markup {
    html! {
        pre { code id=(id) { (text) } }
        p { button.quiet type="button" data-copy={ "#" (id) } hidden { "Copy " (what) } }
    }
}

/// A time in milliseconds: as long as people need it, and no longer.
pub fn milliseconds(us: i64) -> String {
    let ms = us as f64 / 1000.0;
    match us.unsigned_abs() {
        0..10_000 => format!("{ms:.2} ms"),
        10_000..1_000_000 => format!("{ms:.1} ms"),
        _ => format!("{:.2} s", ms / 1000.0),
    }
}

/// A number of things.
pub fn counted(number: impl Display, one: &str, several: &str) -> String {
    let number = number.to_string();
    let word = if number == "1" { one } else { several };
    format!("{number} {word}")
}

/// The full name of a strategy of an exhibit. None if there is none.
pub fn full_name(exhibit: &str, strategy: &str) -> Option<&'static str> {
    let exhibit = EXHIBITS.iter().find(|it| it.name == exhibit)?;
    let mut specimens = (exhibit.specimens)().into_iter();
    specimens
        .find(|it| it.name() == strategy)
        .map(|it| it.full_name())
}

/// Where a strategy is explained.
pub fn why_path(full_name: &str) -> String {
    format!("/why/{full_name}")
}

/// A path with these values behind it.
pub fn with_query(path: &str, values: &[(&str, String)]) -> String {
    let mut url = path.to_owned();
    for (at, (name, value)) in values.iter().enumerate() {
        url.push(if at == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        url.push_str(&percent_encoded(value));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_digits_that_people_need() {
        for (us, words) in [
            (0, "0.00 ms"),
            (520, "0.52 ms"),
            (183_400, "183.4 ms"),
            (2_500_000, "2.50 s"),
        ] {
            assert_eq!(milliseconds(us), words);
        }
    }

    #[test]
    fn a_strategy_has_its_full_name() {
        assert_eq!(full_name("orders", "bakery"), Some("orders/bakery"));
        assert_eq!(
            full_name("deposits", "atomic_no_delay"),
            Some("atomic_no_delay")
        );
        assert_eq!(full_name("deposits", "bakery"), None);
    }

    #[test]
    fn a_value_does_not_end_a_query() {
        let values = [
            ("strategy", "a&b".to_owned()),
            ("requests", "10".to_owned()),
        ];
        assert_eq!(
            with_query("/runs", &values),
            "/runs?strategy=a%26b&requests=10"
        );
    }
}
