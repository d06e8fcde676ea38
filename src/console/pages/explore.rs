//! The form that starts an exploration, the recent ones, and the page of one.

use maud::{Markup, html};

use super::form::{self, Filled, Number};
use super::frame::{Frame, Place};
use super::live::{self, Progress};
use super::parts::scroll;
use super::problem::complaint;
use super::report::{Findings, findings};
use crate::console::explorations::{ASKED, CARRIED};
use crate::console::record::State;
use crate::engine::Isolation;
use crate::explore::report::Report;

/// An exploration in the list.
#[derive(Debug, Clone)]
pub struct RecentExploration {
    /// Its name in URLs.
    pub id: String,
    /// When it began, in UTC.
    pub began: String,
    /// What was explored.
    pub what: String,
    /// How far it is.
    pub state: State,
    /// What came of it, or how far it is, in words.
    pub text: String,
}

/// The page with the form.
#[derive(Debug)]
pub struct ExplorePage<'a> {
    /// What the form holds.
    pub filled: Filled,
    /// Keeps the form from being carried out twice.
    pub token: &'a str,
    /// The most clients that a visitor may ask for.
    pub most_clients: i64,
    /// The isolation levels of this lab's engine.
    pub levels: &'a [Isolation],
    /// The engine, in words.
    pub engine: &'a str,
    /// The newest explorations.
    pub recent: &'a [RecentExploration],
}

impl ExplorePage<'_> {
    /// The page as HTML.
    pub fn page(&self, user: Option<&str>) -> Markup {
        let frame = Frame::new("Explore every schedule", Place::Explore, user);
        frame.below(self.engine).page(&html! {
            p.lead {
                "The lab runs a strategy in every order in which the steps of its clients can run, "
                "in a database of the explorer's own, and shows the simplest that goes wrong."
            }
            (self.filled.complaint())
            @match self.filled.text("what", "strategy") {
                "" | "strategy" => (self.form()),
                _ => (self.other()),
            }
            p {
                "Races of other people's code are under "
                a href="/scenarios" { "scenarios" } "."
            }
            (recent(self.recent))
        })
    }
}

impl ExplorePage<'_> {
    fn form(&self) -> Markup {
        let filled = &self.filled;
        let clients = Number {
            name: "clients",
            label: "Clients",
            usual: "2",
            least: 1,
            most: Some(self.most_clients),
            hint: "three take much longer",
        };
        html! {
            form.form method="post" action="/explore" {
                input type="hidden" name="token" value=(self.token);
                input type="hidden" name="what" value="strategy";
                (filled.carried(CARRIED))
                (form::strategy(filled, "strategy", "Strategy", "atomic_no_delay", |_| true))
                (form::number(filled, clients))
                (form::level(filled, "isolation", "Isolation level", self.levels))
                div.actions { button.primary data-busy="Starting…" { "Explore" } }
            }
        }
    }

    /// What was asked for on another page, to be asked for again.
    fn other(&self) -> Markup {
        let filled = &self.filled;
        html! {
            form.row method="post" action="/explore" {
                input type="hidden" name="token" value=(self.token);
                (filled.carried(ASKED))
                button.primary data-busy="Starting…" { "Try again" }
                @match filled.text("what", "") {
                    "matrix" => span { "All strategies at every level" },
                    "scenario" => code { (filled.text("scenario", "")) },
                    "exhibit" => span { "All of " (filled.text("exhibit", "")) },
                    what => span { (what) },
                }
            }
            p { a href="/explore" { "Explore a strategy" } }
        }
    }
}

