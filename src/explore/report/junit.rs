//! Findings as JUnit XML, which CI systems read.
//!
//! By hand, because it takes five elements: a suite for each engine and level, a case for each
//! subject, and a failure for what is not as expected.

use std::fmt::Write as _;

use super::build::{Build, Trouble};
use super::{FindingData, text, timeline};

/// The build as JUnit XML.
pub fn junit(build: &Build<'_>) -> String {
    let findings = &build.report.findings;
    let troubles: Vec<_> = build.troubles().collect();
    let missing: Vec<_> = build.missing().collect();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"racy\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\">\n",
        findings.len() + troubles.len() + missing.len(),
        build.failures().count(),
        troubles.len(),
        missing.len(),
        seconds(findings.iter().map(|it| it.took_ms).sum()),
    );
    for (place, cases) in by_place(findings) {
        write_suite(&mut xml, build, &place, &cases);
    }
    write_troubles(&mut xml, build, &troubles);
    write_missing(&mut xml, &missing);
    xml.push_str("</testsuites>\n");
    xml
}

/// The findings of each engine and level, in their order.
fn by_place(findings: &[FindingData]) -> Vec<(String, Vec<&FindingData>)> {
    let mut places: Vec<(String, Vec<&FindingData>)> = Vec::new();
    for finding in findings {
        let place = finding.engine.to_string();
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, cases)) => cases.push(finding),
            None => places.push((place, vec![finding])),
        }
    }
    places
}

fn write_suite(xml: &mut String, build: &Build<'_>, place: &str, cases: &[&FindingData]) {
    let failures = cases.iter().filter(|it| !it.unexpected.is_empty());
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" time=\"{}\">",
        escaped(place),
        cases.len(),
        failures.count(),
        seconds(cases.iter().map(|it| it.took_ms).sum()),
    );
    for case in cases {
        write_case(xml, build, place, case);
    }
    xml.push_str("  </testsuite>\n");
}

fn write_case(xml: &mut String, build: &Build<'_>, place: &str, case: &FindingData) {
    let name = format!("{}{}", case.strategy, case.several_instances());
    let file = match case.title {
        Some(_) => format!(" file=\"{}\"", escaped(&(build.locate)(&case.strategy))),
        None => String::new(),
    };
    let _ = writeln!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\"{file} time=\"{}\">",
        escaped(place),
        escaped(&name),
        seconds(case.took_ms)
    );
    if !case.unexpected.is_empty() {
        let _ = writeln!(
            xml,
            "      <failure type=\"unexpected\" message=\"{}\">{}</failure>",
            escaped(&case.unexpected[0]),
            escaped(&failure(build, case))
        );
    }
    let mut said = case.verdict.clone();
    if let Some(warning) = case.warning() {
        let _ = write!(said, "\nWarning: {warning}");
    }
    for assumption in &case.assumptions {
        let _ = write!(said, "\nTaken for granted: {assumption}");
    }
    let _ = writeln!(
        xml,
        "      <system-out>{}</system-out>\n    </testcase>",
        escaped(&said)
    );
}

/// All that there is to say of a case that is not as expected.
fn failure(build: &Build<'_>, case: &FindingData) -> String {
    let (unexpected, verdict) = (case.unexpected.join("\n"), &case.verdict);
    let counts = text::counts_in_lines(case);
    let mut said = format!("{unexpected}\n\n{verdict}\n\n{counts}");
    for (heading, example) in case.shown_in_a_build() {
        let drawn = timeline::draw(case, example);
        let (schedule, preemptions) = (&example.schedule, example.preemptions_in_words());
        let again = build.again(case, example);
        let _ = write!(
            said,
            "\n{heading}: {schedule}{preemptions}\n\n{drawn}\nRun this schedule again: {again}\n"
        );
    }
    said
}

