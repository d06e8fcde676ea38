//! The form that starts a run, and the recent runs.

use maud::{Markup, html};

use super::form::{self, Filled, Number};
use super::frame::{Frame, Place};
use super::parts::scroll;
use crate::console::record::State;
use crate::engine::Isolation;

/// The strategy that the form holds at first.
pub const STRATEGY: &str = "non_atomic_long_delay";

/// The number of requests that the form holds at first.
pub const REQUESTS: &str = "10";

/// How long the strategy thinks at first, in milliseconds.
pub const DELAY_MS: &str = "150";

/// What is said of the account in a form.
pub const ACCOUNT_HINT: &str = "each run of orders has a book of its own";

/// The fields that the form carries and does not show.
const CARRIED: [&str; 3] = ["exhibit", "amount", "reveal"];

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

/// What an account holds.
#[derive(Debug, Clone, Copy)]
pub struct Holding {
    /// Its number.
    pub account: i64,
    /// Its balance.
    pub balance: i128,
}

/// A run in the list.
#[derive(Debug, Clone)]
pub struct RecentRun {
    /// Its name in URLs.
    pub id: String,
    /// When it began, in UTC.
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

/// The page. `token` is drawn for this form.
#[derive(Debug)]
pub struct RunsPage<'a> {
    /// What the form holds.
    pub filled: Filled,
    /// Keeps the form from being carried out twice.
    pub token: &'a str,
    /// The most that may be asked for.
    pub most: Most,
    /// The isolation levels of this lab's engine.
    pub levels: &'a [Isolation],
    /// What the form's account holds now. None if there is no such account.
    pub holding: Option<Holding>,
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
            (self.filled.complaint())
            (self.form())
            (recent(self.recent))
        })
    }

    fn form(&self) -> Markup {
        let filled = &self.filled;
        // `reveal` leaves the prediction out, for teachers.
        let is_asked = filled.text("reveal", "") != "1";
        let may_be = |exhibit: &str| exhibit != "statements";
        html! {
            form.form method="post" action="/runs" {
                input type="hidden" name="token" value=(self.token);
                (filled.carried(&CARRIED))
                (form::strategy(filled, "strategy", "Strategy", STRATEGY, may_be))
                (self.numbers())
                (release(filled, self.most.seconds))
                (form::level(filled, "isolation", "Isolation level", self.levels))
                @if is_asked { (prediction(filled, self.holding)) }
                div.actions {
                    button.primary data-busy="Starting…" { "Start the run" }
                }
            }
        }
    }

    fn numbers(&self) -> Markup {
        let most = self.most;
        let requests = format!("at most {}", most.requests);
        let delay = format!(
            "at most {}; only strategies with a long delay think",
            most.delay_ms
        );
        let number = |name, label, usual, least, most, hint| {
            let field = Number {
                name,
                label,
                usual,
                least,
                most,
                hint,
            };
            form::number(&self.filled, field)
        };
        html! {
            (number("requests", "Requests", REQUESTS, 1, Some(most.requests), requests.as_str()))
            (number("delay_ms", "Thinking, in ms", DELAY_MS, 0, Some(most.delay_ms), &delay))
            (number("account", "Account", "1", 0, None, ACCOUNT_HINT))
            (number(
                "instances", "Instances of the service", "1", 1, Some(most.instances),
                "a lock in memory does not reach another instance"
            ))
        }
    }
}

fn release(filled: &Filled, seconds: i64) -> Markup {
    let pace = filled.text("pace", filled.text("release", "together"));
    html! {
        fieldset.field {
            legend { "Release" }
            @for (value, words) in [("together", " all together"), ("wait", " with a pause")] {
                label.choice {
                    input type="radio" name="pace" value=(value) checked[pace == value]
                        aria-invalid=[filled.invalid("pace")];
                    (words)
                }
            }
            label for="wait_ms" { "Pause, in ms" }
            input #wait_ms name="wait_ms" type="number" min="1" value=(filled.text("wait_ms", "20"))
                aria-invalid=[filled.invalid("wait_ms")]
                aria-describedby=[filled.described_by("wait_ms", true)];
            p.hint #wait_ms-hint { "all of them within " (seconds) " seconds" }
        }
    }
}