fn recent(explorations: &[RecentExploration]) -> Markup {
    let table = html! {
        table {
            caption { "The newest first" }
            thead {
                tr {
                    th scope="col" { "Began, in UTC" }
                    th scope="col" { "Of what" }
                    th scope="col" { "What came of it" }
                }
            }
            tbody {
                @for it in explorations {
                    tr {
                        th.when scope="row" { a href={ "/explorations/" (it.id) } { (it.began) } }
                        td { (it.what) }
                        td {
                            @let is_running = it.state == State::Running;
                            @if is_running { span.tag.running { (it.text) } } @else { (it.text) }
                        }
                    }
                }
            }
        }
    };
    html! {
        h2 { "Recent explorations" }
        @if explorations.is_empty() {
            p { "There are no explorations yet." }
        } @else {
            (scroll("Recent explorations", &table))
        }
    }
}

/// The page of an exploration that is under way.
pub fn under_way(what: &str, progress: &Progress<'_>, token: &str, user: Option<&str>) -> Markup {
    let title = format!("Exploring {what}");
    let frame = Frame::new(&title, Place::Explore, user).again_every(live::AGAIN);
    frame.page(&live::progress(progress, token))
}

/// An exploration that is over.
#[derive(Debug)]
pub struct ExplorationPage<'a> {
    /// Its name in URLs.
    pub id: &'a str,
    /// What was explored.
    pub what: &'a str,
    /// How it ended.
    pub state: State,
    /// Why it failed. None if it did not.
    pub error: Option<&'a str>,
    /// What was found. None if nothing was.
    pub report: Option<&'a Report>,
    /// The finding that is shown, from 1.
    pub finding: usize,
}

impl ExplorationPage<'_> {
    /// The page as HTML.
    pub fn page(&self, user: Option<&str>) -> Markup {
        let title = format!("Exploration of {}", self.what);
        let path = format!("/explorations/{}", self.id);
        Frame::new(&title, Place::Explore, user).page(&html! {
            (self.ending())
            @if let Some(report) = self.report {
                (findings(report, self.finding, &Findings::At(&path)))
                (take(&path, self.finding))
            }
            p.row { a.button href="/explore" { "Other explorations" } }
        })
    }

    fn ending(&self) -> Markup {
        html! {
            @match self.state {
                State::Running | State::Ended => {},
                State::Stopped => p.done role="status" {
                    b { "Stopped. " }
                    "A visitor has stopped this exploration, so not all schedules were run."
                },
                State::Failed => {
                    @let why = self.error.unwrap_or("The service was stopped meanwhile.");
                    (complaint("The exploration could not go on", why))
                },
            }
        }
    }
}

fn take(path: &str, finding: usize) -> Markup {
    html! {
        nav.take aria-label="Take it with you" {
            a href={ (path) ".html?finding=" (finding) } download { "One HTML file" }
            a href={ (path) ".json" } download { "JSON" }
            a href={ (path) ".sql?finding=" (finding) } download { "SQL" }
            a href={ (path) ".trace.json?finding=" (finding) } download { "Trace" }
            button.quiet type="button" data-copy="link" hidden { "Copy the link" }
        }
        p.faint { "The JSON opens at any other lab under " a href="/open" { "Open a report" } "." }
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::samples::report;
    use super::*;

    #[test]
    fn an_exploration_shows_the_finding_that_is_asked_for() {
        let report = report();
        let shown = |finding| {
            let page = ExplorationPage {
                id: "k3v",
                what: "<img src=x>",
                state: State::Ended,
                error: None,
                report: Some(&report),
                finding,
            };
            page.page(None).into_string()
        };
        assert!(shown(1).contains(r#"<table id="steps">"#), "{}", shown(1));
        assert!(shown(2).contains("Safe in every schedule"), "{}", shown(2));
        assert!(shown(1).contains(r#"href="/explorations/k3v?finding=2""#));
        assert!(shown(99).contains("There is no finding 99"));
        assert!(!shown(1).contains("<img"));
    }

    #[test]
    fn an_exploration_that_failed_says_why() {
        let page = ExplorationPage {
            id: "k3v",
            what: "atomic_no_delay",
            state: State::Failed,
            error: Some("No database could be made."),
            report: None,
            finding: 1,
        };
        let page = page.page(None).into_string();
        assert!(page.contains("No database could be made."), "{page}");
    }
}
