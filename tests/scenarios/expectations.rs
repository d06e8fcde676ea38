//! What a file expects, and what is said if it is not so.

use racy::explore::report::{self, Report};

use racy::explore::{Reduction, Schedules};
use racy::scenarios::Options;

use super::{finding, subject};
use crate::support::explored::{ALL, plan};
use crate::support::{TestEngine, explored};

on_engines!(
    every:
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
    let said = "violated is 0";
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