/// The question that only a run of deposits answers, with what the answer follows from.
fn prediction(filled: &Filled, holding: Option<Holding>) -> Markup {
    let amount = filled.text("amount", "100");
    html! {
        fieldset.field.whole.predict {
            legend { "Deposits: what do you expect in the account afterwards?" }
            label for="predicted" { "Balance" }
            input #predicted name="predicted" type="number" value=(filled.text("predicted", ""))
                aria-invalid=[filled.invalid("predicted")]
                aria-describedby=[filled.described_by("predicted", true)];
            p.hint #predicted-hint {
                @if let Some(Holding { account, balance }) = holding {
                    "Account " (account) " holds " b { (balance) } " now. "
                }
                "Each request deposits " (amount) ". Orders and exports have no balance."
            }
            label.choice {
                input type="checkbox" name="unsure" data-clears="predicted"
                    checked[!filled.text("unsure", "").is_empty()];
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
                    th scope="col" { "Began, in UTC" }
                    th scope="col" { "Strategy" }
                    th.number scope="col" { "Requests" }
                    th scope="col" { "What came of it" }
                }
            }
            tbody {
                @for run in runs {
                    tr {
                        th.when scope="row" { a href={ "/runs/" (run.id) } { (run.began) } }
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

    fn shown(filled: &[(&'static str, &str)], recent: &[RecentRun]) -> String {
        let texts = filled
            .iter()
            .map(|(name, text)| (*name, (*text).to_owned()));
        let page = RunsPage {
            filled: Filled::new(texts.collect()),
            token: "t0ken",
            most: MOST,
            levels: &[Isolation::Serializable],
            holding: Some(Holding {
                account: 1,
                balance: 10_800,
            }),
            recent,
        };
        page.page(None).into_string()
    }

    #[test]
    fn the_form_offers_every_strategy_that_changes_something() {
        let page = shown(&[], &[]);
        assert!(
            page.contains(r#"<option value="non_atomic_long_delay" selected>"#),
            "{page}"
        );
        assert!(page.contains(r#"<option value="orders/bakery">"#));
        assert!(!page.contains("statement_torn"));
        assert!(
            !page.contains("READ COMMITTED"),
            "this engine has no such level"
        );
    }

    #[test]
    fn a_teacher_is_not_asked_for_a_prediction() {
        assert!(shown(&[], &[]).contains("name=\"predicted\""));
        let page = shown(&[("reveal", "1")], &[]);
        assert!(!page.contains("name=\"predicted\""));
        assert!(page.contains(r#"<input type="hidden" name="reveal" value="1">"#));
    }

    #[test]
    fn a_prediction_begins_with_what_is_there() {
        let page = shown(&[], &[]);
        assert!(page.contains("Account 1 holds <b>10800</b> now."), "{page}");
    }

    #[test]
    fn everything_that_was_given_is_in_the_form_again() {
        let page = shown(
            &[
                ("pace", "wait"),
                ("wait_ms", "7"),
                ("predicted", "12"),
                ("unsure", "on"),
                ("amount", "9"),
                ("isolation", "SERIALIZABLE"),
            ],
            &[],
        );
        for part in [
            r#"value="wait" checked"#,
            r#"min="1" value="7""#,
            r#"type="number" value="12""#,
            r#"data-clears="predicted" checked"#,
            r#"name="amount" value="9""#,
            r#"<option value="SERIALIZABLE" selected>"#,
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn markup_in_a_list_or_a_form_is_text() {
        const BAD: &str = "<img src=x>";
        let run = RecentRun {
            id: "k3v".to_owned(),
            began: BAD.to_owned(),
            strategy: BAD.to_owned(),
            requests: 10,
            state: State::Ended,
            text: BAD.to_owned(),
            verdict: Some("anomaly"),
        };
        let fields = ["strategy", "isolation", "requests", "wait_ms", "amount"];
        let page = shown(&fields.map(|it| (it, BAD)), &[run]);
        assert!(!page.contains("<img"), "{page}");
    }
}
