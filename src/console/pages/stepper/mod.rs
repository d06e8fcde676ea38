//! A schedule, step by step: verdict, picture, table, source, and how to run it again.

mod table;

use maud::{Markup, html};

use super::embed::{Kind, picture};
use super::parts::{copyable, verdict};
use crate::console::stepped::{SourceText, SteppedRun};

/// A schedule with all that belongs to it. `script` is the same as SQL.
pub fn whole(run: &SteppedRun, script: &str) -> Markup {
    html! {
        div.beside {
            div { (picture(Kind::Schedule, run)) }
            @if let Some(source) = &run.source { (code(source)) }
        }
        // Below the picture, which asks before it tells.
        (banner(run))
        (table::steps(run))
        (again(run, script))
    }
}

/// The picture and its table alone, for the front page: the source and the commands are elsewhere.
pub fn short(run: &SteppedRun) -> Markup {
    let without_source = SteppedRun {
        source: None,
        ..run.clone()
    };
    html! {
        (picture(Kind::Schedule, &without_source))
        (table::steps(run))
    }
}

/// What the schedule shows, in a headline and a sentence.
pub fn banner(run: &SteppedRun) -> Markup {
    let class = if run.safe { "safe" } else { "anomaly" };
    let refused = run.steps.iter().any(|step| step.refusal.is_some());
    let class = if run.safe && refused {
        "refused"
    } else {
        class
    };
    let more = html! {
        p { "The schedule: " code #schedule { (run.schedule) } }
        @if !run.verdict.is_empty() { p.faint { "Of all: " (run.verdict) "." } }
    };
    verdict(class, &run.title, &story(run), &more)
}

/// Why it went wrong, in one sentence.
fn story(run: &SteppedRun) -> String {
    match (&run.loss, &run.highlight) {
        (Some(loss), _) => loss.sentence.clone(),
        (None, Some(highlight)) => highlight.words.clone(),
        (None, None) => String::new(),
    }
}

/// The code that runs, with its lines numbered as in its file.
pub fn code(source: &SourceText) -> Markup {
    html! {
        figure.source #source {
            figcaption { code { (source.file) } }
            div.code role="region" aria-label="The source" tabindex="0" {
                ol start=(source.first) {
                    @for (number, line) in (source.first..).zip(&source.lines) {
                        li id={ "L" (number) } value=(number) { code { (line) } }
                    }
                }
            }
        }
    }
}

/// The same by hand: on the command line, and in two consoles of the engine.
fn again(run: &SteppedRun, script: &str) -> Markup {
    html! {
        @if !run.replay.is_empty() {
            h2 { "Run it yourself" }
            (copyable("replay", "the command", &run.replay))
        }
        @if !script.is_empty() {
            details {
                summary { "The same as SQL, with a console for each client" }
                (copyable("sql", "the SQL", script))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::samples::lost_update;
    use super::*;

    #[test]
    fn a_schedule_is_shown_with_its_story_and_its_source() {
        let page = whole(&lost_update(), "SQL").into_string();
        assert!(
            page.contains(r#"<section class="verdict anomaly""#),
            "{page}"
        );
        assert!(page.contains("<p>A read 0 before B wrote 100; A then wrote 100.</p>"));
        assert!(page.contains(r#"<li id="L102" value="102"><code>    s.begin().await?;</code>"#));
        assert!(page.contains(r#"<div id="picture" data-kind="schedule" hidden>"#));
    }

    #[test]
    fn markup_in_any_field_is_text() {
        let bad = "<img src=x>".to_owned();
        let mut run = lost_update();
        run.title = bad.clone();
        run.schedule = bad.clone();
        run.replay = bad.clone();
        run.setup_sql = bad.clone();
        for step in &mut run.steps {
            step.text = bad.clone();
            step.result = bad.clone();
            step.sentence = bad.clone();
            step.refusal = Some(bad.clone());
            step.hands.insert("A".to_owned(), Some(bad.clone()));
            for cell in &mut step.row {
                cell.name = bad.clone();
                cell.value = bad.clone();
            }
        }
        if let Some(source) = &mut run.source {
            source.lines.push(bad);
        }
        let page = whole(&run, &run.title).into_string();
        assert!(!page.contains("<img"), "{page}");
    }
}