/// A suite of what could not be explored.
fn write_troubles(xml: &mut String, build: &Build<'_>, troubles: &[Trouble<'_>]) {
    const SUITE: &str = "could not be explored";
    let count = troubles.len();
    if count == 0 {
        return;
    }
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{SUITE}\" tests=\"{count}\" errors=\"{count}\">"
    );
    for trouble in troubles {
        let file = match trouble.is_of_a_file() {
            true => format!(" file=\"{}\"", escaped(&(build.locate)(trouble.name))),
            false => String::new(),
        };
        let _ = writeln!(
            xml,
            "    <testcase classname=\"{SUITE}\" name=\"{}\"{file}>\n      \
             <error message=\"{}\">{}</error>\n    </testcase>",
            escaped(trouble.name),
            escaped(trouble.first_line()),
            escaped(trouble.message)
        );
    }
    xml.push_str("  </testsuite>\n");
}

/// A suite of what was left out.
fn write_missing(xml: &mut String, missing: &[&str]) {
    const SUITE: &str = "not run";
    let count = missing.len();
    if count == 0 {
        return;
    }
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{SUITE}\" tests=\"{count}\" skipped=\"{count}\">"
    );
    for line in missing {
        let name = line.split(": ").next().unwrap_or(line);
        let _ = writeln!(
            xml,
            "    <testcase classname=\"{SUITE}\" name=\"{}\"><skipped message=\"{}\"/></testcase>",
            escaped(name),
            escaped(line)
        );
    }
    xml.push_str("  </testsuite>\n");
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// The text as XML takes it, in an attribute as well. XML has no place for most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            _ if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::read::tests::report;
    use super::super::{Report, read};
    use super::*;

    fn failed() -> Report {
        let mut report = read(report().to_string().as_bytes()).unwrap();
        report.findings[0].never_interleaved = false;
        report
    }

    #[test]
    fn a_case_says_what_is_taken_for_granted() {
        let xml = junit(&Build::of(&failed()));
        let said = "<system-out>goes wrong\nTaken for granted: yes</system-out>";
        assert!(xml.contains(said), "{xml}");
    }

    #[test]
    fn a_case_warns_that_nothing_was_tested() {
        let mut report = failed();
        report.findings[0].never_interleaved = true;
        let xml = junit(&Build::of(&report));
        let said = "<system-out>goes wrong\nWarning: the clients' steps were never interleaved, so \
                    nothing was tested.";
        assert!(xml.contains(said), "{xml}");
    }

    #[test]
    fn a_failure_says_what_was_found_and_how_to_see_it_again() {
        let report = failed();
        let build = Build {
            locate: |name| format!("shop/{name}"),
            ..Build::of(&report)
        };
        let xml = junit(&build);
        for words in [
            "name=\"last.toml\" file=\"shop/last.toml\"",
            "message=\"no\">no\n\ngoes wrong\n\n       1  an own one\n",
            "       1  with a wait for a lock\n",
            "\nThe schedule: A B (1 preemption)\n\n     client A, customer",
            "\nRun this schedule again: racy explore last.toml --database-url sqlite::memory: \
             --schedule 'A B'\n</failure>",
        ] {
            assert!(xml.contains(words), "{words:?} is not in {xml}");
        }
    }

    #[test]
    fn no_text_breaks_the_document() {
        assert_eq!(
            escaped("a < \"b\" & \u{1b}[1m\n"),
            "a &lt; &quot;b&quot; &amp; \u{fffd}[1m\n"
        );
        assert_eq!(seconds(12_034), "12.034");
    }

    #[test]
    fn what_could_not_be_explored_is_an_error() {
        let report = Report {
            version: 1,
            findings: Vec::new(),
            missing: vec!["local:mysql: not found".to_owned()],
            broken: vec!["x.toml:3:9: false <without> any race\nits log".to_owned()],
        };
        let errors = ["the server has ended".to_owned()];
        let xml = junit(&Build {
            errors: &errors,
            ..Build::of(&report)
        });
        for words in [
            "tests=\"3\" failures=\"0\" errors=\"2\" skipped=\"1\"",
            "name=\"x.toml\" file=\"x.toml\">\n      \
             <error message=\"x.toml:3:9: false &lt;without&gt; any race\">\
             x.toml:3:9: false &lt;without&gt; any race\nits log</error>",
            "<error message=\"the server has ended\">",
            "name=\"local:mysql\"><skipped message=\"local:mysql: not found\"/>",
        ] {
            assert!(xml.contains(words), "{words:?} is not in {xml}");
        }
    }
}
