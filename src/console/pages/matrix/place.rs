//! Where a cell is: its place in URLs.

use crate::console::pages::frame::percent_encoded;
use crate::engine::Engine;
use crate::explore::report::matrix::{class as own_class, column, title};
use crate::explore::report::{FindingData, Report};

/// A cell's place, as its URL spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The engine in its mode: `mysql`, `mariadb`, `mariadb-without-snapshot-isolation`.
    pub engine: String,
    /// The level, or SQLite's journal.
    pub level: String,
    /// The strategy, with `~` before the client beside it and before the number of instances.
    pub strategy: String,
}

impl Place {
    /// The place of a finding.
    pub fn of(finding: &FindingData) -> Self {
        let instances = match finding.instances {
            0 | 1 => String::new(),
            several => format!("~{several}"),
        };
        Self {
            engine: engine(&finding.engine),
            level: slug(&column(&finding.engine)),
            strategy: format!("{}{instances}", finding.strategy.replace(", ", "~")),
        }
    }
}

fn engine(engine: &Engine) -> String {
    match title(engine).as_str() {
        "MariaDB, innodb_snapshot_isolation on" => "mariadb".to_owned(),
        "MariaDB, innodb_snapshot_isolation off" => "mariadb-without-snapshot-isolation".to_owned(),
        title => slug(title),
    }
}

fn slug(words: &str) -> String {
    words.to_lowercase().replace(' ', "-")
}

/// The path of a finding's page.
pub fn path_of(finding: &FindingData) -> String {
    let Place {
        engine,
        level,
        strategy,
    } = Place::of(finding);
    format!("/matrix/{engine}/{level}/{}", percent_encoded(&strategy))
}

/// The finding at this place. None if there is none.
pub fn find<'r>(report: &'r Report, place: &Place) -> Option<&'r FindingData> {
    let mut findings = report.findings.iter();
    findings.find(|it| Place::of(it) == *place)
}

/// The finding about a strategy on an engine like this one, at its level. None if there is none.
pub fn find_on<'r>(report: &'r Report, engine: &Engine, strategy: &str) -> Option<&'r FindingData> {
    let place = |engine: &Engine| (title(engine), column(engine));
    report.findings.iter().find(|it| {
        it.strategy == strategy && it.instances == 1 && place(&it.engine) == place(engine)
    })
}

/// The class of a finding, for the style sheet and for filters.
pub fn class(finding: &FindingData) -> &'static str {
    match own_class(finding) {
        "lost" => "anomaly",
        "open" => "unknown",
        other => other,
    }
}
