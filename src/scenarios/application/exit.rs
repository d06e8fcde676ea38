//! Exit statuses: which of them say that a command was done, and which that it has declined.

use std::process::ExitStatus;

use serde::{Deserialize, Deserializer};
use toml::Spanned;
use utoipa::ToSchema;

use crate::scenarios::place::{FileError, SourceFile};

/// Exit statuses as a file writes them: a number, or a list of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenarios) struct ExitTable(Vec<i64>);

impl<'de> Deserialize<'de> for ExitTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExitVisitor)
    }
}

struct ExitVisitor;

impl<'de> serde::de::Visitor<'de> for ExitVisitor {
    type Value = ExitTable;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an exit status, or a list of them")
    }

    fn visit_i64<E: serde::de::Error>(self, status: i64) -> Result<ExitTable, E> {
        Ok(ExitTable(vec![status]))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<ExitTable, A::Error> {
        let mut statuses = Vec::new();
        while let Some(status) = list.next_element()? {
            statuses.push(status);
        }
        Ok(ExitTable(statuses))
    }
}

/// Exit statuses as the schema shows them.
#[derive(ToSchema)]
#[schema(as = ExitStatuses)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for its schema alone")]
pub(in crate::scenarios) enum ExitSchema {
    /// One status, from 0 to 255.
    One(u8),
    /// Several.
    Several(Vec<u8>),
}

/// What exit statuses say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExitMeaning {
    acknowledged: Vec<u8>,
    /// None if all are meant that programs do not crash with.
    declined: Option<Vec<u8>>,
}

/// What a program's exit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Acknowledged,
    /// It has decided not to do it.
    Declined,
    /// It has crashed.
    Failed,
}

/// How programs exit that have crashed: Python, Node, Ruby and Java with 1, Go with 2, Rust with
/// 101, PHP and Perl with 255. A shell adds 128 to the number of a signal, and says 126 or 127 if
/// there is no such program.
fn is_a_crash(status: u8) -> bool {
    matches!(status, 1 | 2 | 101 | 126 | 127 | 255) || signal(status).is_some()
}

/// The signal that has ended a program with this status.
fn signal(status: u8) -> Option<u8> {
    const LAST: u8 = 64;
    status.checked_sub(128).filter(|it| (1..=LAST).contains(it))
}

impl ExitMeaning {
    pub(super) fn read(
        source: SourceFile<'_>,
        acknowledged: Option<&Spanned<ExitTable>>,
        declined: Option<&Spanned<ExitTable>>,
    ) -> Result<Self, FileError> {
        let read = |table: &Spanned<ExitTable>| {
            let statuses = table.get_ref().0.iter().map(|it| u8::try_from(*it));
            let statuses: Result<Vec<_>, _> = statuses.collect();
            statuses.map_err(|_| {
                let message = "an exit status is from 0 to 255";
                source.mistake(table.span().start, message)
            })
        };
        let done = acknowledged.map(read).transpose()?;
        let done = done.unwrap_or_else(|| vec![0]);
        let Some(table) = declined else {
            return Ok(Self {
                acknowledged: done,
                declined: None,
            });
        };
        let declined = read(table)?;
        if let Some(both) = declined.iter().find(|it| done.contains(it)) {
            let message = if acknowledged.is_some() {
                format!("exit status {both} is in `acknowledged` already")
            } else {
                "exit status 0 says that it was done, unless `acknowledged` names another"
                    .to_owned()
            };
            return Err(source.mistake(table.span().start, message));
        }
        Ok(Self {
            acknowledged: done,
            declined: Some(declined),
        })
    }

    pub(super) fn of(&self, status: u8) -> Exit {
        let has_declined = match &self.declined {
            Some(declined) => declined.contains(&status),
            None => !is_a_crash(status),
        };
        if self.acknowledged.contains(&status) {
            Exit::Acknowledged
        } else if has_declined {
            Exit::Declined
        } else {
            Exit::Failed
        }
    }
}

/// The status as a shell tells it: a signal's number and 128.
pub(super) fn status_of(ended: ExitStatus) -> u8 {
    // The supervisor is a shell, so it is no signal unless the supervisor itself was killed.
    ended
        .code()
        .and_then(|it| u8::try_from(it).ok())
        .unwrap_or(u8::MAX)
}

/// A few words that tell how a program has ended.
pub(super) fn in_words(status: u8) -> String {
    match (signal(status), status) {
        (Some(signal), _) => match name_of(signal) {
            Some(name) => format!("killed by signal {signal} ({name})"),
            None => format!("killed by signal {signal}"),
        },
        (None, 126 | 127) => format!(
            "exit status {status} (is it installed, and is the path right as seen from its folder?)"
        ),
        (None, _) => format!("exit status {status}"),
    }
}

/// The names of signals whose numbers are the same everywhere.
fn name_of(signal: u8) -> Option<&'static str> {
    Some(match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        6 => "ABRT",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(acknowledged: Option<Vec<i64>>, declined: Option<Vec<i64>>) -> ExitMeaning {
        let source = SourceFile {
            name: "x",
            text: "",
        };
        let table = |it: Option<Vec<i64>>| it.map(|it| Spanned::new(0..0, ExitTable(it)));
        let (acknowledged, declined) = (table(acknowledged), table(declined));
        ExitMeaning::read(source, acknowledged.as_ref(), declined.as_ref()).unwrap()
    }

    #[test]
    fn a_status_is_done_a_decision_or_a_crash() {
        let usual = meaning(None, None);
        assert_eq!(usual.of(0), Exit::Acknowledged);
        for status in [3, 4, 75, 128, 193, 254] {
            assert_eq!(usual.of(status), Exit::Declined, "{status}");
        }
        for status in [1, 2, 101, 126, 127, 137, 139, 192, 255] {
            assert_eq!(usual.of(status), Exit::Failed, "{status}");
        }
    }

    #[test]
    fn a_file_can_say_it_otherwise() {
        let other = meaning(Some(vec![0, 3]), Some(vec![1]));
        let ends = [0, 3, 1, 4].map(|it| other.of(it));
        let expected = [
            Exit::Acknowledged,
            Exit::Acknowledged,
            Exit::Declined,
            Exit::Failed,
        ];
        assert_eq!(ends, expected);
    }

    #[test]
    fn a_signal_is_named() {
        assert_eq!(in_words(137), "killed by signal 9 (KILL)");
        assert_eq!(in_words(128 + 63), "killed by signal 63");
        assert_eq!(in_words(3), "exit status 3");
    }
}
