//! What is written down against what the explorer finds: the heads of the strategies' files, the
//! matrix, which tools/matrix writes, also as data, counterexamples on pages, and the reports of
//! the scenarios that a page shows.
//!
//! Each engine's test compares its own sections and what is around them, so that one engine can be
//! tested alone. One test without an engine looks whether each page has all sections.
//!
//! The name of this file puts its tests last. The exploration that they ask for is made by then, so
//! that none of them takes another test's place while it waits.

mod scenarios;

use racy::console::matrix;
use racy::engine::{Engine, Isolation};
use racy::exhibits;
use racy::explore::Finding;
use racy::explore::report::{self, FindingData, Report, matrix as pages};
use racy::verdict::Verdict;

use crate::support::TestEngine;
use crate::support::explored::everything;

on_engines!(
    every:
        the_pages_of_the_matrix_say_what_is_found,
        the_report_of_the_matrix_is_what_is_found;
    mysql:
        each_head_tells_the_smallest_schedule,
        a_counterexample_on_a_page_is_the_one_that_is_found;
);

const MARKDOWN: &str = include_str!("../docs/matrix.md");
const HTML: &str = include_str!("../docs/matrix.html");

/// What begins and what ends a section of each page.
const SECTION: (&str, &str) = ("## ", "|\n\n");
const HTML_SECTION: (&str, &str) = ("<section>", "</section>\n");

const TITLES: [&str; 5] = [
    "MySQL",
    "MariaDB, innodb_snapshot_isolation off",
    "MariaDB, innodb_snapshot_isolation on",
    "PostgreSQL",
    "SQLite",
];

/// Pages with the counterexample of a strategy on MySQL at REPEATABLE READ.
const COUNTEREXAMPLES: [(&str, &str, &str); 2] = [
    ("lock_after_read", "README.md", include_str!("../README.md")),
    (
        "atomic_long_delay",
        "docs/explorer.md",
        include_str!("../docs/explorer.md"),
    ),
];

async fn each_head_tells_the_smallest_schedule(engine: TestEngine) {
    let found = everything(engine).await.iter();
    let told_of = found.filter(|it| it.engine.isolation == Isolation::RepeatableRead);
    for finding in told_of {
        let name = &finding.about.name;
        let full_name = name.split(", ").next().unwrap();
        let explanation = exhibits::specimen(full_name).unwrap().card().explanation();
        let told = match finding.simplest(Verdict::is_anomaly) {
            Some((_, simplest)) => format!("'{}'", simplest.schedule),
            None => "There is none".to_owned(),
        };
        assert!(explanation.contains(&told), "{name}: {told}");
    }
}

async fn the_pages_of_the_matrix_say_what_is_found(engine: TestEngine) {
    let report = Report::of_findings(everything(engine).await, Vec::new());
    let printed = pages::markdown(&report);
    assert_is_in(MARKDOWN, "docs/matrix.md", &printed, SECTION);
    let printed = pages::html(&report);
    assert_is_in(HTML, "docs/matrix.html", &printed, HTML_SECTION);
}

async fn the_report_of_the_matrix_is_what_is_found(engine: TestEngine) {
    let report = Report::of_findings(everything(engine).await, Vec::new());
    for found in report.findings {
        let found = without_what_differs(found);
        let is_the_same = |it: &&FindingData| {
            let named = |it: &FindingData| (it.strategy.clone(), it.instances, it.engine.clone());
            named(it) == named(&found)
        };
        let written = matrix::shipped().findings.iter().find(is_the_same);
        let (name, engine) = (&found.strategy, &found.engine);
        let written = written.unwrap_or_else(|| panic!("docs/matrix.json lacks {name}, {engine}"));
        let written = serde_json::to_string_pretty(written).unwrap();
        let found = serde_json::to_string_pretty(&found).unwrap();
        for (written, found) in written.lines().zip(found.lines()) {
            assert_eq!(written, found, "docs/matrix.json is old: run tools/matrix");
        }
        assert_eq!(
            written.len(),
            found.len(),
            "docs/matrix.json is old: run tools/matrix"
        );
    }
}

