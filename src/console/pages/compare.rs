//! Two runs beside each other: what was lost, and what it cost.

use maud::{Markup, html};

use super::embed::{Kind, picture};
use super::form::{self, Filled, Number};
use super::frame::{Frame, Place};
use super::live::{self, Progress};
use super::parts::{counted, milliseconds, scroll};
use super::run::{about, class, refusal, steps};
use super::runs::{ACCOUNT_HINT, DELAY_MS, Most, REQUESTS, STRATEGY};
use crate::console::record::{RunRecord, VERSION};
use crate::engine::Isolation;
use serde::Serialize;

/// The strategies that the form holds at first.
const FIRST: &str = STRATEGY;
const SECOND: &str = "row_locking_atomic_long_delay";

/// The page with the form.
pub fn form(
    filled: &Filled,
    most: Most,
    levels: &[Isolation],
    token: &str,
    user: Option<&str>,
) -> Markup {
    let strategy = |name, label, usual| {
        form::strategy(filled, name, label, usual, |exhibit| {
            exhibit != "statements"
        })
    };
    let level = |name| form::level(filled, name, "Its level", levels);
    Frame::new("Compare two runs", Place::Compare, user).page(&html! {
        p.lead {
            "Two strategies, or one at two levels, under the same burst. The runs are made one "
            "after the other."
        }
        (filled.complaint())
        form.form method="post" action="/compare" {
            input type="hidden" name="token" value=(token);
            (strategy("first", "First strategy", FIRST))
            (level("first_isolation"))
            (strategy("second", "Second strategy", SECOND))
            (level("second_isolation"))
            (burst(filled, most))
            div.actions { button.primary data-busy="Starting…" { "Compare" } }
        }
    })
}

fn burst(filled: &Filled, most: Most) -> Markup {
    let number = |name, label, usual, least, most, hint| {
        let field = Number {
            name,
            label,
            usual,
            least,
            most,
            hint,
        };
        form::number(filled, field)
    };
    html! {
        (number("requests", "Requests", REQUESTS, 1, Some(most.requests), ""))
        (number("delay_ms", "Thinking, in ms", DELAY_MS, 0, Some(most.delay_ms), ""))
        (number("account", "Account", "1", 0, None, ACCOUNT_HINT))
        (number("instances", "Instances of the service", "1", 1, Some(most.instances), ""))
    }
}

/// The page of two runs of which one is under way. `path` is where both will be.
pub fn under_way(
    title: &str,
    progress: &Progress<'_>,
    path: &str,
    token: &str,
    user: Option<&str>,
) -> Markup {
    let frame = Frame::new(title, Place::Compare, user).again_every(live::AGAIN);
    frame.page(&live::progress_to(progress, path, token))
}

/// The page between the first run and the second.
pub fn between(title: &str, path: &str, user: Option<&str>) -> Markup {
    let frame = Frame::new(title, Place::Compare, user).again_every(live::AGAIN);
    frame.page(&html! {
        p role="status" { "The first run has ended, and the second is about to begin." }
        p { a href=(path) { "Look again" } }
    })
}

/// Two runs, as the scripts draw them.
#[derive(Debug, Serialize)]
struct Pair<'a> {
    version: u32,
    kind: &'static str,
    a: &'a RunRecord,
    b: &'a RunRecord,
}

/// The page of two runs that are over.
pub fn page(a: &RunRecord, b: &RunRecord, user: Option<&str>) -> Markup {
    let title = match (&a.plan.strategy, &b.plan.strategy) {
        (one, other) if one == other => format!("{one} at {} and {}", level(a), level(b)),
        (one, other) => format!("{one} and {other}"),
    };
    let pair = Pair {
        version: VERSION,
        kind: "compare",
        a,
        b,
    };
    Frame::new(&title, Place::Compare, user).page(&html! {
        (figures(a, b))
        (came_of("A", a))
        (came_of("B", b))
        (picture(Kind::Compare, &pair))
        (table_of("A", a, "steps-a", "a-s"))
        (table_of("B", b, "steps-b", "b-s"))
        p.row {
            a.button href={ "/runs/" (a.id) } { "Run A" }
            a.button href={ "/runs/" (b.id) } { "Run B" }
            a.button href="/compare" { "Compare others" }
            button.quiet type="button" data-copy="link" hidden { "Copy the link" }
        }
    })
}

