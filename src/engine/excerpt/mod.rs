//! The tables of a database with their first rows, as SQL that makes them again somewhere else.

mod innodb;
mod needs;
mod postgres;
mod reader;

use std::collections::BTreeSet;

use super::{Database, Fault, Flavour};

/// The tables of a database, as they are at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The tables and views, in the order of their names.
    pub tables: Vec<TableExcerpt>,
    /// The names of the database's own functions and procedures. No statement here makes them.
    pub routines: Vec<String>,
    /// The statement that makes a session look names up where sessions of this database do. None if
    /// all databases are like that.
    pub beginning: Option<String>,
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableExcerpt {
    /// Its name, without its schema.
    pub name: String,
    /// Statements that come before those of all tables: the types that it uses, for instance.
    /// Several tables may have the same ones, which run once.
    pub before: Vec<String>,
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
    /// What the statements need and do not make, in words: a function in a default, for instance.
    /// Without it they fail.
    pub missing: Vec<String>,
    /// What the server has to have for the statements, in words: an extension.
    pub needs: Vec<String>,
}

impl TableExcerpt {
    /// Whether this is its name, as a statement writes it. Upper and lower case are the same. A
    /// quotation mark in a name in quotes is doubled.
    pub fn has_name(&self, name: &str) -> bool {
        let single = |mark: &str| name.replace(&mark.repeat(2), mark);
        let names = [name.to_owned(), single("\""), single("`")];
        let own = self.name.to_lowercase();
        names.iter().any(|it| it.to_lowercase() == own)
    }
}

impl Excerpt {
    /// The tables with these names, and those that their foreign keys lead to. Upper and lower case
    /// are the same.
    pub fn reached_from(&self, names: &BTreeSet<String>) -> Vec<&TableExcerpt> {
        let named = |it: &&TableExcerpt| names.iter().any(|name| it.has_name(name));
        let mut reached: Vec<&TableExcerpt> = self.tables.iter().filter(named).collect();
        let mut at = 0;
        while let Some(table) = reached.get(at).copied() {
            for parent in &table.parents {
                // Several schemas may have a table of this name.
                for parent in self.tables.iter().filter(|it| it.name == *parent) {
                    if !reached.iter().any(|it| std::ptr::eq(*it, parent)) {
                        reached.push(parent);
                    }
                }
            }
            at += 1;
        }
        reached.sort_by(|one, other| one.name.cmp(&other.name));
        reached
    }

    /// The statements that come before those of these tables, each once.
    pub fn before<'t>(tables: &[&'t TableExcerpt]) -> Vec<&'t str> {
        let mut before: Vec<&str> = Vec::new();
        for statement in tables.iter().flat_map(|it| &it.before) {
            if !before.contains(&statement.as_str()) {
                before.push(statement);
            }
        }
        before
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
            tables: vec![
                table("a", &["b"]),
                table("b", &["c", "b"]),
                table("c", &["a"]),
                table("d", &["a"]),
            ],
            ..Excerpt::default()
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

    #[test]
    fn a_table_is_known_by_its_name_however_that_is_written() {
        let table = |name: &str| TableExcerpt {
            name: name.to_owned(),
            ..TableExcerpt::default()
        };
        for (name, written) in [
            ("wallet", "WALLET"),
            ("a \"b\"", "a \"\"b\"\""),
            ("a`b", "a``b"),
            ("Straße", "straße"),
            ("t$1", "t$1"),
        ] {
            assert!(table(name).has_name(written), "{name}: {written}");
        }
        assert!(!table("wallet").has_name("wallets"));
    }

    #[test]
    fn what_several_tables_need_runs_once() {
        let table = |before: &[&str]| TableExcerpt {
            before: before.iter().map(|it| (*it).to_owned()).collect(),
            ..TableExcerpt::default()
        };
        let (one, other) = (table(&["a", "b"]), table(&["b", "c"]));
        assert_eq!(Excerpt::before(&[&one, &other]), ["a", "b", "c"]);
    }
}
