//! What tells a place of the explorer's own from every other one.

use super::greeting::Needed;

/// A schema or a database that was made for one exploration, with a mark in it that nothing else
/// has.
#[derive(Debug)]
pub(super) struct Place {
    /// Its name, which needs no quotes.
    pub(super) name: String,
    token: String,
}

/// The table with the mark.
const TABLE: &str = "racy_explores_here";

impl Place {
    /// A place whose name begins with this and is no other place's.
    pub(super) fn named(prefix: &str) -> Self {
        Self {
            name: format!("{prefix}{:016x}", fastrand::u64(..)),
            token: format!("{:016x}", fastrand::u64(..)),
        }
    }

    /// The statements that make the mark in it.
    pub(super) fn mark(&self) -> [String; 2] {
        let table = format!("{}.{TABLE}", self.name);
        [
            format!("CREATE TABLE {table} (token VARCHAR(32) NOT NULL PRIMARY KEY)"),
            format!("INSERT INTO {table} (token) VALUES ('{}')", self.token),
        ]
    }

    /// What a connection asks to make sure that it is in this place. `current` is the SQL
    /// expression for the name of the schema or database in which the connection looks tables up.
    pub(super) fn needed(&self, current: &str) -> [Needed; 2] {
        let why = "something would be written that is not the explorer's own";
        let needed = |name: &str, expression: String, value: &str| Needed {
            name: name.to_owned(),
            expression,
            value: value.to_owned(),
            why: why.to_owned(),
        };
        [
            needed(
                "the place of the tables",
                format!("COALESCE({current}, 'nowhere')"),
                &self.name,
            ),
            needed(
                "the mark of that place",
                format!("COALESCE((SELECT MAX(token) FROM {TABLE}), 'missing')"),
                &self.token,
            ),
        ]
    }
}
