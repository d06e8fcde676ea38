//! Annotations: workflow commands, from which GitHub Actions marks lines of the files that are not
//! as expected, and files that have tested nothing.

use super::FindingData;
use super::build::{Build, Trouble};

/// The number of errors, and of warnings, that GitHub shows of one step.
const MOST: usize = 10;

/// The largest size of a message, in characters. GitHub cuts one of 64 KB.
const MOST_CHARACTERS: usize = 4000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One annotation.
#[derive(Debug)]
struct Annotation {
    level: Level,
    /// The file, and its line. None if it concerns no file.
    place: Option<(String, Option<usize>)>,
    title: String,
    message: String,
}

/// A workflow command for each finding that is not as expected or has tested nothing, and for each
/// thing that could not be explored. If there are more than GitHub shows, the last one says it.
pub fn annotations(build: &Build<'_>) -> String {
    let troubles = build.troubles().map(|it| Annotation::of_trouble(build, it));
    let failures = build.failures().map(|it| Annotation::of_failure(build, it));
    let errors = troubles.chain(failures).collect();
    let errors = shortened(errors, Level::Error, "are not as expected");
    let warnings = build
        .warnings()
        .map(|(it, why)| Annotation::of_warning(build, it, why));
    let warnings = shortened(warnings.collect(), Level::Warning, "have tested nothing");
    let all = errors.iter().chain(&warnings);
    all.map(Annotation::command).collect()
}

/// As many as GitHub shows. The last one counts the others.
fn shortened(mut all: Vec<Annotation>, level: Level, what: &str) -> Vec<Annotation> {
    if all.len() > MOST {
        let more = all.split_off(MOST - 1).len();
        all.push(Annotation {
            level,
            place: None,
            title: "Racy".to_owned(),
            message: format!("{more} more {what}: see the summary or the log"),
        });
    }
    all
}

/// What an annotation of a finding is called.
fn title(finding: &FindingData) -> String {
    let (name, instances) = (&finding.strategy, finding.several_instances());
    format!("Racy: {name}{instances} on {}", finding.engine)
}

impl Annotation {
    fn of_failure(build: &Build<'_>, finding: &FindingData) -> Self {
        let mut message = vec![finding.verdict.clone()];
        message.extend(
            finding
                .unexpected
                .iter()
                .map(|it| format!("Not as expected: {it}")),
        );
        for (heading, example) in finding.shown_in_a_build() {
            message.push(format!("{heading}: {}", example.schedule));
            message.push(build.again(finding, example));
        }
        let is_file = finding.title.is_some();
        Self {
            level: Level::Error,
            place: is_file.then(|| ((build.locate)(&finding.strategy), finding.expected_at)),
            title: title(finding),
            message: message.join("\n"),
        }
    }

    /// Only a file's finding has a warning.
    fn of_warning(build: &Build<'_>, finding: &FindingData, why: &str) -> Self {
        Self {
            level: Level::Warning,
            place: Some(((build.locate)(&finding.strategy), None)),
            title: title(finding),
            message: format!("{}\n{why}", finding.verdict),
        }
    }

    fn of_trouble(build: &Build<'_>, trouble: Trouble<'_>) -> Self {
        let is_file = trouble.is_of_a_file();
        Self {
            level: Level::Error,
            place: is_file.then(|| ((build.locate)(trouble.name), trouble.line)),
            title: "Racy: could not be explored".to_owned(),
            message: trouble.message.to_owned(),
        }
    }

    fn command(&self) -> String {
        let mut properties = Vec::new();
        if let Some((file, line)) = &self.place {
            properties.push(format!("file={}", property(file)));
            properties.extend(line.map(|it| format!("line={it}")));
        }
        properties.push(format!("title={}", property(&self.title)));
        let message: String = self.message.chars().take(MOST_CHARACTERS).collect();
        let level = self.level.name();
        format!("::{level} {}::{}\n", properties.join(","), data(&message))
    }
}

