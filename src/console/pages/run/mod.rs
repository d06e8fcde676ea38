//! A run: how far it is, its verdict, its picture, what was lost, and the table of its steps.

mod table;
mod verdict;

use maud::{Markup, html};

pub use table::steps;
pub use verdict::{banner, class, refusal};

use super::embed::{Kind, picture};
use super::frame::{Frame, Place};
use super::live::{self, Progress};
use super::parts::{counted, full_name, milliseconds, why_path, with_query};
use super::problem::complaint;
use crate::console::record::{RunPlan, RunRecord, State};

/// The page of a run that is over, in whatever way.
pub fn page(record: &RunRecord, user: Option<&str>) -> Markup {
    let title = title(&record.plan);
    let over = about(record);
    let frame = Frame::new(&title, Place::Run, user);
    frame.below(&over).page(&html! {
        (result(record))
        (take(&record.id))
        (ways_on(&record.plan))
    })
}

/// The page of a run that is under way. `token` keeps its form from being carried out twice.
pub fn under_way(
    plan: &RunPlan,
    progress: &Progress<'_>,
    token: &str,
    user: Option<&str>,
) -> Markup {
    let title = title(plan);
    let over = how(plan);
    let frame = Frame::new(&title, Place::Run, user).again_every(live::AGAIN);
    frame.below(&over).page(&live::progress(progress, token))
}

/// The page of a run of which there is no record, because the service that ran it is gone.
pub fn broken_off(plan: &RunPlan, why: &str, user: Option<&str>) -> Markup {
    let (title, over) = (title(plan), how(plan));
    let frame = Frame::new(&title, Place::Run, user);
    frame.below(&over).page(&html! {
        (complaint("The run could not go on", why))
        p { "What it had sent until then may be in the account. It was not sent again." }
        (ways_on(plan))
    })
}

/// The headline of a run.
pub fn title(plan: &RunPlan) -> String {
    let requests = counted(plan.requests, "request", "requests");
    format!("{requests} to {}", plan.strategy)
}

/// Where, when and how it ran, in one line.
pub fn about(record: &RunRecord) -> String {
    let mut parts = vec![how(&record.plan)];
    if !record.engine.is_null() {
        parts.push(engine(record));
    }
    // To the minute: `2026-11-29T17:00:00Z`.
    if let Some((date, time)) = record.started_at.split_once('T') {
        let time = time.get(..5).unwrap_or(time);
        parts.push(format!("{date} {time} UTC"));
    }
    if record.took_us > 0 {
        parts.push(format!("took {}", milliseconds(record.took_us)));
    }
    parts.join(" · ")
}

/// How the requests of a run are released, in words.
fn how(plan: &RunPlan) -> String {
    let pace = match plan.wait_ms {
        None => "all together".to_owned(),
        Some(wait) => format!("one every {wait} ms"),
    };
    let instances = match plan.instances {
        0 | 1 => String::new(),
        several => format!(" · {several} instances"),
    };
    // Each request draws its own delay. Only the strategies of this name have one.
    let thinks = match plan.delay_ms {
        longest if plan.strategy.contains("long_delay") => {
            format!(" · thinks {} to {longest} ms", longest / 2)
        }
        _ => String::new(),
    };
    format!("{} · {pace}{thinks}{instances}", plan.exhibit)
}

/// The engine and its level, in words.
pub fn engine(record: &RunRecord) -> String {
    let text = |name: &str| record.engine[name].as_str().unwrap_or_default().to_owned();
    let name = match text("engine").as_str() {
        "mysql" => "MySQL".to_owned(),
        "mariadb" => "MariaDB".to_owned(),
        "postgres" => "PostgreSQL".to_owned(),
        "sqlite" => "SQLite".to_owned(),
        other => other.to_owned(),
    };
    let version = text("engine_version");
    let version = version.split([' ', '-']).next().unwrap_or_default();
    let isolation = text("isolation").replace(['_', '-'], " ").to_uppercase();
    format!("{name} {version}, {isolation}")
}

/// What came of a run: verdict, picture, losses and table.
pub fn result(record: &RunRecord) -> Markup {
    html! {
        (state(record))
        (banner(record))
        @for note in &record.notes { p.faint { (note) } }
        (picture(Kind::Run, record))
        (losses(record))
        details #table open {
            summary { "The same as a table" }
            (steps(record, "steps", "s"))
        }
    }
}

/// Why a run has no verdict, or not the whole one.
fn state(record: &RunRecord) -> Markup {
    html! {
        @match record.state {
            State::Running | State::Ended => {},
            State::Stopped => p.done role="status" {
                b { "Stopped. " }
                "A visitor has stopped this run. What had been sent until then is below."
            },
            State::Failed => {
                @let why = record.error.as_deref().unwrap_or("The service was stopped meanwhile.");
                (complaint("The run could not go on", why))
            },
        }
    }
}

fn losses(record: &RunRecord) -> Markup {
    html! {
        @if !record.losses.is_empty() {
            section.losses aria-labelledby="losses" {
                h2 #losses { (if record.plan.exhibit == "deposits" { "What was lost" } else { "What went wrong" }) }
                ol {
                    @for (at, loss) in (1..).zip(&record.losses) {
                        li id={ "loss-" (at) } {
                            a href={ "#loss=" (at) } { (pair(record, loss.lost, loss.by)) }
                            " " span { (loss.sentence) }
                        }
                    }
                }
            }
        }
    }
}

