//! What a file expects, and what is said if it is not so.

use racy::explore::report::{self, Build, FindingData, MOST_SUMMARY_BYTES, Report};

use racy::explore::{Reduction, Schedules};
use racy::scenarios::Options;

use super::{finding, subject};
use crate::support::explored::{ALL, plan};
use crate::support::{TestEngine, explored};

on_engines!(
    every:
        an_unexpected_verdict_is_shown_with_a_schedule_of_its_own,
        one_schedule_alone_is_no_test,
        a_number_is_one_of_all_schedules;
    sqlite:
        an_expectation_that_is_not_met_is_in_every_report;
);

async fn an_expectation_that_is_not_met_is_in_every_report(engine: TestEngine) {
    let text = r#"
title = "A number"
[database]
setup = "CREATE TABLE a (n INTEGER NOT NULL); INSERT INTO a VALUES (0);"
[[client]]
count = 2
script = "UPDATE a SET n = n + 1;"
[[invariant]]
name = "both count"
sql = "SELECT n = :acknowledged FROM a"
[expect.else]
violated = "some"
"#;
    let found = finding(engine, text).await;
    let report = Report::of_findings(&[found], Vec::new());
    let said = "violated is 0, and [expect.else] says";
    for shown in [
        report::text(&report),
        report::markdown(&report),
        report::matrix::markdown(&report),
        report::matrix::html(&report),
    ] {
        assert!(shown.contains("Not as expected:"), "{shown}");
        assert!(shown.contains(said), "{shown}");
    }
}

/// Two clients read a number and write the next one. Of their six schedules, four lose an update.
const READ_AND_WRITE: &str = r#"
title = "A number"
[database]
setup = "CREATE TABLE a (n INTEGER NOT NULL); INSERT INTO a VALUES (0);"
[[client]]
count = 2
script = """
SELECT n FROM a; \\gset
UPDATE a SET n = :n + 1;
"""
[[invariant]]
name = "both count"
sql = "SELECT n = :acknowledged FROM a"
[expect.else]
violated = VIOLATED
"#;

/// The lost update is expected, so the schedule to show is one in which all is well.
async fn an_unexpected_verdict_is_shown_with_a_schedule_of_its_own(engine: TestEngine) {
    let text = READ_AND_WRITE.replace("VIOLATED", "\"some\"\nsafe = \"none\"");
    let found = finding(engine, &text).await;
    let report = Report::of_findings(&[found], Vec::new());
    let found = &report.findings[0];
    let counterexample = found.counterexample.as_ref().unwrap();
    let [unexpected] = &found.unexpected_examples[..] else {
        panic!("{:?}", found.unexpected_examples);
    };
    assert_eq!(unexpected.verdict.verdict, "safe");
    let shown = format!(
        "The simplest schedule in which every client is served: {}",
        unexpected.schedule
    );
    let build = Build::of(&report);
    for (said, shown) in [
        (report::annotations(&build), shown.as_str()),
        (report::junit(&build), &shown),
        (report::text(&report), &shown),
        (
            report::summary(&build, MOST_SUMMARY_BYTES),
            &format!("--schedule '{}'", unexpected.schedule),
        ),
    ] {
        assert!(said.contains(shown), "{shown}: {said}");
        let other = format!("{}\n", counterexample.schedule);
        assert!(!said.contains(&other), "{said}");
    }
}

/// Two clients that have no table in common have one schedule, if what must end alike is left out.
async fn one_schedule_alone_is_no_test(engine: TestEngine) {
    const SETUP: &str = r#"
title = "Two numbers"
[database]
setup = """
CREATE TABLE a (n INTEGER NOT NULL); INSERT INTO a VALUES (0);
CREATE TABLE b (n INTEGER NOT NULL); INSERT INTO b VALUES (0);
"""
"#;
    const CLIENT: &str = r#"
[[client]]
script = """
SELECT n FROM TABLE; \\gset
UPDATE TABLE SET n = :n + 1;
"""
"#;
    let text = |tables: [&str; 2]| {
        let clients = tables.map(|it| CLIENT.replace("TABLE", it));
        format!("{SETUP}{}", clients.concat())
    };
    let lab = engine.lab().await;
    for (tables, is_a_test) in [
        (["a", "a"], true),
        (["a", "b"], engine == TestEngine::Sqlite),
    ] {
        let subject = subject(&text(tables), Options::default());
        let asked = plan(Schedules::Reduced(Reduction::default()), 2);
        let found = FindingData::of(&explored::finding(&lab.database, subject, asked).await);
        assert_eq!(found.warning().is_none(), is_a_test, "{}", found.verdict);
    }
}

/// A search that is bounded or reduced neither meets a number nor contradicts it.
async fn a_number_is_one_of_all_schedules(engine: TestEngine) {
    let lab = engine.lab().await;
    let bounded = |most| Schedules::All {
        preemptions: Some(most),
    };
    let reduced = Schedules::Reduced(Reduction::default());
    for (expected, schedules, is_as_expected) in [
        ("4", ALL, true),
        ("5", ALL, false),
        ("5", bounded(0), true),
        ("5", bounded(1), true),
        ("5", bounded(2), false),
        ("5", reduced.clone(), true),
        ("\"some\"", bounded(0), true),
        ("\"none\"", bounded(1), false),
        ("\"none\"", reduced, false),
    ] {
        let text = READ_AND_WRITE.replace("VIOLATED", expected);
        let subject = subject(&text, Options::default());
        let asked = plan(schedules.clone(), 2);
        let found = explored::finding(&lab.database, subject, asked).await;
        let unexpected = &found.unexpected;
        assert_eq!(
            unexpected.is_empty(),
            is_as_expected,
            "{schedules:?}: {unexpected:?}"
        );
    }
}
