//! The form that starts a run, and the recent runs.

use maud::{Markup, html};

use super::form::{self, Number};
use super::frame::{Frame, Place};
use super::parts::scroll;
use super::problem::complaint;
use crate::console::record::State;

/// What the form holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunForm {
    /// The strategy's full name.
    pub strategy: String,
    /// The number of requests.
    pub requests: i64,
    /// The pause between two requests, in milliseconds. None if all are released together.
    pub wait_ms: Option<i64>,
    /// How long the strategy thinks, in milliseconds.
    pub delay_ms: i64,
    /// The account or the order book.
    pub account: i64,
    /// The number of instances.
    pub instances: i64,
    /// The isolation level. Empty for the lab's own.
    pub isolation: String,
}

impl Default for RunForm {
    fn default() -> Self {
        Self {
            strategy: "non_atomic_long_delay".to_owned(),
            requests: 10,
            wait_ms: None,
            delay_ms: 150,
            account: 1,
            instances: 1,
            isolation: String::new(),
        }
    }
}

/// The most that a visitor may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// The requests of one run.
    pub requests: i64,
    /// The thinking, in milliseconds.
    pub delay_ms: i64,
    /// The instances.
    pub instances: i64,
    /// How long the release may take, in seconds.
    pub seconds: i64,
}

/// A run in the list.
#[derive(Debug, Clone)]
pub struct RecentRun {
    /// Its name in URLs.
    pub id: String,
    /// When it began, in words.
    pub began: String,
    /// The strategy.
    pub strategy: String,
    /// The number of requests.
    pub requests: u32,
    /// How far it is.
    pub state: State,
    /// What came of it, or how far it is, in words.
    pub text: String,
    /// `anomaly`, `refused`, `safe` or `unclear`. None without a verdict.
    pub verdict: Option<&'static str>,
}

/// The page. `token` is drawn for this form; `reveal` leaves the prediction out, for teachers.
#[derive(Debug)]
pub struct RunsPage<'a> {
    /// What the form holds.
    pub form: RunForm,
    /// Keeps the form from being carried out twice.
    pub token: &'a str,
    /// The most that may be asked for.
    pub most: Most,
    /// Whether no prediction is asked for.
    pub reveal: bool,
    /// What was wrong with the form: a headline and a sentence.
    pub complaint: Option<(&'a str, &'a str)>,
    /// The newest runs.
    pub recent: &'a [RecentRun],
}

impl RunsPage<'_> {
    /// The page as HTML.
    pub fn page(&self, user: Option<&str>) -> Markup {
        Frame::new("Run a burst of requests", Place::Run, user).page(&html! {
            p.lead {
                "The lab sends requests to one strategy at once, and shows what became of each."
            }
            @if let Some((title, detail)) = self.complaint { (complaint(title, detail)) }
            (self.form())
            (recent(self.recent))
        })
    }

    fn form(&self) -> Markup {
        let form = &self.form;
        let may_be = |exhibit: &str, _: &str| exhibit != "statements";
        html! {
            form.form method="post" action="/runs" {
                input type="hidden" name="token" value=(self.token);
                (form::strategy("strategy", "Strategy", &form.strategy, may_be))
                (self.numbers())
                (release(form.wait_ms, self.most.seconds))
                (form::select("isolation", "Isolation level", &form::LEVELS, &form.isolation))
                @if !self.reveal { (prediction()) }
                div.actions {
                    button.primary data-busy="Starting…" { "Start the run" }
                }
            }
        }
    }

    fn numbers(&self) -> Markup {
        let (form, most) = (&self.form, self.most);
        let requests = format!("at most {}", most.requests);
        let delay = format!(
            "at most {}; only strategies with a long delay think",
            most.delay_ms
        );
        let number = |name, label, value, least, most, hint| {
            form::number(Number {
                name,
                label,
                value: Some(value),
                least,
                most,
                hint,
            })
        };
        html! {
            (number("requests", "Requests", form.requests, 1, Some(most.requests), requests.as_str()))
            (number("delay_ms", "Thinking, in ms", form.delay_ms, 0, Some(most.delay_ms), &delay))
            (number("account", "Account or order book", form.account, 1, None, ""))
            (number(
                "instances", "Instances of the service", form.instances, 1, Some(most.instances),
                "a lock in memory does not reach another instance"
            ))
        }
    }
}

