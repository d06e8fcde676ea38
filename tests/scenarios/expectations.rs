//! What a file expects, and what is said if it is not so.

use racy::explore::report::{self, Report};

use super::finding;
use crate::support::TestEngine;

on_engines!(
    sqlite: an_expectation_that_is_not_met_is_in_every_report;
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
