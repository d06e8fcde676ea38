//! Fields of forms, each with its label, and what was typed into them.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::problem::complaint;
use crate::engine::Isolation;
use crate::exhibits::{EXHIBITS, Exhibit};

/// The texts that a form holds, by the names of its fields.
pub type Texts = BTreeMap<&'static str, String>;

/// What a form holds: what was typed into it, and what is wrong with that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    texts: Texts,
    refusal: Option<Refusal>,
}

/// Why a form was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The field that is wrong. None if the form as a whole is refused.
    pub field: Option<&'static str>,
    /// The headline.
    pub title: String,
    /// What is wrong, and what would be right.
    pub detail: String,
}

impl Filled {
    /// A form that has not been sent yet. A field that is not among the texts holds its usual one.
    pub fn new(texts: Texts) -> Self {
        Self {
            texts,
            refusal: None,
        }
    }

    /// A form that was sent and refused.
    pub fn refused(texts: Texts, refusal: Refusal) -> Self {
        Self {
            texts,
            refusal: Some(refusal),
        }
    }

    /// What a field holds.
    pub fn text<'t>(&'t self, name: &str, usual: &'t str) -> &'t str {
        self.texts.get(name).map_or(usual, String::as_str)
    }

    /// The line that says what is wrong.
    pub fn complaint(&self) -> Markup {
        html! {
            @if let Some(refusal) = &self.refusal { (complaint(&refusal.title, &refusal.detail)) }
        }
    }

    /// Fields that the page does not show. They are sent again as they came.
    pub fn carried(&self, names: &[&'static str]) -> Markup {
        let given = names
            .iter()
            .filter_map(|name| Some((name, self.texts.get(name)?)));
        html! {
            @for (name, text) in given { input type="hidden" name=(name) value=(text); }
        }
    }

    /// `true` for the field that is wrong, as `aria-invalid` has it.
    pub fn invalid(&self, name: &str) -> Option<&'static str> {
        self.is_wrong(name).then_some("true")
    }

    /// What describes a field: the complaint, and the hint if it has one.
    pub fn described_by(&self, name: &str, has_hint: bool) -> Option<String> {
        let complaint = self.is_wrong(name).then(|| "complaint".to_owned());
        let hint = has_hint.then(|| format!("{name}-hint"));
        let ids: Vec<_> = [complaint, hint].into_iter().flatten().collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn is_wrong(&self, name: &str) -> bool {
        let refusal = self.refusal.as_ref();
        refusal.is_some_and(|it| it.field == Some(name))
    }
}

/// A number with its limits.
#[derive(Debug, Clone, Copy)]
pub struct Number<'a> {
    /// The field's name, which is its id as well.
    pub name: &'a str,
    /// Its label.
    pub label: &'a str,
    /// What is in it unless the visitor has typed something else.
    pub usual: &'a str,
    /// The least.
    pub least: i64,
    /// The most. None if it has no limit.
    pub most: Option<i64>,
    /// A line below it.
    pub hint: &'a str,
}

/// A field for a number.
pub fn number(filled: &Filled, field: Number<'_>) -> Markup {
    let Number {
        name,
        label,
        usual,
        least,
        most,
        hint,
    } = field;
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="number" min=(least) max=[most]
                value=(filled.text(name, usual)) aria-invalid=[filled.invalid(name)]
                aria-describedby=[filled.described_by(name, !hint.is_empty())];
            @if !hint.is_empty() { p.hint id={ (name) "-hint" } { (hint) } }
        }
    }
}

/// A choice of one of a few.
pub fn select(filled: &Filled, name: &str, label: &str, options: &[(&str, &str)]) -> Markup {
    let chosen = filled.text(name, "");
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) aria-invalid=[filled.invalid(name)]
                aria-describedby=[filled.described_by(name, false)] {
                @let is_offered = options.iter().any(|(value, _)| *value == chosen);
                (refused_option(filled, name, chosen, is_offered))
                @for (value, words) in options {
                    option value=(value) selected[*value == chosen] { (words) }
                }
            }
        }
    }
}

