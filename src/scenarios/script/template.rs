//! Text with the places of variables.

use std::ops::Range;

use super::error::line_of;
use super::variables::{UnsetVariable, Variables};
use crate::answer::{Datum, DatumKind};
use crate::engine::Flavour;

/// Text with the places of variables: a statement, or what stands behind `\set` or `\if`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
    purpose: Purpose,
}

/// What a template becomes once it is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// SQL: variables become literals.
    Sql,
    /// The value behind `\set` or `\if`: variables become their text. Whether it is one word
    /// without quotes, which may be a number, TRUE, FALSE or NULL.
    Value { is_bare: bool },
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Variable(Place),
}

/// The place of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) spelling: Spelling,
    /// Where it stands in the text.
    pub(super) range: Range<usize>,
}

impl Place {
    /// The same place, counted from `start`.
    pub(super) fn from(self, start: usize) -> Self {
        let range = self.range.start - start..self.range.end - start;
        Self { range, ..self }
    }
}

/// How a variable is written, and so what it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// `:name`, a literal that keeps the value's type.
    Typed,
    /// `:'name'`, a string.
    Quoted,
    /// `:"name"`, an identifier.
    Name,
    /// `:{?name}`, whether it is set.
    Test,
}

impl Template {
    /// A statement's text, with the places of variables in it, in order.
    pub(super) fn of_sql(text: &str, places: Vec<Place>) -> Self {
        let mut parts = Vec::new();
        let mut at = 0;
        for place in places {
            if at < place.range.start {
                parts.push(Part::Text(text[at..place.range.start].to_owned()));
            }
            at = place.range.end;
            parts.push(Part::Variable(place));
        }
        if at < text.len() {
            parts.push(Part::Text(text[at..].to_owned()));
        }
        Self {
            text: text.to_owned(),
            parts,
            purpose: Purpose::Sql,
        }
    }

    /// What stands behind `\set` or `\if`, with quotes and escapes undone in its parts.
    pub(super) fn of_value(text: &str, parts: Vec<Part>, is_bare: bool) -> Self {
        Self {
            text: text.to_owned(),
            parts,
            purpose: Purpose::Value { is_bare },
        }
    }

    /// As it is written in the script.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The variables that it mentions, in order. A name may come several times.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places().map(|place| place.name.as_str())
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Variable(place) => Some(place),
        })
    }

    /// The text with the variables' values. In SQL they become literals. Behind `\set` and `\if`
    /// they become their plain text, as psql writes them: a boolean of PostgreSQL's is `t`.
    pub fn fill(&self, variables: &Variables, flavour: Flavour) -> Result<String, UnsetVariable> {
        let mut filled = String::with_capacity(self.text.len());
        for part in &self.parts {
            match (part, self.purpose) {
                (Part::Text(text), _) => filled.push_str(text),
                (Part::Variable(place), Purpose::Sql) => {
                    push_apart(&mut filled, &self.sql(place, variables, flavour)?);
                }
                (Part::Variable(place), Purpose::Value { .. }) => {
                    filled.push_str(&plain(&self.datum(place, variables)?));
                }
            }
        }
        Ok(filled)
    }

    /// The value of a `\set`.
    ///
    /// - One variable alone keeps its type, and NULL stays NULL.
    /// - One word without quotes that is a number (`12`, `-1.50`, but not `007` or `1e5`), TRUE,
    ///   FALSE or NULL is what it is in SQL.
    /// - Everything else is text. If one of several variables is NULL, all of it is, as with `||`.
    pub fn value(&self, variables: &Variables) -> Result<Datum, UnsetVariable> {
        if let [Part::Variable(place)] = self.parts.as_slice() {
            return self.datum(place, variables);
        }
        let mut text = String::new();
        let mut is_null = false;
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Variable(place) => match self.datum(place, variables)? {
                    Datum::Null => is_null = true,
                    value => text.push_str(&plain(&value)),
                },
            }
        }
        Ok(match self.purpose {
            _ if is_null => Datum::Null,
            Purpose::Value { is_bare: true } => bare_word(text),
            Purpose::Value { is_bare: false } | Purpose::Sql => Datum::text(text),
        })
    }

    fn sql(
        &self,
        place: &Place,
        variables: &Variables,
        flavour: Flavour,
    ) -> Result<String, UnsetVariable> {
        let datum = self.datum(place, variables)?;
        match (place.spelling, &datum) {
            (Spelling::Typed | Spelling::Test, _) => Ok(flavour.literal(&datum)),
            (Spelling::Quoted, Datum::Null) => Ok("NULL".to_owned()),
            (Spelling::Quoted, Datum::Value { text, .. }) => Ok(flavour.quoted(text)),
            (Spelling::Name, Datum::Null) => Err(UnsetVariable {
                is_null: true,
                ..self.unset(place, variables)
            }),
            (Spelling::Name, Datum::Value { text, .. }) => Ok(flavour.quoted_name(text)),
        }
    }

    fn datum(&self, place: &Place, variables: &Variables) -> Result<Datum, UnsetVariable> {
        let value = variables.get(&place.name);
        match (place.spelling, value) {
            (Spelling::Test, _) => Ok(boolean(value.is_some())),
            (_, Some(value)) => Ok(value.clone()),
            (_, None) => Err(self.unset(place, variables)),
        }
    }

    fn unset(&self, place: &Place, variables: &Variables) -> UnsetVariable {
        UnsetVariable {
            name: place.name.clone(),
            lines_below: line_of(&self.text, place.range.start) - 1,
            similar: variables.similar(&place.name).map(str::to_owned),
            is_null: false,
        }
    }
}

fn boolean(value: bool) -> Datum {
    Datum::Value {
        text: value.to_string().to_ascii_uppercase(),
        kind: DatumKind::Boolean,
    }
}

/// The value as psql would write it into the text.
fn plain(value: &Datum) -> String {
    match value {
        Datum::Null => "NULL".to_owned(),
        Datum::Value { text, .. } => text.clone(),
    }
}

/// A space keeps the literal apart from a word before it: `LIMIT:n` is not `LIMIT5`, and `E:'t'`
/// is no string with escapes.
fn push_apart(filled: &mut String, literal: &str) {
    if filled.ends_with(|it: char| it.is_alphanumeric() || it == '_' || it == '$') {
        filled.push(' ');
    }
    filled.push_str(literal);
}

fn bare_word(text: String) -> Datum {
    match text.to_ascii_uppercase().as_str() {
        "NULL" => Datum::Null,
        "TRUE" => boolean(true),
        "FALSE" => boolean(false),
        _ if is_number(&text) => Datum::number(text),
        _ => Datum::text(text),
    }
}

/// Whether it can be nothing but a number. One with an exponent or with zeros before it may be a
/// code.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let has_digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    has_digits(whole) && has_digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}
