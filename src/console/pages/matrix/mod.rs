//! The matrix: engines, levels and strategies as a table of links, and a page for each cell.

mod cell;
mod place;

use maud::{Markup, html};

pub use cell::page as cell_page;
pub use place::{Place as CellPlace, class, find, find_on, path_of};

use super::form::{self, Filled, Texts};
use super::frame::{Frame, Place, percent_encoded};
use super::parts::why_path;
use crate::exhibits::{EXHIBITS, Exhibit};
use crate::explore::report::matrix::{cell, column, distinct, legend, title};
use crate::explore::report::{FindingData, Report};

/// What of the matrix is shown. An empty text shows all.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    /// The engine, as in the cells' paths.
    pub engine: String,
    /// The level, as in the cells' paths.
    pub level: String,
    /// The exhibit.
    pub exhibit: String,
    /// `anomaly`, `refused`, `safe` or `unknown`: strategies with at least one such cell.
    pub verdict: String,
}

impl Filters {
    fn shows(&self, finding: &FindingData) -> bool {
        let place = CellPlace::of(finding);
        let is_chosen = |filter: &str, value: &str| filter.is_empty() || filter == value;
        is_chosen(&self.engine, &place.engine)
            && is_chosen(&self.level, &place.level)
            && (self.exhibit.is_empty() || exhibit_of(finding) == self.exhibit)
    }
}

/// The files of the corpus, among the exhibits.
const SCENARIOS: &str = "scenarios";

fn is_scenario(finding: &FindingData) -> bool {
    finding.title.is_some()
}

/// The page that explains what was explored.
fn explained_at(finding: &FindingData) -> String {
    if is_scenario(finding) {
        format!("/{}", percent_encoded(&finding.strategy))
    } else {
        let strategy = finding.strategy.split(',').next().unwrap_or_default();
        why_path(&percent_encoded(strategy))
    }
}

/// The exhibit of a finding.
fn exhibit_of(finding: &FindingData) -> &'static str {
    if is_scenario(finding) {
        return SCENARIOS;
    }
    let name = finding.strategy.split(',').next().unwrap_or_default();
    let has = |exhibit: &&&Exhibit| {
        let mut specimens = (exhibit.specimens)().into_iter();
        specimens.any(|it| it.full_name() == name)
    };
    EXHIBITS.iter().find(has).map_or("", |exhibit| exhibit.name)
}

/// A column: an engine and a level.
type Column = (String, String);

fn column_of(finding: &FindingData) -> Column {
    (title(&finding.engine), column(&finding.engine))
}

/// A row: a strategy in a setting, and the number of instances.
type Row<'r> = (&'r str, usize);

fn row_of(finding: &FindingData) -> Row<'_> {
    (&finding.strategy, finding.instances)
}

/// The page. `token` is drawn for its form.
pub fn page(report: &Report, filters: &Filters, token: &str, user: Option<&str>) -> Markup {
    let all = &report.findings[..];
    let shown = all.iter().filter(|it| filters.shows(it));
    let mut shown: Vec<_> = shown.collect();
    if !filters.verdict.is_empty() {
        let rows = shown.iter().filter(|it| class(it) == filters.verdict);
        let rows: Vec<_> = rows.map(|it| row_of(it)).collect();
        shown.retain(|it| rows.contains(&row_of(it)));
    }
    Frame::new("Which code goes wrong where", Place::Matrix, user).page(&html! {
        p.lead {
            "Every schedule of two clients, on every engine at every level. A cell leads to the "
            "simplest schedule that goes wrong, or says why none does."
        }
        (filter_form(all, filters))
        (live(token))
        @if shown.is_empty() {
            p { "Nothing here fits. " a href="/matrix" { "Show all of it" } }
        } @else {
            (table(&shown))
            p.faint { (legend(all)) }
        }
        @for missing in &report.missing { p.faint { "Not run: " (missing) } }
    })
}

fn filter_form(all: &[FindingData], filters: &Filters) -> Markup {
    let choices = |value: &dyn Fn(&FindingData) -> (String, String)| {
        let mut choices = vec![(String::new(), "all".to_owned())];
        choices.extend(distinct(all.iter().map(value)));
        choices
    };
    let engines = choices(&|it| (CellPlace::of(it).engine, title(&it.engine)));
    let levels = choices(&|it| (CellPlace::of(it).level, column(&it.engine)));
    let exhibits = EXHIBITS.iter().map(|it| (it.name, it.name));
    let exhibits = [("", "all")].into_iter().chain(exhibits);
    let exhibits: Vec<_> = exhibits.chain([(SCENARIOS, SCENARIOS)]).collect();
    let verdicts = [
        ("", "all"),
        ("anomaly", "goes wrong"),
        ("refused", "refused, never wrong"),
        ("safe", "safe"),
        ("unknown", "not known"),
    ];
    let filled = Filled::new(Texts::from([
        ("engine", filters.engine.clone()),
        ("level", filters.level.clone()),
        ("exhibit", filters.exhibit.clone()),
        ("verdict", filters.verdict.clone()),
    ]));
    html! {
        form.filters method="get" action="/matrix" {
            (form::select(&filled, "engine", "Engine", &borrowed(&engines)))
            (form::select(&filled, "level", "Level", &borrowed(&levels)))
            (form::select(&filled, "exhibit", "Exhibit", &exhibits))
            (form::select(&filled, "verdict", "Verdict", &verdicts))
            div.actions { button { "Show" } }
        }
    }
}

