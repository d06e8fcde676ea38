//! Statuses of HTTP answers: `2xx 3xx`, `200 404`.

use reqwest::StatusCode;
use toml::Spanned;

use super::answered::Answered;
use super::file::AnswerTable;
use crate::scenarios::place::{FileError, SourceFile};

/// A list of statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statuses(Vec<Range>);

/// From one status to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range(u16, u16);

impl Default for Statuses {
    fn default() -> Self {
        Self(vec![Range(200, 399)])
    }
}

impl Statuses {
    /// Reads a list. Without one, statuses from 200 to 399 are meant.
    pub(super) fn read(
        source: SourceFile<'_>,
        text: Option<&Spanned<String>>,
    ) -> Result<Self, FileError> {
        let Some(text) = text else {
            return Ok(Self::default());
        };
        let ranges: Option<Vec<_>> = text.get_ref().split_whitespace().map(range).collect();
        match ranges {
            Some(ranges) if !ranges.is_empty() => Ok(Self(ranges)),
            _ => {
                let message = format!(
                    "{:?} is no list of statuses: 200, 2xx, or several with spaces in between",
                    text.get_ref()
                );
                Err(source.mistake(text.span().start, message))
            }
        }
    }

    pub(super) fn contain(&self, status: StatusCode) -> bool {
        let status = status.as_u16();
        self.0.iter().any(|it| (it.0..=it.1).contains(&status))
    }
}

fn range(word: &str) -> Option<Range> {
    let number = |text: &str| text.parse::<u16>().ok();
    let digits = word.strip_suffix("xx");
    let range = match digits.filter(|it| it.len() == 1).and_then(number) {
        Some(hundreds) => Range(hundreds * 100, hundreds * 100 + 99),
        None => {
            let status = number(word)?;
            Range(status, status)
        }
    };
    (100..=599).contains(&range.0).then_some(range)
}

/// Which answers say that a request was done.
#[derive(Debug, Default)]
pub(in crate::scenarios) struct Acknowledged {
    statuses: Statuses,
    body: Option<String>,
    body_not: Option<String>,
    location: Option<String>,
    location_not: Option<String>,
}

impl Acknowledged {
    pub(super) fn read(
        source: SourceFile<'_>,
        table: Option<&AnswerTable>,
    ) -> Result<Self, FileError> {
        let Some(table) = table else {
            return Ok(Self::default());
        };
        Ok(Self {
            statuses: Statuses::read(source, table.status.as_ref())?,
            body: table.body.clone(),
            body_not: table.body_not.clone(),
            location: table.location.clone(),
            location_not: table.location_not.clone(),
        })
    }

    /// Whether this answer says that the request was done.
    pub(super) fn is_said_by(&self, answer: &Answered) -> bool {
        let has = |text: &Option<String>, place: &str, missing: bool| {
            text.as_ref().map_or(missing, |it| place.contains(it))
        };
        let location = answer.location();
        self.statuses.contain(answer.status)
            && has(&self.body, &answer.body, true)
            && !has(&self.body_not, &answer.body, false)
            && has(&self.location, location, true)
            && !has(&self.location_not, location, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_or_hundreds() {
        let source = SourceFile {
            name: "x",
            text: "",
        };
        let read = |text: &str| Statuses::read(source, Some(&Spanned::new(0..0, text.to_owned())));
        let statuses = read("2xx 404").unwrap();
        for (status, is_in) in [(200, true), (299, true), (404, true), (403, false)] {
            assert_eq!(
                statuses.contain(StatusCode::from_u16(status).unwrap()),
                is_in,
                "{status}"
            );
        }
        for wrong in ["", "xx", "20x", "2xxx", "99", "600", "9xx", "ok", "-2xx"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
