//! The tables of a database with their first rows, as SQL that makes them again somewhere else.

mod innodb;
mod postgres;
mod reader;

use std::collections::BTreeSet;

use super::{Database, Fault, Flavour};

/// The tables of a database, as they are at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// Statements that come first: the types that tables use.
    pub before: Vec<String>,
    /// The tables and views, in the order of their names.
    pub tables: Vec<TableExcerpt>,
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableExcerpt {
    /// Its name.
    pub name: String,
    /// The statements that make it. None for a view.
    pub make: Vec<String>,
    /// The statement that inserts its rows. None if there are none.
    pub fill: Option<String>,
    /// Statements that come last, when all tables are there with their rows: foreign keys and
    /// counters.
    pub finish: Vec<String>,
    /// How many rows that inserts.
    pub rows: usize,
    /// Whether it has more rows than these.
    pub has_more_rows: bool,
    /// The tables that its foreign keys refer to.
    pub parents: Vec<String>,
    /// What the statements do not make, in words: a trigger, for instance.
    pub left_out: Vec<String>,
}

impl Excerpt {
    /// The tables with these names, and those that their foreign keys lead to. Upper and lower case
    /// are the same.
    pub fn reached_from(&self, names: &BTreeSet<String>) -> Vec<&TableExcerpt> {
        let is = |table: &TableExcerpt, name: &str| table.name.eq_ignore_ascii_case(name);
        let named = |it: &&TableExcerpt| names.iter().any(|name| is(it, name));
        let mut reached: Vec<&TableExcerpt> = self.tables.iter().filter(named).collect();
        let mut at = 0;
        while let Some(table) = reached.get(at).copied() {
            for parent in &table.parents {
                let parent = self.tables.iter().find(|it| is(it, parent));
                let is_there = |it: &TableExcerpt| reached.iter().any(|other| is(other, &it.name));
                if let Some(parent) = parent.filter(|it| !is_there(it)) {
                    reached.push(parent);
                }
            }
            at += 1;
        }
        reached.sort_by(|one, other| one.name.cmp(&other.name));
        reached
    }
}

impl Database {
    /// The tables that there are, each with at most this number of rows.
    ///
    /// # Errors
    /// Also on an engine on which that cannot be done.
    pub async fn excerpt(&self, most_rows: usize) -> Result<Excerpt, Fault> {
        match self.engine.flavour {
            Flavour::MySql | Flavour::MariaDb => innodb::excerpt(self, most_rows).await,
            Flavour::Postgres => postgres::excerpt(self, most_rows).await,
            Flavour::Sqlite => Err(Fault::other(format!(
                "on {} the tables are not written down",
                self.engine.flavour
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parents_of_a_table_are_reached_from_it() {
        let table = |name: &str, parents: &[&str]| TableExcerpt {
            name: name.to_owned(),
            parents: parents.iter().map(|it| (*it).to_owned()).collect(),
            ..TableExcerpt::default()
        };
        let excerpt = Excerpt {
            before: Vec::new(),
            tables: vec![
                table("a", &["b"]),
                table("b", &["c", "b"]),
                table("c", &["a"]),
                table("d", &["a"]),
            ],
        };
        let reached = |name: &str| -> Vec<String> {
            let names = BTreeSet::from([name.to_owned()]);
            let reached = excerpt.reached_from(&names).into_iter();
            reached.map(|it| it.name.clone()).collect()
        };
        assert_eq!(reached("A"), ["a", "b", "c"]);
        assert_eq!(reached("d"), ["a", "b", "c", "d"]);
        assert_eq!(reached("e"), [""; 0]);
    }
}
