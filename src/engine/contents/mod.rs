//! All that a database holds, so that the ends of two runs can be compared.
//!
//! [`Layout`] says which tables there are, which of their columns the engine numbers, and which
//! columns refer to others. [`Contents`] are the rows. Tables that the lab itself has made are left
//! out.

mod innodb;
mod postgres;
mod sqlite;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Database, Fault, FaultKind, Flavour};
use crate::answer::Datum;

/// The tables of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The tables, in the order of their names.
    pub tables: Vec<TableLayout>,
    /// What their foreign keys refer to.
    pub references: Vec<Reference>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLayout {
    /// Its name for people.
    pub name: String,
    /// Its name in a statement, in quotes.
    full_name: String,
    /// Its columns, in their order.
    pub columns: Vec<ColumnLayout>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnLayout {
    /// Its name.
    pub name: String,
    /// Whether it belongs to the primary key.
    pub is_key: bool,
    /// Whether the engine numbers its rows: AUTO_INCREMENT, an identity, a sequence's default, or
    /// SQLite's INTEGER PRIMARY KEY.
    pub is_numbered: bool,
    /// Whether the engine shows fewer digits than it stores: InnoDB's FLOAT.
    is_rounded: bool,
}

impl ColumnLayout {
    /// The expression that reads all of its value.
    fn expression(&self, flavour: Flavour) -> String {
        let name = flavour.quoted_name(&self.name);
        if self.is_rounded {
            format!("{name} + 0e0")
        } else {
            name
        }
    }
}

/// A column that refers to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The child's table and column.
    pub from: (String, String),
    /// The parent's table and column.
    pub to: (String, String),
}

/// The rows of all tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The tables, in the order of their names.
    pub tables: Vec<TableContents>,
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableContents {
    /// The table's name for people.
    pub name: String,
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows, in no order.
    pub rows: Vec<Vec<Datum>>,
}

/// A table with more rows is not compared: each run would read them all.
const MOST_ROWS: usize = 10_000;

/// The pause between two questions to a SQLite that is busy with closing a connection.
const PAUSE: Duration = Duration::from_millis(2);

impl Layout {
    /// Adds a column to the last table, or a new table with it.
    fn add(&mut self, name: String, full_name: String, column: ColumnLayout) {
        match self
            .tables
            .last_mut()
            .filter(|it| it.full_name == full_name)
        {
            Some(table) => table.columns.push(column),
            None => self.tables.push(TableLayout {
                name,
                full_name,
                columns: vec![column],
            }),
        }
    }
}

impl TableLayout {
    /// The column that the engine numbers. None if there is none.
    fn numbered(&self) -> Option<&ColumnLayout> {
        self.columns.iter().find(|it| it.is_numbered)
    }
}

impl Database {
    /// The tables that there are.
    pub async fn layout(&self) -> Result<Layout, Fault> {
        match self.engine.flavour {
            Flavour::MySql | Flavour::MariaDb => innodb::layout(self).await,
            Flavour::Postgres => postgres::layout(self).await,
            Flavour::Sqlite => sqlite::layout(self).await,
        }
    }

    /// The rows of these tables. Nothing else may be at work in the database.
    ///
    /// # Errors
    /// Also if a table has more rows than can be compared.
    pub async fn contents(&self, layout: &Layout) -> Result<Contents, Fault> {
        let mut contents = Contents::default();
        for table in &layout.tables {
            let columns = table.columns.iter();
            let expressions = columns.map(|it| it.expression(self.engine.flavour));
            let expressions: Vec<_> = expressions.collect();
            let sql = format!(
                "SELECT {} FROM {} LIMIT {}",
                expressions.join(", "),
                table.full_name,
                MOST_ROWS + 1
            );
            let rows = self.all_data(&sql).await?;
            if rows.len() > MOST_ROWS {
                let name = &table.name;
                return Err(Fault::other(format!(
                    "table {name} has more than {MOST_ROWS} rows, which are too many to compare after \
                     each run; `serial = false` and an invariant judge without it"
                )));
            }
            contents.tables.push(TableContents {
                name: table.name.clone(),
                columns: table.columns.iter().map(|it| it.name.clone()).collect(),
                rows,
            });
        }
        Ok(contents)
    }

    /// Moves the counters for numbered columns ahead, by one of eight distances. So a second run of
    /// the same clients shows which values come from them.
    pub async fn shift_counters(&self, layout: &Layout) -> Result<(), Fault> {
        match self.engine.flavour {
            Flavour::MySql | Flavour::MariaDb => innodb::shift_counters(self, layout).await,
            Flavour::Postgres => postgres::shift_counters(self).await,
            Flavour::Sqlite => sqlite::shift_counters(self).await,
        }
    }

    async fn all_data(&self, sql: &str) -> Result<Vec<Vec<Datum>>, Fault> {
        let deadline = Instant::now() + self.settings.lock_wait();
        let mut connection = self.connection().await?;
        loop {
            match connection.all_data(sql).await {
                // SQLite does not wait for a connection that tidies up when it is closed.
                Err(fault) if fault.kind == FaultKind::Busy && Instant::now() < deadline => {
                    sleep(PAUSE).await;
                }
                read => {
                    let rows = read?;
                    connection.give_back();
                    return Ok(rows);
                }
            }
        }
    }
}

/// How far the counter with this number is moved: short enough for the smallest type of number.
fn distance(number: usize) -> usize {
    5 + 2 * (number % 8)
}
