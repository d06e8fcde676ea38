//! A report: the list of its findings, and one of them step by step.

use maud::{Markup, html};

use super::matrix::{class, words};
use super::{finding, parts};
use crate::explore::report::matrix::{column, title};
use crate::explore::report::{FindingData, Report};

/// Where the other findings of a report are.
#[derive(Debug, Clone, Copy)]
pub enum Findings<'a> {
    /// At this path, with `?finding=N`.
    At(&'a str),
    /// Nowhere: the report is not stored, so a form brings it again.
    Brought(&'a str),
}

/// The findings of a report, and the chosen one, from 1.
pub fn findings(report: &Report, chosen: usize, others: &Findings<'_>) -> Markup {
    html! {
        @if report.findings.is_empty() { p { "The report has no findings." } }
        @if report.findings.len() > 1 { (list(report, chosen, others)) }
        @for it in &report.missing { p.faint { "Not run: " (it) } }
        @for it in &report.broken { p.complaint { b { "Broken off. " } (it) } }
        @match chosen.checked_sub(1).and_then(|at| report.findings.get(at)) {
            Some(it) => {
                p.over { (name(it)) " · " (title(&it.engine)) " · " (column(&it.engine)) }
                @if let Some(title) = &it.title { p { (title) } }
                (finding::whole(it))
            },
            None if report.findings.is_empty() => {},
            None => p.complaint { "There is no finding " (chosen) " in this report." },
        }
    }
}

fn name(finding: &FindingData) -> String {
    format!("{}{}", finding.strategy, finding.several_instances())
}

fn list(report: &Report, chosen: usize, others: &Findings<'_>) -> Markup {
    let count = parts::counted(report.findings.len(), "finding", "findings");
    html! {
        h2 { (count) }
        @match others {
            Findings::At(path) => (links(report, chosen, path)),
            Findings::Brought(json) => (brought_again(report, chosen, json)),
        }
    }
}

fn links(report: &Report, chosen: usize, path: &str) -> Markup {
    html! {
        nav.findings aria-label="Findings" {
            ol {
                @for (number, it) in (1..).zip(&report.findings) {
                    li {
                        a href={ (path) "?finding=" (number) }
                            aria-current=[(number == chosen).then_some("page")] {
                            (name(it)) ", " (title(&it.engine)) ", " (column(&it.engine))
                        }
                        " " span class={ "tag " (class(it)) } { (words(it)) }
                    }
                }
            }
        }
    }
}

/// The longest report that its own page holds, in bytes. The file of a longer one is chosen again.
const MOST_IN_A_PAGE: usize = 2 * 1024 * 1024;

/// A choice of a finding that sends the report once more.
fn brought_again(report: &Report, chosen: usize, json: &str) -> Markup {
    html! {
        form.form method="post" action="/open" enctype="multipart/form-data" {
            div.field.whole {
                label for="finding" { "Finding" }
                select #finding name="finding" {
                    @for (number, it) in (1..).zip(&report.findings) {
                        option value=(number) selected[number == chosen] {
                            (name(it)) ", " (title(&it.engine)) ", " (column(&it.engine))
                            ": " (words(it))
                        }
                    }
                }
            }
            @if json.len() <= MOST_IN_A_PAGE {
                input type="hidden" name="report" value=(json);
            } @else {
                div.field.whole {
                    label for="file" { "The same file" }
                    input #file name="file" type="file" required accept=".json,application/json"
                        aria-describedby="file-hint";
                    p.hint #file-hint { "The report is not stored, and too long for this page." }
                }
            }
            div.actions { button { "Show this finding" } }
        }
    }
}
