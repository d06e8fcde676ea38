//! Annotations: workflow commands, from which GitHub Actions marks lines of the files that are not
//! as expected.

use super::FindingData;
use super::build::{Build, Trouble};

/// The number of errors that GitHub shows of one step.
const MOST: usize = 10;

/// The largest size of a message, in characters. GitHub cuts one of 64 KB.
const MOST_CHARACTERS: usize = 4000;

/// One annotation.
#[derive(Debug)]
struct Annotation {
    /// The file, and its line. None if it concerns no file.
    place: Option<(String, Option<usize>)>,
    title: String,
    message: String,
}

/// A workflow command for each finding that is not as expected, and for each thing that could not
/// be explored. If there are more than GitHub shows, the last one says it.
pub fn annotations(build: &Build<'_>) -> String {
    let troubles = build.troubles().map(|it| Annotation::of_trouble(build, it));
    let failures = build.failures().map(|it| Annotation::of_failure(build, it));
    let mut all: Vec<_> = troubles.chain(failures).collect();
    if all.len() > MOST {
        let more = all.split_off(MOST - 1).len();
        all.push(Annotation {
            place: None,
            title: "Racy".to_owned(),
            message: format!("{more} more are not as expected: see the summary or the log"),
        });
    }
    all.iter().map(Annotation::command).collect()
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
        if let Some((heading, example)) = finding.shown() {
            message.push(format!("{heading}: {}", example.schedule));
            message.push(build.again(finding, example));
        }
        let is_file = finding.title.is_some();
        Self {
            place: is_file.then(|| ((build.locate)(&finding.strategy), finding.expected_at)),
            title: format!(
                "Racy: {}{} on {}",
                finding.strategy,
                finding.several_instances(),
                finding.engine
            ),
            message: message.join("\n"),
        }
    }

    fn of_trouble(build: &Build<'_>, trouble: Trouble<'_>) -> Self {
        let is_file = trouble.is_of_a_file();
        Self {
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
        format!("::error {}::{}\n", properties.join(","), data(&message))
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
    use super::super::{FindingData, Report};
    use super::*;

    fn failed() -> Report {
        let report = read(report().to_string().as_bytes()).unwrap();
        Report {
            broken: vec!["sub/x.toml:3:9: 100 %\nof it".to_owned()],
            findings: vec![FindingData {
                strategy: "a,b:c.toml".to_owned(),
                expected_at: Some(7),
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
    fn what_is_as_expected_has_no_annotation() {
        let mut report = failed();
        report.broken.clear();
        report.findings[0].unexpected.clear();
        assert_eq!(annotations(&Build::of(&report)), "");
    }
}