/// What came of a run, with its refusals and its notes.
fn came_of(letter: &str, run: &RunRecord) -> Markup {
    html! {
        @if let Some(verdict) = &run.verdict {
            p {
                b { (letter) ": " }
                span class={ "tag " (class(verdict.kind)) } { (verdict.title) }
                " " (verdict.sentence)
            }
        }
        @if !run.refusals.is_empty() {
            ul { @for it in &run.refusals { (refusal(it)) } }
        }
        @for note in &run.notes { p.faint { (letter) ": " (note) } }
    }
}

fn table_of(letter: &str, run: &RunRecord, id: &str, prefix: &str) -> Markup {
    html! {
        details {
            summary { (letter) ": " (run.plan.strategy) ", its steps as a table" }
            p.over { (about(run)) }
            (steps(run, id, prefix))
        }
    }
}

/// The figures of both runs.
fn figures(a: &RunRecord, b: &RunRecord) -> Markup {
    let rows = [
        ("What came of it", title(a), title(b)),
        ("Level", level(a), level(b)),
        (
            "Acknowledged",
            acknowledged(a).to_string(),
            acknowledged(b).to_string(),
        ),
        ("Missing", missing(a), missing(b)),
        ("Refused", refused(a), refused(b)),
        ("Time", milliseconds(a.took_us), milliseconds(b.took_us)),
        ("Per second", per_second(a), per_second(b)),
    ];
    let table = html! {
        table.figures {
            caption { (counted(a.plan.requests, "request", "requests")) " each" }
            thead {
                tr {
                    th scope="col" { span.hidden { "Figure" } }
                    th scope="col" { "A: " (a.plan.strategy) }
                    th scope="col" { "B: " (b.plan.strategy) }
                }
            }
            tbody {
                @for (name, first, second) in &rows {
                    tr { th scope="row" { (name) } td { (first) } td { (second) } }
                }
            }
        }
    };
    scroll("Figures", &table)
}

fn title(run: &RunRecord) -> String {
    let verdict = run.verdict.as_ref();
    verdict.map_or_else(|| run.state.name().to_owned(), |it| it.title.clone())
}

fn level(run: &RunRecord) -> String {
    let own = run.engine["isolation"].as_str().unwrap_or_default();
    let level = run.plan.isolation.as_deref().unwrap_or(own);
    level.replace('-', " ").to_uppercase()
}

fn acknowledged(run: &RunRecord) -> u32 {
    run.verdict.as_ref().map_or(0, |it| it.acknowledged)
}

fn missing(run: &RunRecord) -> String {
    let missing = run.verdict.as_ref().and_then(|it| it.missing);
    missing.map_or_else(|| run.losses.len().to_string(), |it| it.to_string())
}

fn refused(run: &RunRecord) -> String {
    run.verdict.as_ref().map_or(0, |it| it.refused).to_string()
}

fn per_second(run: &RunRecord) -> String {
    match run.took_us {
        ..=0 => "–".to_owned(),
        took => format!("{:.1}", f64::from(acknowledged(run)) * 1e6 / took as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::samples::lost_update;
    use super::*;

    #[test]
    fn both_runs_are_shown_with_their_figures() {
        let (a, mut b) = (lost_update(), lost_update());
        b.plan.strategy = "<img src=x>".to_owned();
        let page = page(&a, &b, None).into_string();
        assert!(
            page.contains(r#"<div id="picture" data-kind="compare" hidden>"#),
            "{page}"
        );
        assert!(page.contains(r#"<tr id="b-s-1-1""#));
        assert!(page.contains("<th scope=\"row\">Missing</th><td>100</td><td>100</td>"));
        assert!(page.contains("<td>10.9</td>"), "{page}");
        assert!(!page.contains("<img"));
    }
}
