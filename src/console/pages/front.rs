//! The front page: from here to "oh, that is why" in a minute.

use maud::{Markup, html};

use super::frame::Frame;
use super::runs::{DELAY_MS, REQUESTS, STRATEGY};
use super::stepper;
use crate::console::stepped::SteppedRun;

/// A place to go on to: where, its name, and what is there.
const WAYS_ON: [(&str, &str, &str); 8] = [
    (
        "/runs",
        "Run",
        "Choose a strategy, predict what becomes of the account, and see.",
    ),
    (
        "/why",
        "Strategies",
        "Each way to write it: why it breaks or holds, beside its code.",
    ),
    (
        "/matrix",
        "Matrix",
        "Which code goes wrong on which engine, at which level.",
    ),
    (
        "/explore",
        "Explore",
        "Every schedule of a strategy, on this lab's engine.",
    ),
    (
        "/scenarios",
        "Scenarios",
        "Races of other people's code, as files to explore.",
    ),
    (
        "/compare",
        "Compare",
        "Two strategies under the same burst: what is lost, what it costs.",
    ),
    (
        "/open",
        "Open a report",
        "What racy explore has found elsewhere, in the same view.",
    ),
    ("/docs/", "API", "Every request, to read and to try."),
];

/// The front page, with a schedule that loses an update on an engine like the lab's. `token` is
/// drawn for its form.
pub fn page(run: Option<&SteppedRun>, token: &str, user: Option<&str>) -> Markup {
    let frame = Frame::elsewhere("Racy: a laboratory of race conditions", user);
    frame.page(&html! {
        p.lead { "A small bank in which money gets lost on purpose, so that you can see why." }
        (start(token))
        @if let Some(run) = run { (example(run)) }
        h2 { "Where to go" }
        ul.cards {
            @for (path, name, words) in WAYS_ON {
                li { a.card href=(path) { h3 { (name) } p { (words) } } }
            }
        }
    })
}

/// One button that starts a run.
fn start(token: &str) -> Markup {
    html! {
        form.row method="post" action="/runs" {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="strategy" value=(STRATEGY);
            input type="hidden" name="requests" value=(REQUESTS);
            input type="hidden" name="pace" value="together";
            input type="hidden" name="delay_ms" value=(DELAY_MS);
            input type="hidden" name="account" value="1";
            input type="hidden" name="instances" value="1";
            button.primary data-busy="Starting…" { "Lose an update" }
            span {
                (REQUESTS) " deposits of 100 at once, by " code { (STRATEGY) } "."
            }
        }
    }
}

fn example(run: &SteppedRun) -> Markup {
    html! {
        section aria-labelledby="example" {
            h2 #example { "How a deposit is lost" }
            p {
                "Two clients deposit 100 each. Both read the balance before either has written it, "
                "so the second writes over what the first has stored. Step through it:"
            }
            p.over { (run.engine) }
            (stepper::short(run))
            @if let Some(loss) = &run.loss { p { b { (loss.sentence) } } }
            p {
                a href=(super::parts::why_path(&run.strategy)) { "Why, beside the code" }
                " · "
                a href="/why/atomic_no_delay" { "Why a transaction does not stop it" }
                " · "
                a href="/why/row_locking_atomic_long_delay" { "What stops it" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stepper::samples::lost_update;
    use super::*;

    #[test]
    fn the_front_page_shows_a_lost_update_and_loses_one() {
        let page = page(Some(&lost_update()), "t0ken", None).into_string();
        assert!(page.contains("Lose an update"), "{page}");
        assert!(page.contains(r#"<div id="picture" data-kind="schedule" hidden>"#));
        assert!(page.contains(r#"<table id="steps">"#));
        assert!(!page.contains("id=\"source\""));
    }
}
