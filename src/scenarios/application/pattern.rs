//! Texts with `{names}` in them.

use std::fmt;

/// A text in which names stand for values: `/checkout/{order}/`. `{{` is a brace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenarios) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

/// A text that is no pattern: what is wrong, and the byte where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatternError {
    pub(super) at: usize,
    pub(super) message: &'static str,
}

/// A name that has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenarios) struct NoValue(pub(super) String);

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.strip_prefix("cookie.") {
            Some(name) => write!(
                f,
                "there is no cookie {name:?}; no answer before has set it"
            ),
            None => write!(f, "{{{}}} has no value here", self.0),
        }
    }
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.char_indices().peekable();
        while let Some((at, letter)) = rest.next() {
            match letter {
                '{' if rest.next_if(|(_, it)| *it == '{').is_some() => plain.push('{'),
                '}' if rest.next_if(|(_, it)| *it == '}').is_some() => plain.push('}'),
                '{' => {
                    let is_name = |it: char| it.is_alphanumeric() || "_.-".contains(it);
                    let mut name = String::new();
                    while let Some((_, it)) = rest.next_if(|(_, it)| is_name(*it)) {
                        name.push(it);
                    }
                    let is_closed = rest.next_if(|(_, it)| *it == '}').is_some();
                    if name.is_empty() || !is_closed {
                        let message = "a name in braces is wanted here; `{{` is a brace";
                        return Err(PatternError { at, message });
                    }
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Name(name));
                }
                '}' => {
                    let message = "this brace closes nothing; `}}` is a brace";
                    return Err(PatternError { at, message });
                }
                other => plain.push(other),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The names in it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Name(name) => Some(name.as_str()),
        })
    }

    /// The text as the file has it, but for its braces.
    pub(super) fn as_written(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(name) => format!("{{{name}}}"),
        });
        parts.collect()
    }

    /// The text with the values of its names.
    pub(super) fn fill(&self, value: &dyn Fn(&str) -> Option<String>) -> Result<String, NoValue> {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Name(name) => value(name).ok_or_else(|| NoValue(name.clone())),
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_and_double_braces_are_braces() {
        let pattern = Pattern::parse("/a/{order}/?x={{{n}}}&c={cookie.csrf-token}").unwrap();
        assert_eq!(
            pattern.names().collect::<Vec<_>>(),
            ["order", "n", "cookie.csrf-token"]
        );
        let filled = pattern.fill(&|name| Some(name.to_uppercase())).unwrap();
        assert_eq!(filled, "/a/ORDER/?x={N}&c=COOKIE.CSRF-TOKEN");
        let unset = pattern.fill(&|_| None).unwrap_err();
        assert_eq!(unset.to_string(), "{order} has no value here");
    }

    #[test]
    fn a_brace_that_is_no_name_is_a_mistake_at_its_place() {
        for (text, at) in [("a{", 1), ("{}", 0), ("{a b}", 0), ("ab}c", 2)] {
            assert_eq!(Pattern::parse(text).unwrap_err().at, at, "{text}");
        }
    }
}