/// Which request lost something, and to which.
fn pair(record: &RunRecord, lost: usize, by: usize) -> String {
    let number = |lane: usize| record.lanes.get(lane).map_or(0, |lane| lane.request);
    let how = match record.plan.exhibit.as_str() {
        "orders" => "with the number of",
        "exports" => "mixed with",
        _ => "overwritten by",
    };
    format!("Request {}, {how} request {}", number(lost), number(by))
}

/// The run as files.
fn take(id: &str) -> Markup {
    html! {
        nav.take aria-label="Take it with you" {
            a href={ "/runs/" (id) ".html" } download { "One HTML file" }
            a href={ "/runs/" (id) ".json" } download { "JSON" }
            a href={ "/runs/" (id) "/trace.json" } download { "Trace" }
            a href={ "/runs/" (id) ".sql" } download { "SQL" }
            button.quiet type="button" data-copy="link" hidden { "Copy the link" }
        }
        p.faint {
            "The HTML file needs no server. The trace opens in ui.perfetto.dev or chrome://tracing."
        }
    }
}

fn ways_on(plan: &RunPlan) -> Markup {
    let strategy = full_name(&plan.exhibit, &plan.strategy);
    html! {
        nav.row aria-label="Where to go" {
            @if let Some(strategy) = strategy {
                a.button href=(again(plan, strategy)) { "Run it again" }
                a.button href=(why_path(strategy)) { "Why" }
                a.button href=(with_query("/explore", &[("strategy", strategy.to_owned())])) {
                    "Every schedule"
                }
                a.button href=(with_query("/compare", &[("first", strategy.to_owned())])) {
                    "Compare"
                }
            }
            a.button href="/runs" { "Other runs" }
        }
    }
}

/// The form with what this run asked for.
fn again(plan: &RunPlan, strategy: &str) -> String {
    let mut values = vec![
        ("strategy", strategy.to_owned()),
        ("requests", plan.requests.to_string()),
        ("delay_ms", plan.delay_ms.to_string()),
        ("account", plan.account.to_string()),
        ("instances", plan.instances.to_string()),
    ];
    values.extend(plan.wait_ms.map(|wait| ("wait_ms", wait.to_string())));
    let isolation = plan.isolation.as_ref();
    values.extend(isolation.map(|isolation| ("isolation", isolation.clone())));
    with_query("/runs", &values)
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::samples::lost_update;
    use super::*;
    use crate::console::record::VerdictKind;

    fn shown(record: &RunRecord) -> String {
        page(record, None).into_string()
    }

    #[test]
    fn a_run_under_way_shows_its_progress_and_can_be_stopped() {
        let progress = Progress {
            path: "/runs/k3v",
            unit: "requests",
            done: 1,
            of: Some(2),
            text: "1 of 2 answered",
        };
        let page = under_way(&lost_update().plan, &progress, "t0ken", None).into_string();
        assert!(page.contains(r#"data-events="/runs/k3v/events""#), "{page}");
        assert!(page.contains(r#"action="/runs/k3v/stop""#));
        assert!(page.contains("1 of 2 answered"));
        assert!(page.contains("http-equiv=\"refresh\""));
        assert!(!page.contains("id=\"record\""));
    }

    #[test]
    fn a_lost_update_is_told_with_its_two_requests() {
        let page = shown(&lost_update());
        assert!(
            page.contains(r#"<section class="verdict anomaly""#),
            "{page}"
        );
        assert!(page.contains("1 of 2 deposits lost"));
        let loss = r##"<li id="loss-1"><a href="#loss=1">Request 1, overwritten by request 2</a>"##;
        assert!(page.contains(loss), "{page}");
        assert!(page.contains("Request 2 read 0 before request 1 wrote 100"));
        assert!(page.contains(r#"<div id="picture" data-kind="run" hidden>"#));
        assert!(!page.contains("http-equiv"));
    }

    #[test]
    fn markup_in_any_field_is_text() {
        let json = serde_json::to_string(&lost_update()).unwrap();
        let mut record: serde_json::Value = serde_json::from_str(&json).unwrap();
        poison(&mut record);
        let record: RunRecord = serde_json::from_value(record).unwrap();
        let page = shown(&record);
        assert!(!page.contains("<img"), "{page}");
        assert!(page.contains("&lt;img src=x&gt;"));
    }

    /// Puts markup into every text but those that are one of a few words.
    fn poison(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => text.push_str("<img src=x>\"'"),
            serde_json::Value::Array(items) => items.iter_mut().for_each(poison),
            serde_json::Value::Object(fields) => {
                for (name, field) in fields {
                    let is_word = name == "state" || (name == "kind" && is_verdict(field));
                    if !is_word {
                        poison(field);
                    }
                }
            }
            _ => {}
        }
    }

    fn is_verdict(field: &serde_json::Value) -> bool {
        serde_json::from_value::<VerdictKind>(field.clone()).is_ok()
    }

    #[test]
    fn a_run_that_failed_says_why() {
        let record = RunRecord {
            state: State::Failed,
            error: Some("The database is gone.".to_owned()),
            verdict: None,
            ..lost_update()
        };
        let page = shown(&record);
        assert!(page.contains("The run could not go on"), "{page}");
        assert!(page.contains("The database is gone."));
    }
}
