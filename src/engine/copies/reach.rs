//! Which tables the writes of a run may have changed.

use std::collections::BTreeSet;

use super::table::{Reaches, Table};

/// The tables that were written, and those that such a write can change by a foreign key or by a
/// trigger. A name that is no table's, such as a view's, stands for all of them.
pub(super) fn reached<'t>(tables: &'t [Table], written: &BTreeSet<String>) -> Vec<&'t Table> {
    let mut names = BTreeSet::new();
    let mut next: Vec<&str> = written.iter().map(String::as_str).collect();
    while let Some(name) = next.pop() {
        // Some servers tell `T` from `t` and some do not: both are taken.
        let found = tables
            .iter()
            .filter(|it| it.name.to_lowercase() == name.to_lowercase());
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return tables.iter().collect();
        }
        for table in found {
            if !names.insert(table.name.as_str()) {
                continue;
            }
            match &table.reaches {
                Reaches::All => return tables.iter().collect(),
                Reaches::Tables(more) => next.extend(more.iter().map(String::as_str)),
            }
        }
    }
    tables
        .iter()
        .filter(|it| names.contains(it.name.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, reaches: Reaches) -> Table {
        Table {
            name: name.to_owned(),
            copy: String::new(),
            rows: 0,
            next_key: None,
            columns: Vec::new(),
            reaches,
        }
    }

    fn tables() -> [Table; 4] {
        let to = |names: &[&str]| Reaches::Tables(names.iter().map(ToString::to_string).collect());
        [
            table("orders", to(&["lines"])),
            table("lines", to(&["orders", "log"])),
            table("log", to(&[])),
            table("users", Reaches::All),
        ]
    }

    fn names(written: &[&str]) -> Vec<String> {
        let written = written.iter().map(ToString::to_string).collect();
        let tables = tables();
        let reached = reached(&tables, &written);
        reached.iter().map(|it| it.name.clone()).collect()
    }

    #[test]
    fn a_write_reaches_through_circles_of_keys_and_triggers() {
        assert_eq!(names(&["Orders"]), ["orders", "lines", "log"]);
        assert_eq!(names(&["log"]), ["log"]);
        assert!(names(&[]).is_empty());
    }

    #[test]
    fn an_unknown_name_and_an_unknown_reach_stand_for_all_tables() {
        for written in ["a_view", "users"] {
            assert_eq!(names(&[written]).len(), 4, "{written}");
        }
    }
}
