//! What was found about one subject, on one engine at one level.

use maud::{Markup, html};

use super::parts::{Fact, facts, verdict};
use super::{matrix, stepper};
use crate::console::stepped;
use crate::explore::report::{FindingData, script};

/// The finding with its example, step by step; or why there is none.
pub fn whole(finding: &FindingData) -> Markup {
    html! {
        @match finding.shown() {
            Some((_, example)) => {
                @let sql = script(finding, example).unwrap_or_default();
                (stepper::whole(&stepped::of(finding, example), &sql))
            },
            None => (without_an_example(finding)),
        }
        (figures(finding))
        (notes(finding))
    }
}

/// No schedule went wrong.
fn without_an_example(finding: &FindingData) -> Markup {
    let class = matrix::class(finding);
    let (headline, sentence) = match class {
        "safe" => (
            "Safe in every schedule",
            "No order of the steps goes wrong, and no client is refused.",
        ),
        _ => (
            "Nothing that was run goes wrong",
            "Not all schedules were run, so others may go wrong.",
        ),
    };
    let class = if class == "unknown" { "unclear" } else { class };
    verdict(
        class,
        headline,
        sentence,
        &html! { p.faint { (finding.verdict) "." } },
    )
}

fn figures(finding: &FindingData) -> Markup {
    let anomalies = finding.legend.iter().filter_map(|it| {
        let count = finding.anomalies.get(&it.name).filter(|it| **it > 0)?;
        Some(Fact::new(&it.title, count).bad_if(true))
    });
    let refused: u64 = finding.refused.iter().map(|it| it.schedules).sum();
    let all = [
        Fact::new("Schedules", finding.schedules),
        Fact::new("Safe", finding.safe),
        Fact::new("With a refusal", refused),
        Fact::new("With a wait", finding.waited),
    ];
    let all: Vec<_> = all.into_iter().chain(anomalies).collect();
    facts(&all)
}

/// What a reader of the figures should know.
fn notes(finding: &FindingData) -> Markup {
    html! {
        @if let Some(it) = finding.warning() { p.complaint { b { "Warning. " } (it) } }
        @for it in &finding.unexpected { p.complaint { b { "Not as expected. " } (it) } }
        @if !finding.refused.is_empty() {
            ul {
                @for it in &finding.refused {
                    li {
                        (it.schedules) " schedules: "
                        @match (it.fault, &it.code) {
                            (Some(fault), Some(code)) => { "refused, " (fault) " (" code { (code) } ")" },
                            (Some(fault), None) => { "refused, " (fault) },
                            (None, _) => "declined by the client itself",
                        }
                    }
                }
            }
        }
        @for it in &finding.assumptions { p.faint { "Taken for granted: " (it) } }
    }
}
