//! Which tables the writes of a run may have changed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The tables that a write to one table can change as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reaches {
    /// These.
    Tables(Vec<String>),
    /// Any.
    All,
}

/// A table among those that can be written.
pub(super) trait Node {
    /// Whether a statement can mean it by this name.
    fn is(&self, name: &str) -> bool;
    /// Its own name, which no other table has.
    fn name(&self) -> String;
    fn reaches(&self) -> &Reaches;
}

/// The tables that were written, and those that such a write can change by a foreign key or by a
/// trigger. A name that is no table's, such as a view's, stands for all of them.
pub(super) fn reached<'t, T: Node>(tables: &'t [T], written: &BTreeSet<String>) -> Vec<&'t T> {
    let mut names = BTreeSet::new();
    let mut next: Vec<&str> = written.iter().map(String::as_str).collect();
    while let Some(name) = next.pop() {
        let found: Vec<_> = tables.iter().filter(|it| it.is(name)).collect();
        if found.is_empty() {
            return tables.iter().collect();
        }
        for table in found {
            if !names.insert(table.name()) {
                continue;
            }
            match table.reaches() {
                Reaches::All => return tables.iter().collect(),
                Reaches::Tables(more) => next.extend(more.iter().map(String::as_str)),
            }
        }
    }
    let is_reached = |it: &&T| names.contains(&it.name());
    tables.iter().filter(is_reached).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table {
        name: &'static str,
        reaches: Reaches,
    }

    impl Node for Table {
        fn is(&self, name: &str) -> bool {
            self.name == name.to_lowercase()
        }

        fn name(&self) -> String {
            self.name.to_owned()
        }

        fn reaches(&self) -> &Reaches {
            &self.reaches
        }
    }

    fn table(name: &'static str, reaches: Reaches) -> Table {
        Table { name, reaches }
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
        reached.iter().map(|it| it.name()).collect()
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
