//! What docs/scenarios.md shows of the scenarios that it writes down: each report is a part of what
//! the program prints for them.

use std::sync::Arc;

use racy::engine::{Database, Settings};
use racy::explore::report::{self, Build, Report, matrix};
use racy::explore::{self, Subject};
use racy::scenarios::{Options, Scenario};

use crate::support::TestEngine;
use crate::support::explored::{ALL, explored, plan};

on_engines!(
    mysql:
        each_report_on_the_page_is_what_is_printed,
        the_case_of_junit_on_the_page_is_what_is_printed,
        the_table_on_the_page_is_what_is_printed;
    postgres: the_table_on_the_page_is_what_is_printed;
);

const PAGE: &str = include_str!("../../docs/scenarios.md");

/// How a complaint begins that the page shows of a file which it does not.
const OF_NO_FILE: &str = "racy: false.toml, ";

async fn each_report_on_the_page_is_what_is_printed(engine: TestEngine) {
    let lab = engine.lab_with(at_own_level()).await;
    let split = Options {
        split_commits: true,
        ..Options::default()
    };
    let mut printed = String::new();
    for (name, text, options) in [
        ("voucher.toml", voucher(), Options::default()),
        ("cured.toml", cured(), Options::default()),
        (
            "several-uses.toml",
            toml("A voucher for several uses"),
            Options::default(),
        ),
        ("known.toml", known("41"), Options::default()),
        (
            "outbox.toml",
            toml("A consumer that remembers the last id"),
            split,
        ),
    ] {
        let report = reported(&lab.database, subject(name, &text, options)).await;
        printed += &format!("\n{}", report::text(&report));
    }
    let printed = without_version(&printed);
    let mut compared = 0;
    for block in blocks("text") {
        let block = without_command(block);
        if !block.is_empty() && !block.starts_with(OF_NO_FILE) {
            let block = format!("\n{}", without_version(block));
            assert!(printed.contains(&block), "{block}\nis not in\n{printed}");
            compared += 1;
        }
    }
    assert_eq!(compared, 7);
}

async fn the_case_of_junit_on_the_page_is_what_is_printed(engine: TestEngine) {
    let lab = engine.lab_with(at_own_level()).await;
    let known = subject("known.toml", &known("\"some\""), Options::default());
    let printed = report::junit(&Build::of(&reported(&lab.database, known).await));
    let [suite] = &blocks("xml")[..] else {
        panic!("the page shows one suite");
    };
    let (suite, printed) = (without_times(suite), without_times(&printed));
    let (suite, printed) = (without_version(&suite), without_version(&printed));
    assert!(printed.contains(&suite), "{suite}\nis not in\n{printed}");
}

async fn the_table_on_the_page_is_what_is_printed(engine: TestEngine) {
    let mut findings = Vec::new();
    for settings in engine.modes_and_levels() {
        let lab = engine.lab_with(explore::settings(&settings)).await;
        let voucher = subject("voucher.toml", &voucher(), Options::default());
        findings.extend(reported(&lab.database, voucher).await.findings);
    }
    let report = Report {
        findings,
        ..Report::of_findings(&[], Vec::new())
    };
    let printed = matrix::markdown(&report);
    let mut parts = printed.split("\n\n");
    let table = parts.find(|it| it.starts_with("| strategy |")).unwrap();
    assert!(
        PAGE.contains(table),
        "docs/scenarios.md lacks this:\n{table}"
    );
}

/// The engine's own level, with enough connections for some lanes.
fn at_own_level() -> Settings {
    explore::settings(&Settings {
        connections: 20,
        ..Settings::default()
    })
}

async fn reported(database: &Database, subject: Arc<Subject>) -> Report {
    let found = explored(database, vec![subject], plan(ALL, 2)).await;
    assert!(found.error.is_none(), "{:?}", found.error);
    assert!(found.broken.is_empty(), "{:?}", found.broken);
    Report::of(&found)
}

fn subject(name: &str, text: &str, options: Options) -> Arc<Subject> {
    let scenario = Scenario::parse(name, text);
    let subject = scenario.and_then(|it| it.into_subject(options));
    Arc::new(subject.unwrap_or_else(|error| panic!("{error}")))
}

fn voucher() -> String {
    toml("One voucher, two customers")
}

/// The voucher with the lock that the page adds to it.
fn cured() -> String {
    const READ: &str = "WHERE code = 'v'; \\gset";
    const LOCKING: &str = "WHERE code = 'v' FOR UPDATE; \\gset";
    assert!(PAGE.contains(LOCKING.split_once(';').unwrap().0));
    voucher().replace(READ, LOCKING)
}

/// The voucher with the expectations that the page adds to it, `violated` in the last of them.
fn known(violated: &str) -> String {
    let mut files = blocks("toml").into_iter();
    let expect = files.find(|it| it.starts_with("[expect.")).unwrap();
    let expect = expect.replace("\"some\" ", &format!("{violated} "));
    format!("{}\n{expect}", voucher())
}

/// The file on the page with this title.
fn toml(title: &str) -> String {
    let title = format!("title = {title:?}\n");
    let mut files = blocks("toml").into_iter();
    files.find(|it| it.starts_with(&title)).unwrap().to_owned()
}

/// The page's blocks of code in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let inside = PAGE.split("```").skip(1).step_by(2);
    let blocks = inside.filter_map(|it| it.split_once('\n'));
    blocks
        .filter(|(marked, _)| *marked == language)
        .map(|(_, block)| block)
        .collect()
}

/// What is printed, without the line that asks for it.
fn without_command(block: &'static str) -> &'static str {
    match block.split_once('\n') {
        Some((command, printed)) if command.starts_with("$ ") => printed,
        _ => block,
    }
}

/// Without the version of MySQL, which is another one elsewhere.
fn without_version(text: &str) -> String {
    let mut parts = text.split("MySQL ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, after| {
        let rest = after.find([',', '\n']).map_or(after, |at| &after[at..]);
        before + "MySQL" + rest
    })
}

/// Without how long it took.
fn without_times(xml: &str) -> String {
    let mut parts = xml.split(" time=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, after| {
        before + after.split_once('"').map_or(after, |(_, rest)| rest)
    })
}
