//! A cell of the matrix: the schedule that goes wrong, or why none does.

use maud::{Markup, html};

use super::{CellPlace, class, explained_at, is_scenario, path_of, words};
use crate::console::pages::finding;
use crate::console::pages::frame::{Frame, Place};
use crate::console::pages::parts::with_query;
use crate::explore::report::matrix::{column, title};
use crate::explore::report::{FindingData, Report};

/// The page of a cell.
pub fn page(report: &Report, cell: &FindingData, user: Option<&str>) -> Markup {
    let instances = cell.several_instances();
    let headline = format!("{}{instances}", cell.strategy);
    let path = path_of(cell);
    let over = format!("{} · {}", title(&cell.engine), column(&cell.engine));
    let frame = Frame::new(&headline, Place::Matrix, user);
    frame.below(&over).page(&html! {
        (finding::whole(cell))
        (elsewhere(report, cell))
        nav.take aria-label="Take it with you" {
            a href={ (path) ".html" } download { "One HTML file" }
            a href={ (path) ".json" } download { "JSON" }
            a href={ (path) ".sql" } download { "SQL" }
            a href={ (path) ".trace.json" } download { "Trace" }
            button.quiet type="button" data-copy="link" hidden { "Copy the link" }
        }
        nav.row aria-label="Where to go" {
            (ways_on(cell))
            a.button href={ "/matrix?engine=" (CellPlace::of(cell).engine) } { "The matrix" }
        }
    })
}

fn ways_on(cell: &FindingData) -> Markup {
    let strategy = cell.strategy.split(',').next().unwrap_or_default();
    let of_it = [("strategy", strategy.to_owned())];
    html! {
        @if is_scenario(cell) {
            a.button href=(explained_at(cell)) { "The file, and explore it live" }
        } @else {
            a.button href=(explained_at(cell)) { "Why" }
            a.button href=(with_query("/explore", &of_it)) { "Explore it live" }
            a.button href=(with_query("/runs", &of_it)) { "Run it" }
        }
    }
}

/// The same strategy on the other engines and levels.
fn elsewhere(report: &Report, cell: &FindingData) -> Markup {
    let is_same =
        |it: &&FindingData| (&it.strategy, it.instances) == (&cell.strategy, cell.instances);
    html! {
        details {
            summary { "The same on other engines and levels" }
            ul {
                @for other in report.findings.iter().filter(is_same) {
                    @let is_here = path_of(other) == path_of(cell);
                    li {
                        a href=(path_of(other)) aria-current=[is_here.then_some("page")] {
                            (title(&other.engine)) ", " (column(&other.engine))
                        }
                        ": " span class={ "tag " (class(other)) } { (words(other)) }
                    }
                }
            }
        }
    }
}