fn borrowed(choices: &[(String, String)]) -> Vec<(&str, &str)> {
    let choices = choices.iter();
    choices
        .map(|(value, words)| (value.as_str(), words.as_str()))
        .collect()
}

/// The way to the same, found on this lab's engine.
fn live(token: &str) -> Markup {
    html! {
        form.row method="post" action="/explore" {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="what" value="matrix";
            button data-busy="Starting…" { "Compute it live on this lab's engine" }
            span.faint { "It takes some minutes, and can be stopped." }
        }
    }
}

/// The findings as a table of links.
pub fn table(findings: &[&FindingData]) -> Markup {
    let columns = distinct(findings.iter().map(|it| column_of(it)));
    let exhibits = distinct(findings.iter().map(|it| exhibit_of(it)));
    html! {
        div.scroll.matrix-box role="region" aria-label="Matrix" tabindex="0" {
            table.matrix {
                caption { "How many schedules go wrong, and how" }
                thead {
                    tr {
                        th scope="col" { "Strategy" }
                        @for (engine, level) in &columns {
                            th scope="col" { (engine) br; small { (level) } }
                        }
                    }
                }
                @for exhibit in exhibits {
                    tbody {
                        tr.group {
                            th scope="rowgroup" colspan=(columns.len() + 1) { (exhibit) }
                        }
                        @let here = findings.iter().filter(|it| exhibit_of(it) == exhibit);
                        @let here: Vec<_> = here.copied().collect();
                        (rows(&here, &columns))
                    }
                }
            }
        }
    }
}

fn rows(findings: &[&FindingData], columns: &[Column]) -> Markup {
    let keys = distinct(findings.iter().map(|it| row_of(it)));
    html! {
        @for (strategy, instances) in keys {
            @let of_row = |it: &&&FindingData| row_of(it) == (strategy, instances);
            @let explained = findings.iter().find(of_row).map(|it| explained_at(it));
            tr {
                th scope="row" {
                    a href=[explained] { code { (strategy.trim_start_matches("scenarios/")) } }
                    @if instances > 1 { ", " (instances) " instances" }
                }
                @for column in columns {
                    @let mut cells = findings.iter().filter(of_row);
                    @match cells.find(|it| column_of(it) == *column) {
                        Some(finding) => td class=(class(finding)) {
                            a href=(path_of(finding)) { (words(finding)) }
                        },
                        None => td.unknown { "not explored" },
                    }
                }
            }
        }
    }
}

/// A cell in words. Its sign comes from the style sheet, for each class.
pub fn words(finding: &FindingData) -> String {
    let words = cell(finding);
    words
        .trim_start_matches(['✗', '✓', '?'])
        .trim_start()
        .to_owned()
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::samples::report;
    use super::*;

    fn shown(filters: &Filters) -> String {
        page(&report(), filters, "t0ken", None).into_string()
    }

    #[test]
    fn each_cell_leads_to_its_page() {
        let page = shown(&Filters::default());
        let cell =
            r#"<td class="anomaly"><a href="/matrix/mysql/repeatable-read/atomic_no_delay">"#;
        assert!(page.contains(cell), "{page}");
        assert!(page.contains(">60 of 112 lost<"));
        assert!(
            page.contains(
                r#"<td class="safe"><a href="/matrix/sqlite/wal/orders/bakery~consumer">"#
            )
        );
    }

    #[test]
    fn a_filter_leaves_the_rest_out() {
        let page = shown(&Filters {
            exhibit: "orders".to_owned(),
            ..Filters::default()
        });
        assert!(
            !page.contains("/matrix/mysql/repeatable-read/atomic_no_delay"),
            "{page}"
        );
        assert!(page.contains("/matrix/sqlite/wal/orders/bakery~consumer"));
        let page = shown(&Filters {
            verdict: "anomaly".to_owned(),
            ..Filters::default()
        });
        assert!(
            !page.contains("/matrix/sqlite/wal/orders/bakery~consumer"),
            "{page}"
        );
        let page = shown(&Filters {
            engine: "<img src=x>".to_owned(),
            ..Filters::default()
        });
        assert!(
            page.contains("Nothing here fits") && !page.contains("<img"),
            "{page}"
        );
    }

    #[test]
    fn a_cell_that_was_not_explored_says_so() {
        assert!(shown(&Filters::default()).contains(r#"<td class="unknown">not explored</td>"#));
    }
}
