//! What a run says about its strategy, what was predicted, and the refusals in words.

use maud::{Markup, html};

use crate::console::pages::parts::{Fact, counted, facts, verdict};
use crate::console::record::{RefusalKind, RunRecord, RunVerdict, VerdictKind};

/// The verdict with its figures. Nothing if there is none.
pub fn banner(record: &RunRecord) -> Markup {
    html! {
        @if let Some(it) = &record.verdict {
            (verdict(class(it.kind), &it.title, &it.sentence, &facts(&figures(it))))
            (prediction(record, it))
            (refusals(record))
        }
    }
}

/// The word of a verdict, for the style sheet and for people.
pub fn class(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Anomaly => "anomaly",
        VerdictKind::Refused => "refused",
        VerdictKind::Safe => "safe",
        VerdictKind::Unclear => "unclear",
    }
}

fn figures(it: &RunVerdict) -> Vec<Fact<'static>> {
    let balances = [
        ("Before", it.before),
        ("Expected", it.expected),
        ("Actual", it.actual),
        ("Missing", it.missing),
    ];
    let balances = balances.into_iter().filter_map(|(name, value)| {
        let value = value?;
        Some(Fact::new(name, value).bad_if(name == "Missing" && value != 0))
    });
    let requests = [
        Some(Fact::new("Acknowledged", it.acknowledged)),
        (it.refused > 0).then(|| Fact::new("Refused", it.refused)),
        (it.unclear > 0).then(|| Fact::new("Unclear", it.unclear).bad_if(true)),
    ];
    balances.chain(requests.into_iter().flatten()).collect()
}

fn prediction(record: &RunRecord, it: &RunVerdict) -> Markup {
    let (Some(predicted), Some(actual)) = (record.plan.predicted, it.actual) else {
        return html! {};
    };
    html! {
        section #prediction.prediction aria-label="Your prediction"
            data-predicted=(predicted) data-actual=(actual) data-expected=[it.expected] {
            p {
                "You predicted " b { (predicted) } ". "
                @let gap = i128::from(actual) - i128::from(predicted);
                @if gap == 0 {
                    "There is " b { (actual) } ": exactly that."
                } @else if gap < 0 {
                    "There is " b { (actual) } ": " b { (-gap) " less" } "."
                } @else {
                    "There is " b { (actual) } ": " b { (gap) " more" } "."
                }
            }
        }
    }
}

/// A refusal in words, as an item of a list.
pub fn refusal(it: &RefusalKind) -> Markup {
    html! {
        li {
            b { (counted(it.requests, "request", "requests")) }
            @if let Some(fault) = &it.fault { ", " (fault.replace('_', " ")) }
            @if let Some(code) = &it.code { " (" code { (code) } ")" }
            ": " (it.words)
        }
    }
}

fn refusals(record: &RunRecord) -> Markup {
    html! {
        @if !record.refusals.is_empty() {
            section aria-labelledby="refusals" {
                h2 #refusals { "What was refused" }
                ul {
                    @for it in &record.refusals { (refusal(it)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::pages::run::samples::lost_update;

    fn shown(predicted: i64) -> String {
        let mut record = lost_update();
        record.plan.predicted = Some(predicted);
        banner(&record).into_string()
    }

    #[test]
    fn the_gap_to_the_prediction_is_said() {
        assert!(shown(200).contains("<b>100 less</b>"), "{}", shown(200));
        assert!(shown(0).contains("<b>100 more</b>"));
        assert!(shown(100).contains("exactly that"));
    }

    #[test]
    fn figures_that_are_bad_news_are_marked() {
        let banner = banner(&lost_update()).into_string();
        assert!(
            banner.contains(r#"<div class="lost"><dt>Missing</dt><dd>100</dd>"#),
            "{banner}"
        );
        assert!(!banner.contains("Refused"));
    }
}