/// As tools/pack-report does it.
fn without_what_differs(finding: FindingData) -> FindingData {
    FindingData {
        took_ms: 0,
        engine: Engine {
            version: String::new(),
            rolls_back_on_timeout: false,
            can_switch_snapshot_isolation: false,
            ..finding.engine
        },
        ..finding
    }
}

async fn a_counterexample_on_a_page_is_the_one_that_is_found(engine: TestEngine) {
    let everything = everything(engine).await.iter();
    let found: Vec<_> = everything
        .filter(|it| it.engine.isolation == Isolation::RepeatableRead)
        .collect();
    for (strategy, name, page) in COUNTEREXAMPLES {
        let finding = found.iter().find(|it| it.about.name == strategy);
        let timeline = timeline(finding.unwrap());
        assert!(page.contains(&timeline), "{name} lacks this:\n{timeline}");
    }
}

fn assert_is_in(page: &str, name: &str, printed: &str, marks: (&str, &str)) {
    let printed = without_versions(printed);
    let (frame, sections) = parts(page, marks);
    let (printed_frame, printed_sections) = parts(&printed, marks);
    assert_eq!(printed_frame, frame, "{name} is old: run tools/matrix");
    for section in printed_sections {
        let title = section.lines().next().unwrap_or_default();
        let theirs = sections.iter().find(|it| it.lines().next() == Some(title));
        let theirs = theirs.unwrap_or_else(|| panic!("{name} lacks {title}"));
        for (theirs, ours) in theirs.lines().zip(section.lines()) {
            assert_eq!(theirs, ours, "{name} is old: run tools/matrix");
        }
        assert_eq!(
            theirs.len(),
            section.len(),
            "{name} is old: run tools/matrix"
        );
    }
}

/// The counterexample, as `racy explore` draws it.
fn timeline(finding: &Finding) -> String {
    let text = report::text(&Report::of_findings(
        std::slice::from_ref(finding),
        Vec::new(),
    ));
    let begin = text.find("     client A").expect("there is a timeline");
    let end = text.find("\nThe same as SQL").expect("the SQL follows");
    text[begin..end].to_owned()
}

/// The page's sections, and the page without them.
fn parts<'p>(page: &'p str, (begin, end): (&str, &str)) -> (String, Vec<&'p str>) {
    let (mut frame, mut sections, mut rest) = (String::new(), Vec::new(), page);
    while let Some(at) = line_that_begins(rest, begin) {
        let (before, section) = rest.split_at(at);
        let length = section.find(end).expect("a section has an end") + end.len();
        frame.push_str(before);
        sections.push(&section[..length]);
        rest = &section[length..];
    }
    (frame + rest, sections)
}

/// Where a line begins with these words.
fn line_that_begins(text: &str, words: &str) -> Option<usize> {
    let mut places = text.match_indices(words).map(|(at, _)| at);
    places.find(|at| *at == 0 || text[..*at].ends_with('\n'))
}

/// As tools/matrix does it.
fn without_versions(printed: &str) -> String {
    let lines = printed.split_inclusive('\n').map(|line| {
        if line.starts_with("Found on ") {
            "Written by `tools/matrix`.\n"
        } else if line.starts_with("<p>Found on ") {
            "<p>Written by <code>tools/matrix</code>.</p>\n"
        } else {
            line
        }
    });
    lines.collect()
}

#[test]
fn each_page_has_a_section_for_each_engine_and_mode() {
    for (page, marks) in [(MARKDOWN, SECTION), (HTML, HTML_SECTION)] {
        let (_, sections) = parts(page, marks);
        assert_eq!(sections.len(), TITLES.len());
        for (section, title) in sections.iter().zip(TITLES) {
            let first = section.lines().next().unwrap_or_default();
            assert!(first.contains(title), "{first}");
        }
    }
}
