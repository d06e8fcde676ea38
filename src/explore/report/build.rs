//! What a build has come to: the report, and what the command line knows besides. JUnit XML, the
//! summary and the annotations are drawn from it.

use std::fmt::Write as _;

use super::{ExampleData, FindingData, Report};
use crate::engine::Flavour;

/// What a build has come to.
#[derive(Debug, Clone, Copy)]
pub struct Build<'r> {
    /// What was found.
    pub report: &'r Report,
    /// What ended the exploration early, or kept it from beginning, besides what the report has.
    pub errors: &'r [String],
    /// What was asked for.
    pub asked: Asked,
    /// The path of a file within the repository, by its name on the command line.
    pub locate: fn(&str) -> String,
}

/// What was asked for on the command line that a schedule depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// `--clients`.
    pub clients: Option<u8>,
    /// `--split-commits`.
    pub split_commits: bool,
    /// `--in-place`.
    pub in_place: bool,
    /// `--settle`, in milliseconds.
    pub settle: Option<u32>,
}

/// Something that could not be explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trouble<'m> {
    /// The file or, if it concerns none, what the message begins with.
    pub(super) name: &'m str,
    /// The line of the file, from 1. None if it concerns the whole file.
    pub(super) line: Option<usize>,
    /// The whole message. It may have several lines, for instance the end of a log.
    pub(super) message: &'m str,
}

impl<'r> Build<'r> {
    /// A report for itself.
    pub fn of(report: &'r Report) -> Self {
        Self {
            report,
            errors: &[],
            asked: Asked::default(),
            locate: str::to_owned,
        }
    }

    /// The findings that are not as expected.
    pub(super) fn failures(&self) -> impl Iterator<Item = &'r FindingData> {
        let findings = self.report.findings.iter();
        findings.filter(|it| !it.unexpected.is_empty())
    }

    /// The findings that prove nothing, and why.
    pub(super) fn warnings(&self) -> impl Iterator<Item = (&'r FindingData, &'static str)> {
        let findings = self.report.findings.iter();
        findings.filter_map(|it| Some((it, it.warning()?)))
    }

    /// What could not be explored.
    pub(super) fn troubles(&self) -> impl Iterator<Item = Trouble<'r>> {
        let messages = self.report.broken.iter().chain(self.errors);
        messages.map(|it| Trouble::read(it))
    }

    /// What was left out. An engine that failed is an error already.
    pub(super) fn missing(&self) -> impl Iterator<Item = &'r str> {
        let is_error = |it: &&String| self.errors.iter().any(|error| it.ends_with(error.as_str()));
        let missing = self.report.missing.iter();
        missing.filter(move |it| !is_error(it)).map(String::as_str)
    }

    /// The command that runs an example's schedule again: on a private server of the same engine.
    /// If the runs were in a database of the user's, it is there.
    pub(super) fn again(&self, finding: &FindingData, example: &ExampleData) -> String {
        let mut command = format!("racy explore {}", quoted(&finding.strategy));
        let database = match finding.engine.flavour {
            _ if self.asked.in_place => "\"$DATABASE_URL\" --in-place",
            Flavour::MySql => "local:mysql",
            Flavour::MariaDb => "local:mariadb",
            Flavour::Postgres => "local:postgres",
            Flavour::Sqlite => "sqlite::memory:",
        };
        let _ = write!(command, " --database-url {database}");
        let has_request = |it: &super::ClientData| it.request.is_some();
        if !finding.scenario_clients.iter().any(has_request) {
            command.push_str(&settings(finding));
        }
        let clients = match finding.title {
            Some(_) => self.asked.clients.map(usize::from),
            None => Some(finding.clients),
        };
        if let Some(clients) = clients {
            let _ = write!(command, " --clients {clients}");
        }
        if finding.instances > 1 {
            let _ = write!(command, " --instances {}", finding.instances);
        }
        if self.asked.split_commits {
            command.push_str(" --split-commits");
        }
        if let Some(settle) = self.asked.settle {
            let _ = write!(command, " --settle {settle}");
        }
        let _ = write!(command, " --schedule '{}'", example.schedule);
        command
    }
}