/// A choice of an isolation level, of those that differ on this lab's engine.
pub fn level(filled: &Filled, name: &str, label: &str, levels: &[Isolation]) -> Markup {
    let levels = levels.iter().map(|it| (it.sql(), it.sql()));
    let options: Vec<_> = [("", "the lab's own")].into_iter().chain(levels).collect();
    select(filled, name, label, &options)
}

/// A choice of a strategy, grouped by exhibit. `may_be` says which exhibits are offered.
pub fn strategy(
    filled: &Filled,
    name: &str,
    label: &str,
    usual: &str,
    may_be: impl Fn(&str) -> bool,
) -> Markup {
    let chosen = filled.text(name, usual);
    let exhibits = EXHIBITS.iter().filter(|it| may_be(it.name));
    let names = |exhibit: &Exhibit| -> Vec<_> {
        let specimens = (exhibit.specimens)().into_iter();
        specimens.map(|it| it.full_name()).collect()
    };
    let groups: Vec<_> = exhibits.map(|it| (it.name, names(it))).collect();
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) aria-invalid=[filled.invalid(name)]
                aria-describedby=[filled.described_by(name, false)] {
                @let is_offered = groups.iter().any(|(_, names)| names.contains(&chosen));
                (refused_option(filled, name, chosen, is_offered))
                @for (exhibit, names) in &groups {
                    optgroup label=(exhibit) {
                        @for name in names {
                            option value=(name) selected[*name == chosen] { (name) }
                        }
                    }
                }
            }
        }
    }
}

/// A refused value that is not among the options: it is shown as it was sent.
fn refused_option(filled: &Filled, name: &str, chosen: &str, is_offered: bool) -> Markup {
    html! {
        @if filled.is_wrong(name) && !is_offered { option value=(chosen) selected { (chosen) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: Number<'_> = Number {
        name: "requests",
        label: "Requests",
        usual: "10",
        least: 1,
        most: Some(500),
        hint: "at most 500",
    };

    fn refused(field: &'static str, text: &str) -> Filled {
        let refusal = Refusal {
            field: Some(field),
            title: "Invalid".to_owned(),
            detail: "The field is wrong.".to_owned(),
        };
        Filled::refused([(field, text.to_owned())].into(), refusal)
    }

    #[test]
    fn a_field_holds_what_is_usual_unless_something_was_typed() {
        let usual = number(&Filled::default(), REQUESTS).into_string();
        assert!(usual.contains(r#" value="10" aria-describedby="requests-hint""#));
        let typed = Filled::new([("requests", "20".to_owned())].into());
        assert!(
            number(&typed, REQUESTS)
                .into_string()
                .contains(r#" value="20""#)
        );
    }

    #[test]
    fn the_wrong_field_holds_its_value_and_is_marked() {
        let field = number(&refused("requests", "900"), REQUESTS).into_string();
        let marks =
            r#" value="900" aria-invalid="true" aria-describedby="complaint requests-hint""#;
        assert!(field.contains(marks), "{field}");
        let other = number(&refused("account", "9"), REQUESTS).into_string();
        assert!(!other.contains("aria-invalid"), "{other}");
    }

    #[test]
    fn a_refused_choice_is_shown_as_it_was_sent() {
        let filled = refused("strategy", "<img>");
        let field = strategy(&filled, "strategy", "Strategy", "atomic_no_delay", |_| true);
        let field = field.into_string();
        assert!(
            field.contains(r#"<option value="&lt;img&gt;" selected>&lt;img&gt;</option>"#),
            "{field}"
        );
    }

    #[test]
    fn what_the_page_does_not_show_is_carried() {
        let filled = Filled::new([("amount", "7".to_owned())].into());
        let fields = filled.carried(&["amount", "exhibit"]).into_string();
        assert_eq!(fields, r#"<input type="hidden" name="amount" value="7">"#);
    }
}
