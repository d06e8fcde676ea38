//! A strategy, explained beside its code; and the list of all strategies.

use maud::{Markup, html};

use super::frame::{Frame, Place};
use super::matrix::{class, path_of, words};
use super::parts::{why_path, with_query};
use super::{markdown, stepper};
use crate::console::stepped::{self, SteppedRun};
use crate::engine::Engine;
use crate::exhibits::card::Expectation;
use crate::exhibits::{EXHIBITS, Specimen};
use crate::explore::report::{FindingData, script};

/// The page of a strategy. `finding` is what the shipped matrix has of it on an engine like this.
pub fn page(
    specimen: &dyn Specimen,
    engine: &Engine,
    finding: Option<&FindingData>,
    user: Option<&str>,
) -> Markup {
    let card = specimen.card();
    let explanation = card.explanation();
    let example = finding.and_then(|it| Some((it, it.shown()?.1)));
    let run = example.map(|(finding, example)| stepped::of(finding, example));
    let over = format!("{} on {engine}", specimen.full_name());
    let frame = Frame::new(card.title, Place::Strategies, user);
    frame.below(&over).page(&html! {
        (ways_on(specimen, finding))
        (expected(specimen, engine))
        @match (&run, example) {
            (Some(run), Some((finding, example))) => {
                @let sql = script(finding, example).unwrap_or_default();
                (stepper::whole(&with_source(run, specimen), &sql))
            },
            _ => (stepper::code(&stepped::of_card(specimen.card()))),
        }
        section.text { (markdown::render(markdown::without_title(&explanation))) }
    })
}

/// The schedule with the code beside it, also where its steps name no line.
fn with_source(run: &SteppedRun, specimen: &dyn Specimen) -> SteppedRun {
    let mut run = run.clone();
    run.source
        .get_or_insert_with(|| stepped::of_card(specimen.card()));
    run
}

fn ways_on(specimen: &dyn Specimen, finding: Option<&FindingData>) -> Markup {
    let strategy = || [("strategy", specimen.full_name().to_owned())];
    html! {
        nav.row aria-label="Where to go" {
            a.button.primary href=(with_query("/runs", &strategy())) { "Run it" }
            a.button href=(with_query("/explore", &strategy())) { "Every schedule" }
            @if let Some(finding) = finding {
                a.button href=(path_of(finding)) { "Its cell of the matrix" }
            }
            a.button href="/why" { "Other strategies" }
        }
    }
}

/// What two clients of the strategy come to on this engine, in each of its settings.
fn expected(specimen: &dyn Specimen, engine: &Engine) -> Markup {
    let settings = specimen.settings();
    html! {
        section aria-labelledby="expected" {
            h2 #expected { "What is expected here" }
            ul {
                @for setting in &settings {
                    @for instances in setting.instances(2) {
                        li {
                            @if let Some(beside) = setting.beside { "beside a " (beside) ": " }
                            @if instances > 1 { "with " (instances) " instances: " }
                            @match setting.expected_on(engine, instances) {
                                Some(expectation) => (counts(expectation)),
                                None => "its card says nothing about this engine at this level",
                            }
                        }
                    }
                }
            }
        }
    }
}

fn counts(expectation: &Expectation) -> Markup {
    let all: u64 = expectation.verdicts.iter().map(|it| it.schedules).sum();
    html! {
        "of " (all) " schedules "
        @for (at, count) in expectation.verdicts.iter().enumerate() {
            @if at > 0 { ", " }
            @let is_bad = count.verdict.is_anomaly();
            span class=[is_bad.then_some("lost")] { (count.schedules) " " (count.verdict) }
        }
    }
}

/// The list of all strategies. `finding` looks up what the shipped matrix has of one.
pub fn list<'f>(
    engine: &Engine,
    finding: impl Fn(&str) -> Option<&'f FindingData>,
    user: Option<&str>,
) -> Markup {
    Frame::new("Strategies", Place::Strategies, user).page(&html! {
        p.lead { "Each is one way to write the same work. Here on " (engine) "." }
        @for exhibit in EXHIBITS {
            section aria-labelledby=(exhibit.name) {
                h2 id=(exhibit.name) { (exhibit.name) }
                ul.cards {
                    @for specimen in (exhibit.specimens)() {
                        li { (card(specimen, engine, finding(specimen.full_name()))) }
                    }
                }
            }
        }
    })
}

fn card(specimen: &dyn Specimen, engine: &Engine, finding: Option<&FindingData>) -> Markup {
    html! {
        a.card href=(why_path(specimen.full_name())) {
            h3 { (specimen.card().title) }
            p { code { (specimen.full_name()) } }
            p {
                @match finding {
                    Some(finding) => span class={ "tag " (class(finding)) } { (words(finding)) },
                    None if specimen.must_be_safe_on(engine) => span.tag.safe { "safe" },
                    None => span.tag.unclear { "may go wrong" },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::samples::{mysql, report};
    use super::*;
    use crate::exhibits::specimen;

    #[test]
    fn a_strategy_is_explained_beside_its_code() {
        let report = report();
        let strategy = specimen("atomic_no_delay").unwrap();
        let page = page(strategy, &mysql(), Some(&report.findings[0]), None).into_string();
        assert!(page.contains("<h3>Why it breaks</h3>"), "{page}");
        assert!(page.contains("pub async fn deposit"));
        assert!(page.contains("60 lost update"), "{page}");
        assert!(page.contains(r#"<table id="steps">"#));
    }

    #[test]
    fn a_strategy_without_a_finding_shows_its_code() {
        let strategy = specimen("row_locking_atomic_long_delay").unwrap();
        let page = page(strategy, &mysql(), None, None).into_string();
        assert!(
            page.contains("<figure class=\"source\" id=\"source\">"),
            "{page}"
        );
        assert!(!page.contains("<code>//!"), "{page}");
    }

    #[test]
    fn every_strategy_is_in_the_list() {
        let page = list(&mysql(), |_| None, None).into_string();
        for specimen in crate::exhibits::specimens() {
            let link = format!(r#"href="/why/{}""#, specimen.full_name());
            assert!(page.contains(&link), "{link} in {page}");
        }
    }
}
