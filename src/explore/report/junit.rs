//! Findings as JUnit XML, which CI systems read.
//!
//! By hand, because it takes five elements: a suite for each engine and level, a case for each
//! subject, and a failure for what is not as expected.

use std::fmt::Write as _;

use super::{FindingData, Report, timeline};

/// The report as JUnit XML.
pub fn junit(report: &Report) -> String {
    let findings = &report.findings;
    let failures = findings.iter().filter(|it| !it.unexpected.is_empty());
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"racy\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\">\n",
        findings.len() + report.broken.len() + report.missing.len(),
        failures.count(),
        report.broken.len(),
        report.missing.len(),
        seconds(findings.iter().map(|it| it.took_ms).sum()),
    );
    for (place, cases) in by_place(findings) {
        write_suite(&mut xml, &place, &cases);
    }
    write_others(&mut xml, "could not be explored", "error", &report.broken);
    write_others(&mut xml, "not run", "skipped", &report.missing);
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

fn write_suite(xml: &mut String, place: &str, cases: &[&FindingData]) {
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
        write_case(xml, place, case);
    }
    xml.push_str("  </testsuite>\n");
}

fn write_case(xml: &mut String, place: &str, case: &FindingData) {
    let name = format!("{}{}", case.strategy, case.several_instances());
    let _ = writeln!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\">",
        escaped(place),
        escaped(&name),
        seconds(case.took_ms)
    );
    if !case.unexpected.is_empty() {
        let mut text = format!("{}\n", case.unexpected.join("\n"));
        if let Some((heading, example)) = case.shown() {
            let drawn = timeline::draw(case, example);
            let (schedule, preemptions) = (&example.schedule, example.preemptions_in_words());
            let _ = write!(text, "\n{heading}: {schedule}{preemptions}\n\n{drawn}");
        }
        let _ = writeln!(
            xml,
            "      <failure type=\"unexpected\" message=\"{}\">{}</failure>",
            escaped(&case.unexpected[0]),
            escaped(&text)
        );
    }
    let mut said = case.verdict.clone();
    for assumption in &case.assumptions {
        let _ = write!(said, "\nTaken for granted: {assumption}");
    }
    let _ = writeln!(
        xml,
        "      <system-out>{}</system-out>\n    </testcase>",
        escaped(&said)
    );
}

/// A suite of cases that have no finding.
fn write_others(xml: &mut String, suite: &str, element: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let count = lines.len();
    let _ = writeln!(xml, "  <testsuite name=\"{suite}\" tests=\"{count}\">");
    for line in lines {
        let name = line.split(": ").next().unwrap_or(line);
        let _ = writeln!(
            xml,
            "    <testcase classname=\"{suite}\" name=\"{}\"><{element} message=\"{}\"/></testcase>",
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
    use super::super::read;
    use super::super::read::tests::report;
    use super::*;

    #[test]
    fn a_case_says_what_is_taken_for_granted() {
        let xml = junit(&read(report().to_string().as_bytes()).unwrap());
        let said = "<system-out>goes wrong\nTaken for granted: yes</system-out>";
        assert!(xml.contains(said), "{xml}");
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
    fn a_file_that_is_wrong_is_an_error() {
        let report = Report {
            version: 1,
            findings: Vec::new(),
            missing: vec!["local:mysql: not found".to_owned()],
            broken: vec!["x.toml: false <without> any race".to_owned()],
        };
        let xml = junit(&report);
        assert!(xml.contains("errors=\"1\" skipped=\"1\""), "{xml}");
        assert!(xml.contains("<error message=\"x.toml: false &lt;without&gt; any race\"/>"));
    }
}