/// A message as the runner reads it back.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property's value as the runner reads it back.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::super::read::tests::report;
    use super::super::{ExampleData, FindingData, Report};
    use super::*;
    use crate::explore::Schedule;
    use crate::verdict::VerdictData;

    fn failed() -> Report {
        let report = read(report().to_string().as_bytes()).unwrap();
        Report {
            broken: vec!["sub/x.toml:3:9: 100 %\nof it".to_owned()],
            findings: vec![FindingData {
                strategy: "a,b:c.toml".to_owned(),
                expected_at: Some(7),
                never_interleaved: false,
                ..report.findings[0].clone()
            }],
            ..report
        }
    }

    #[test]
    fn a_command_names_the_file_and_the_line() {
        let report = failed();
        let build = Build {
            locate: |name| format!("shop/{name}"),
            ..Build::of(&report)
        };
        let said = annotations(&build);
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(
            lines[0],
            "::error file=shop/sub/x.toml,line=3,title=Racy%3A could not be explored::\
             sub/x.toml:3:9: 100 %25%0Aof it"
        );
        assert_eq!(
            lines[1],
            "::error file=shop/a%2Cb%3Ac.toml,line=7,title=Racy%3A a%2Cb%3Ac.toml on SQLite 3.50%2C \
             SERIALIZABLE::goes wrong%0ANot as expected: no%0AThe schedule: A B%0Aracy explore \
             'a,b:c.toml' --database-url sqlite::memory: --schedule 'A B'"
        );
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn more_than_github_shows_are_counted() {
        let mut report = failed();
        report.broken.clear();
        report.findings = vec![report.findings[0].clone(); 12];
        let said = annotations(&Build::of(&report));
        assert_eq!(said.lines().count(), MOST);
        let last = said.lines().last().unwrap();
        assert!(last.ends_with("::3 more are not as expected: see the summary or the log"));
    }

    #[test]
    fn each_unexpected_verdict_is_shown_with_a_schedule_of_its_own() {
        let mut report = failed();
        report.broken.clear();
        let finding = &mut report.findings[0];
        let refused = finding.replayed.take().unwrap();
        let declined = ExampleData {
            verdict: VerdictData {
                verdict: "declined".into(),
                fault: None,
            },
            schedule: Schedule::parse("B A", 2).unwrap(),
            ..refused.clone()
        };
        finding.refused_example = Some(declined);
        finding.unexpected_examples = vec![refused];
        let said = annotations(&Build::of(&report));
        let shown = "The simplest schedule in which a client is refused: deadlock: A B\
                     %0Aracy explore 'a,b:c.toml' --database-url sqlite::memory: --schedule 'A B'\n";
        assert!(said.ends_with(shown), "{said}");
        assert!(!said.contains("B A"), "{said}");
    }

    #[test]
    fn what_is_missing_is_shown_with_no_schedule() {
        let mut report = failed();
        report.broken.clear();
        report.findings[0].replayed = None;
        report.findings[0].unexpected_examples.clear();
        let said = annotations(&Build::of(&report));
        assert!(
            said.ends_with("::goes wrong%0ANot as expected: no\n"),
            "{said}"
        );
    }

    #[test]
    fn what_has_tested_nothing_is_a_warning() {
        let mut report = failed();
        report.broken.clear();
        report.findings[0].unexpected.clear();
        report.findings[0].never_interleaved = true;
        let said = annotations(&Build::of(&report));
        let expected = "::warning file=a%2Cb%3Ac.toml,title=Racy%3A a%2Cb%3Ac.toml on SQLite \
                        3.50%2C SERIALIZABLE::goes wrong%0Athe clients' steps were never interleaved, \
                        so nothing was tested.";
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(said.lines().count(), 1);
    }

    #[test]
    fn what_is_as_expected_has_no_annotation() {
        let mut report = failed();
        report.broken.clear();
        report.findings[0].unexpected.clear();
        assert_eq!(annotations(&Build::of(&report)), "");
    }
}