fn release(wait_ms: Option<i64>, seconds: i64) -> Markup {
    html! {
        fieldset.field {
            legend { "Release" }
            label.choice {
                input type="radio" name="pace" value="together" checked[wait_ms.is_none()];
                " all together"
            }
            label.choice {
                input type="radio" name="pace" value="wait" checked[wait_ms.is_some()];
                " with a pause"
            }
            label for="wait_ms" { "Pause, in ms" }
            input #wait_ms name="wait_ms" type="number" min="0" value=(wait_ms.unwrap_or(20))
                aria-describedby="wait_ms-hint";
            p.hint #wait_ms-hint { "all of them within " (seconds) " seconds" }
        }
    }
}

fn prediction() -> Markup {
    html! {
        fieldset.field.whole.predict {
            legend { "What do you expect in the account afterwards?" }
            label for="predicted" { "Balance" }
            input #predicted name="predicted" type="number";
            label.choice {
                input type="checkbox" name="unsure" data-clears="predicted";
                " I don't know"
            }
        }
    }
}

fn recent(runs: &[RecentRun]) -> Markup {
    let table = html! {
        table {
            caption { "The newest first" }
            thead {
                tr {
                    th scope="col" { "Run" }
                    th scope="col" { "Strategy" }
                    th.number scope="col" { "Requests" }
                    th scope="col" { "What came of it" }
                }
            }
            tbody {
                @for run in runs {
                    tr {
                        th scope="row" { a href={ "/runs/" (run.id) } { (run.began) } }
                        td { (run.strategy) }
                        td.number { (run.requests) }
                        td { span class={ "tag " (tag(run)) } { (run.text) } }
                    }
                }
            }
        }
    };
    html! {
        h2 { "Recent runs" }
        @if runs.is_empty() {
            p { "There are no runs yet." }
        } @else {
            (scroll("Recent runs", &table))
        }
    }
}

fn tag(run: &RecentRun) -> &'static str {
    match run.state {
        State::Running => "running",
        State::Ended | State::Stopped | State::Failed => run.verdict.unwrap_or("unclear"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most {
        requests: 500,
        delay_ms: 10_000,
        instances: 2,
        seconds: 60,
    };

    fn shown(form: RunForm, reveal: bool, recent: &[RecentRun]) -> String {
        let page = RunsPage {
            form,
            token: "t0ken",
            most: MOST,
            reveal,
            complaint: None,
            recent,
        };
        page.page(None).into_string()
    }

    #[test]
    fn the_form_offers_every_strategy_that_changes_something() {
        let page = shown(RunForm::default(), false, &[]);
        assert!(
            page.contains(r#"<option value="non_atomic_long_delay" selected>"#),
            "{page}"
        );
        assert!(page.contains(r#"<option value="orders/bakery">"#));
        assert!(!page.contains("statement_torn"));
    }

    #[test]
    fn a_teacher_is_not_asked_for_a_prediction() {
        assert!(shown(RunForm::default(), false, &[]).contains("name=\"predicted\""));
        assert!(!shown(RunForm::default(), true, &[]).contains("name=\"predicted\""));
    }

    #[test]
    fn markup_in_a_list_or_a_form_is_text() {
        let bad = "<img src=x>".to_owned();
        let run = RecentRun {
            id: "k3v".to_owned(),
            began: bad.clone(),
            strategy: bad.clone(),
            requests: 10,
            state: State::Ended,
            text: bad.clone(),
            verdict: Some("anomaly"),
        };
        let form = RunForm {
            strategy: bad.clone(),
            isolation: bad,
            ..RunForm::default()
        };
        let page = shown(form, false, &[run]);
        assert!(!page.contains("<img"), "{page}");
    }
}
