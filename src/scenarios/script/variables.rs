//! The variables of a running script.

use std::collections::BTreeMap;
use std::fmt;

use crate::answer::Datum;

/// Names and their values. Names are case-sensitive, as psql's are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<String, Datum>,
}

impl Variables {
    /// The value, which may be SQL's NULL. `None` if the name is not set.
    pub fn get(&self, name: &str) -> Option<&Datum> {
        self.values.get(name)
    }

    /// Sets a variable, whether it was set or not.
    pub fn set(&mut self, name: impl Into<String>, value: Datum) {
        self.values.insert(name.into(), value);
    }

    /// Forgets a variable, if it was set.
    pub fn unset(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Forgets all variables.
    pub fn clear(&mut self) {
        self.values.clear();
    }

    /// The variables that are set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Datum)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// The name that differs from this one in nothing but case.
    pub(super) fn similar(&self, name: &str) -> Option<&str> {
        let name = name.to_lowercase();
        self.values
            .keys()
            .find(|other| other.to_lowercase() == name)
            .map(String::as_str)
    }
}

/// A variable was needed that has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsetVariable {
    /// Its name.
    pub name: String,
    /// Lines between the first line of the template and the variable's own.
    pub lines_below: usize,
    /// A variable that is set, and whose name differs in nothing but case.
    pub similar: Option<String>,
    /// Whether it is set to NULL, and something was needed that cannot be NULL.
    pub is_null: bool,
}

impl fmt::Display for UnsetVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        if self.is_null {
            return write!(
                f,
                "`:\"{name}\"` is NULL, and NULL is no name; test it in SQL before: `SELECT … IS \
                 NULL AS is_null; \\gset`"
            );
        }
        write!(f, "`:{name}` is not set: ")?;
        match &self.similar {
            Some(similar) => write!(f, "`:{similar}` is, and upper and lower case differ"),
            None => write!(
                f,
                "no `\\set` and no `\\gset` that returned a row came before; test it with `\\if \
                 :{{?{name}}}` (where a colon belongs to SQL, a space goes behind it: `[1: {name}]`)"
            ),
        }
    }
}

impl std::error::Error for UnsetVariable {}

/// A boolean as psql reads it: `true`, `false`, `yes`, `no`, `on`, `off`, their unambiguous
/// beginnings, `1` and `0`, in any case. `None` if the text is no boolean.
pub fn truth(text: &str) -> Option<bool> {
    // `o` alone may be `on` or `off`.
    const WORDS: [(&str, usize, bool); 6] = [
        ("true", 1, true),
        ("false", 1, false),
        ("yes", 1, true),
        ("no", 1, false),
        ("on", 2, true),
        ("off", 2, false),
    ];
    let text = text.to_ascii_lowercase();
    match text.as_str() {
        "1" => Some(true),
        "0" => Some(false),
        _ => WORDS
            .into_iter()
            .find(|(word, least, _)| text.len() >= *least && word.starts_with(&text))
            .map(|(_, _, value)| value),
    }
}
