//! Summaries that hold what Markdown could take for its own.

use super::super::read;
use super::super::read::tests::report;
use super::super::{Build, Report};
use super::*;

fn failed() -> Report {
    let mut report = read(report().to_string().as_bytes()).unwrap();
    report.findings[0].never_interleaved = false;
    report
}

#[test]
fn a_table_has_a_row_for_each_and_failures_come_first() {
    let mut report = failed();
    let mut good = report.findings[0].clone();
    good.strategy = "good.toml".to_owned();
    good.unexpected.clear();
    report.findings.insert(0, good);
    let said = summary(&Build::of(&report), MOST_SUMMARY_BYTES);
    let expected = "### Racy: 1 of 2 not as expected, 1 could not be explored\n\n\
         | | file | engine | level | verdict | schedules | seconds |\n\
         |---|---|---|---|---|--:|--:|\n\
         | ✗ could not be explored | <code>other.toml</code> | | | other.toml | | |\n\
         | ✗ not as expected: no | <code>last.toml</code> | SQLite 3.50 | SERIALIZABLE | goes wrong | 3 \
         | 0.0 |\n\
         | ✓ as expected | <code>good.toml</code> | SQLite 3.50 | SERIALIZABLE | goes wrong | 3 | 0.0 \
         |\n\
         | not run | | | | MariaDB | | |\n\n\
         <details><summary><code>last.toml</code> on SQLite 3.50, SERIALIZABLE: goes \
         wrong</summary>\n\n\
         **Not as expected:** no\n\n```text\n";
    assert!(said.starts_with(expected), "{said}");
    assert_eq!(said.matches("<details>").count(), 1);
    let again =
        "```sh\nracy explore last.toml --database-url sqlite::memory: --schedule 'A B'\n```";
    assert!(said.contains(again), "{said}");
}

#[test]
fn a_finding_that_has_tested_nothing_is_not_simply_green() {
    let mut report = failed();
    report.broken.clear();
    report.missing.clear();
    report.findings[0].unexpected.clear();
    report.findings[0].never_interleaved = true;
    let said = summary(&Build::of(&report), MOST_SUMMARY_BYTES);
    let first = "### Racy: as expected, 1 without a test\n";
    assert!(said.starts_with(first), "{said}");
    for words in [
        "| ⚠ nothing was tested | <code>last.toml</code> |",
        "\n\n⚠ <code>last.toml</code>: the clients' steps were never interleaved, so nothing was \
         tested.",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_value_ends_no_cell_and_no_block() {
    let mut report = failed();
    let finding = &mut report.findings[0];
    finding.strategy = "a|b`c.toml".to_owned();
    finding.verdict = "violates \"a | b\"\nin <b>3</b> *of* [all](x)".to_owned();
    let steps = &mut finding.replayed.as_mut().unwrap().steps;
    steps[0].sql = Some("SELECT '```\n</details>\n````'\r\u{1b}".to_owned());
    report.broken = vec!["x.toml: `it` ended\n```\n| a |".to_owned()];
    let said = summary(&Build::of(&report), MOST_SUMMARY_BYTES);
    let rows: Vec<_> = said.lines().filter(|it| it.starts_with("| ✗")).collect();
    assert_eq!(
        rows,
        [
            "| ✗ could not be explored | <code>x.toml</code> | | | x.toml: &#96;it&#96; ended | | |",
            "| ✗ not as expected: no | <code>a&#124;b&#96;c.toml</code> | SQLite 3.50 | SERIALIZABLE \
             | violates \"a &#124; b\" in &lt;b&gt;3&lt;/b&gt; &#42;of&#42; &#91;all&#93;(x) | 3 | 0.0 |",
        ]
    );
    assert!(
        said.contains("\n````text\nx.toml: `it` ended\n```\n| a |\n````\n"),
        "{said}"
    );
    let drawn = said.split("\n`````text\n").nth(1).unwrap();
    let drawn = drawn.split("\n`````\n").next().unwrap();
    assert!(drawn.contains("</details>"), "{said}");
    assert!(drawn.ends_with("✗ here"), "{said}");
    assert!(!said.contains('\r') && !said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn what_has_no_room_is_counted() {
    let mut report = failed();
    report.findings = vec![report.findings[0].clone(); 50];
    let build = Build::of(&report);
    let whole = summary(&build, MOST_SUMMARY_BYTES);
    assert_eq!(whole.matches("<details>").count(), 50);
    for most in [0, 1000, 3000, 20_000] {
        let said = summary(&build, most);
        assert!(said.len() <= most, "{most}: {}", said.len());
        let (opened, closed) = ("<details>", "</details>");
        assert_eq!(said.matches(opened).count(), said.matches(closed).count());
    }
    let said = summary(&build, 20_000);
    let shown = said.matches("<details>").count();
    let left_out = format!(
        "Left out for want of room: {} failures in full.",
        50 - shown
    );
    assert!(shown > 0 && said.contains(&left_out), "{said}");
    assert_eq!(summary(&build, 100), "");
}

#[test]
fn one_endless_text_does_not_take_the_room_of_all_others() {
    let mut report = failed();
    report.broken = vec![format!(
        "x.toml: its log:\n{}",
        "é".repeat(MOST_SUMMARY_BYTES)
    )];
    let said = summary(&Build::of(&report), MOST_SUMMARY_BYTES);
    assert!(said.contains("é\n…\n```\n"), "it is cut");
    assert!(
        said.contains("<code>last.toml</code> on SQLite"),
        "the other one is there"
    );
}
