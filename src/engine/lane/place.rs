//! How a place of the explorer's own is told from every other one.

use crate::engine::greeting::Requirement;

/// A schema or a database that was made for one exploration. It contains a mark that no other place
/// has.
#[derive(Debug)]
pub(in crate::engine) struct Place {
    /// Its name. It needs no quotes.
    pub(in crate::engine) name: String,
    /// Whether it is a database of PostgreSQL's. Each connection is in one database for good, so
    /// that the name alone tells, and the database needs no mark.
    pub(in crate::engine) is_database: bool,
    token: String,
}

/// The table with the mark.
pub(in crate::engine) const TABLE: &str = "racy_explores_here";

impl Place {
    /// A place with a new name that begins with this prefix.
    pub(super) fn named(prefix: &str) -> Self {
        Self {
            name: format!("{prefix}{:016x}", fastrand::u64(..)),
            is_database: false,
            token: format!("{:016x}", fastrand::u64(..)),
        }
    }

    /// A database of PostgreSQL's with a new name.
    pub(super) fn database(prefix: &str) -> Self {
        Self {
            is_database: true,
            ..Self::named(prefix)
        }
    }

    /// The statements that make the mark in it.
    pub(super) fn mark(&self) -> Vec<String> {
        if self.is_database {
            return Vec::new();
        }
        let table = format!("{}.{TABLE}", self.name);
        vec![
            format!("CREATE TABLE {table} (token VARCHAR(32) NOT NULL PRIMARY KEY)"),
            format!("INSERT INTO {table} (token) VALUES ('{}')", self.token),
        ]
    }

    /// What a connection asks to make sure that it is in this place. `current` is the SQL
    /// expression for the name of the schema or database in which the connection looks tables up.
    pub(in crate::engine) fn needed(&self, current: &str) -> Vec<Requirement> {
        let why = "something would be written that is not the explorer's own";
        let needed = |name: &str, expression: String, value: &str| Requirement {
            name: name.to_owned(),
            expression,
            value: value.to_owned(),
            why: why.to_owned(),
        };
        let place = needed(
            "the place of the tables",
            format!("COALESCE({current}, 'nowhere')"),
            &self.name,
        );
        if self.is_database {
            return vec![place];
        }
        let mark = needed(
            "the mark of that place",
            format!("COALESCE((SELECT MAX(token) FROM {TABLE}), 'missing')"),
            &self.token,
        );
        vec![place, mark]
    }
}
