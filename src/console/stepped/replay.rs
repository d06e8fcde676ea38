//! The command that runs a schedule again.

use crate::engine::{Flavour, Journal};
use crate::explore::report::{ExampleData, FindingData};

/// `racy explore atomic_no_delay --schedule 'A A B …'`, on the same engine at the same level.
pub(super) fn command(finding: &FindingData, example: &ExampleData) -> String {
    let engine = &finding.engine;
    let name = finding.strategy.split(", ").next().unwrap_or_default();
    let mut options = vec![format!("--schedule '{}'", example.schedule)];
    let is_scenario = finding.title.is_some();
    if finding.clients != 2 && !is_scenario {
        options.push(format!("--clients {}", finding.clients));
    }
    if finding.instances != 1 {
        options.push(format!("--instances {}", finding.instances));
    }
    let url = match engine.flavour {
        Flavour::MySql => "local:mysql",
        Flavour::MariaDb => "local:mariadb",
        Flavour::Postgres => "local:postgres",
        Flavour::Sqlite => "sqlite:lab.sqlite",
    };
    options.push(format!("--database-url {url}"));
    if engine.flavour != Flavour::Sqlite {
        let level = engine.isolation.sql().to_lowercase().replace(' ', "-");
        options.push(format!("--isolation {level}"));
    }
    if engine.flavour == Flavour::MariaDb {
        let mode = if engine.snapshot_isolation {
            "on"
        } else {
            "off"
        };
        options.push(format!("--snapshot-isolation {mode}"));
    }
    if engine.journal == Some(Journal::Rollback) {
        options.push("--journal rollback".to_owned());
    }
    format!("racy explore {} {}", quoted(name), options.join(" "))
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-".contains(it);
    if !name.is_empty() && name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}