/// The options for the level, and for how the engine behaves.
fn settings(finding: &FindingData) -> String {
    let engine = &finding.engine;
    let level = engine.isolation.sql().to_lowercase().replace(' ', "-");
    let on_or_off = |is_on| if is_on { "on" } else { "off" };
    match engine.flavour {
        Flavour::MySql | Flavour::Postgres => format!(" --isolation {level}"),
        Flavour::MariaDb => format!(
            " --isolation {level} --snapshot-isolation {}",
            on_or_off(engine.snapshot_isolation)
        ),
        Flavour::Sqlite => match engine.journal {
            Some(crate::engine::Journal::Rollback) => " --journal rollback".to_owned(),
            _ => String::new(),
        },
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "_./-".contains(it);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

impl<'m> Trouble<'m> {
    /// Reads a message: `FILE:LINE:COLUMN: …`, `FILE, on ENGINE, LEVEL: …` or `NAME: …`.
    fn read(message: &'m str) -> Self {
        let head = message.split(": ").next().unwrap_or(message);
        let head = head.split(", on ").next().unwrap_or(head);
        let mut parts = head.rsplitn(3, ':');
        let (column, line, name) = (parts.next(), parts.next(), parts.next());
        let number = |it: Option<&str>| it.and_then(|it| it.parse::<usize>().ok());
        match (name, number(line), number(column)) {
            (Some(name), Some(line), Some(_)) => Self {
                name,
                line: Some(line),
                message,
            },
            _ => Self {
                name: head,
                line: None,
                message,
            },
        }
    }

    /// Whether it concerns a file.
    pub(super) fn is_of_a_file(&self) -> bool {
        self.name.ends_with(".toml")
    }

    /// The first line of the message.
    pub(super) fn first_line(&self) -> &'m str {
        self.message.lines().next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::super::read::tests::report;
    use super::*;

    #[test]
    fn a_message_tells_the_file_and_the_line() {
        for (message, name, line) in [
            ("a b.toml:3:9: `count` must", "a b.toml", Some(3)),
            ("x.toml: No such file", "x.toml", None),
            (
                "x.toml:6:1, on SQLite 3.51.3, SERIALIZABLE: no such table",
                "x.toml",
                Some(6),
            ),
            (
                "x.toml, on SQLite 3.51.3, SERIALIZABLE: false",
                "x.toml",
                None,
            ),
            ("local:mysql: not found", "local:mysql", None),
            ("nothing was explored", "nothing was explored", None),
        ] {
            let trouble = Trouble::read(message);
            assert_eq!((trouble.name, trouble.line), (name, line), "{message}");
        }
    }

    #[test]
    fn a_schedule_is_run_again_as_it_was_asked_for() {
        let mut report = read(report().to_string().as_bytes()).unwrap();
        let finding = &mut report.findings[0];
        finding.strategy = "it's mine.toml".to_owned();
        finding.engine.flavour = Flavour::MariaDb;
        let build = Build {
            asked: Asked {
                clients: Some(3),
                split_commits: true,
                ..Asked::default()
            },
            ..Build::of(&report)
        };
        let finding = &report.findings[0];
        let example = finding.refused_example.as_ref().unwrap();
        let again = "racy explore 'it'\\''s mine.toml' --database-url local:mariadb --isolation \
                     serializable --snapshot-isolation off --clients 3 --split-commits --schedule \
                     'A B'";
        assert_eq!(build.again(finding, example), again);
    }

    #[test]
    fn an_application_chooses_its_level_itself() {
        let mut report = read(report().to_string().as_bytes()).unwrap();
        report.findings[0].scenario_clients[0].request = Some("POST /x".to_owned());
        report.findings[0].engine.flavour = Flavour::MySql;
        let build = Build {
            asked: Asked {
                in_place: true,
                settle: Some(2000),
                ..Asked::default()
            },
            ..Build::of(&report)
        };
        let finding = &report.findings[0];
        let example = finding.refused_example.as_ref().unwrap();
        let again = "racy explore last.toml --database-url \"$DATABASE_URL\" --in-place --settle \
                     2000 --schedule 'A B'";
        assert_eq!(build.again(finding, example), again);
    }

    #[test]
    fn an_engine_that_failed_is_told_once() {
        let mut report = read(report().to_string().as_bytes()).unwrap();
        report.missing = vec!["local:mysql: it ended".to_owned(), "MariaDB".to_owned()];
        let errors = ["it ended".to_owned()];
        let build = Build {
            errors: &errors,
            ..Build::of(&report)
        };
        assert_eq!(build.missing().collect::<Vec<_>>(), ["MariaDB"]);
        assert_eq!(build.troubles().count(), 2);
    }
}
