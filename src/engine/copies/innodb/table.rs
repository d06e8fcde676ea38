//! One table, and the statements that compare it with its copy and bring it back.
//!
//! In these statements `racy_now` is the table, and `racy_then` its copy.

use serde::{Deserialize, Serialize};

use crate::engine::Flavour;
use crate::engine::copies::reach::{Node, Reaches};

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) name: String,
    /// The name of its copy. It needs no quotes.
    pub(super) copy: String,
    /// How many rows it had.
    pub(super) rows: u64,
    /// The next number for a generated key. None if the table has none.
    pub(super) next_key: Option<u64>,
    /// The columns that can be written.
    pub(super) columns: Vec<Column>,
    /// The tables that a write to this one can change as well.
    pub(super) reaches: Reaches,
}

/// A column that can be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    /// Its part in the primary key. None if it has none.
    pub(super) key: Option<KeyPart>,
    /// Whether an index may hold its values.
    pub(super) is_indexed: bool,
    /// Whether `=` takes different values for equal ones, as a collation does.
    pub(super) is_compared_as_bytes: bool,
}

/// A column's part in the primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct KeyPart {
    /// Its place in the key, from 1.
    pub(super) place: i64,
    /// How many of its characters belong to the key. Zero means all.
    pub(super) length: i64,
}

/// How a table differs from its copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    /// Not at all.
    None,
    /// In values that no index holds.
    Values,
    /// In rows, or in values of an index.
    Rows,
}

impl Column {
    fn quoted(&self) -> String {
        Flavour::MySql.quoted_name(&self.name)
    }

    /// Its value in the table and in the copy, compared byte for byte if `=` would not do.
    fn is_equal(&self) -> String {
        let name = self.quoted();
        if self.is_compared_as_bytes {
            format!("CAST(racy_now.{name} AS BINARY) <=> CAST(racy_then.{name} AS BINARY)")
        } else {
            format!("racy_now.{name} <=> racy_then.{name}")
        }
    }

    /// Its value among the rows of a table without a key.
    fn grouped(&self) -> String {
        let name = self.quoted();
        if self.is_compared_as_bytes {
            format!("CAST({name} AS BINARY)")
        } else {
            name
        }
    }
}

impl Table {
    pub(super) fn quoted(&self) -> String {
        Flavour::MySql.quoted_name(&self.name)
    }

    /// The primary key, in its order.
    fn key(&self) -> Vec<(KeyPart, &Column)> {
        let columns = self.columns.iter();
        let mut key: Vec<_> = columns.filter_map(|it| Some((it.key?, it))).collect();
        key.sort_by_key(|(part, _)| *part);
        key
    }

    /// Its columns as a list, each after this prefix.
    fn listed(&self, prefix: &str) -> String {
        let columns = self.columns.iter();
        let columns = columns.map(|it| format!("{prefix}{}", it.quoted()));
        columns.collect::<Vec<_>>().join(", ")
    }

    /// The condition that a row of the copy has the same key.
    fn same_key(&self) -> String {
        let key = self.key().into_iter().map(|(_, column)| column.quoted());
        let key = key.map(|it| format!("racy_then.{it} = racy_now.{it}"));
        key.collect::<Vec<_>>().join(" AND ")
    }

    /// The condition that all these columns are equal.
    fn equal(&self, is_chosen: impl Fn(&Column) -> bool) -> String {
        let columns = self.columns.iter().filter(|it| is_chosen(it));
        let equal: Vec<_> = columns.map(Column::is_equal).collect();
        if equal.is_empty() {
            "TRUE".to_owned()
        } else {
            equal.join(" AND ")
        }
    }

    /// Copies its rows. The copy has the same primary key, and no other index.
    pub(super) fn copied(&self) -> String {
        let key = self
            .key()
            .into_iter()
            .map(|(part, column)| match part.length {
                0 => column.quoted(),
                length => format!("{}({length})", column.quoted()),
            });
        let key: Vec<_> = key.collect();
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("(PRIMARY KEY ({})) ", key.join(", "))
        };
        format!(
            "CREATE TABLE {} {key}ENGINE = InnoDB AS SELECT {} FROM {}",
            self.copy,
            self.listed(""),
            self.quoted()
        )
    }

    /// A query for one row: this number, the rows, those whose key and indexed values are as they
    /// were, and those whose other values are.
    pub(super) fn compared(&self, number: usize) -> String {
        if self.key().is_empty() {
            return self.compared_without_key(number);
        }
        format!(
            "SELECT {number}, COUNT(*), CAST(COALESCE(SUM({}), 0) AS SIGNED), \
             CAST(COALESCE(SUM({}), 0) AS SIGNED) FROM {} racy_now LEFT JOIN {} racy_then ON {}",
            self.equal(|it| it.is_indexed),
            self.equal(|it| !it.is_indexed),
            self.quoted(),
            self.copy,
            self.same_key()
        )
    }

    /// The same for a table in which a row can be there twice. Either all rows are as they were, or
    /// none is said to be.
    fn compared_without_key(&self, number: usize) -> String {
        let columns = self.columns.iter().enumerate();
        let values = columns.map(|(at, it)| format!("{} AS c{at}", it.grouped()));
        let values = values.collect::<Vec<_>>().join(", ");
        let groups: Vec<_> = (0..self.columns.len()).map(|at| format!("c{at}")).collect();
        let rows = self.rows;
        format!(
            "SELECT {number}, CASE WHEN EXISTS (SELECT 1 FROM \
             (SELECT {values}, 1 AS side FROM {} UNION ALL SELECT {values}, -1 FROM {}) racy_both \
             GROUP BY {} HAVING SUM(side) <> 0) THEN -1 ELSE {rows} END, {rows}, {rows}",
            self.quoted(),
            self.copy,
            groups.join(", ")
        )
    }

    /// What the answer to that query means.
    pub(super) fn difference(&self, rows: i64, indexed: i64, others: i64) -> Difference {
        let are_all = |count: i64| u64::try_from(count) == Ok(self.rows);
        match (are_all(rows) && are_all(indexed), are_all(others)) {
            (true, true) => Difference::None,
            (true, false) => Difference::Values,
            (false, _) => Difference::Rows,
        }
    }

    /// Takes all rows out, and with them what InnoDB keeps of deleted ones. Ends a transaction.
    pub(super) fn truncated(&self) -> String {
        format!("TRUNCATE TABLE {}", self.quoted())
    }

    /// Inserts all rows that were there.
    pub(super) fn filled(&self) -> String {
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            self.quoted(),
            self.listed(""),
            self.listed(""),
            self.copy
        )
    }

    /// Deletes the rows that are not as they were, and inserts those that are missing then.
    pub(super) fn exchanged(&self) -> [String; 2] {
        let Some(first) = self.key().first().map(|(_, column)| column.quoted()) else {
            return [format!("DELETE FROM {}", self.quoted()), self.filled()];
        };
        let (name, copy, same_key) = (self.quoted(), &self.copy, self.same_key());
        let delete = format!(
            "DELETE racy_now FROM {name} racy_now LEFT JOIN {copy} racy_then \
             ON {same_key} AND {} WHERE racy_then.{first} IS NULL",
            self.equal(|_| true)
        );
        let insert = format!(
            "INSERT INTO {name} ({}) SELECT {} FROM {copy} racy_then LEFT JOIN {name} racy_now \
             ON {same_key} WHERE racy_now.{first} IS NULL",
            self.listed(""),
            self.listed("racy_then.")
        );
        [delete, insert]
    }

    /// Sets the values back in place. All of them are set: one that is not would be set to the time
    /// by ON UPDATE.
    pub(super) fn set_back(&self) -> String {
        let values = self.columns.iter().filter(|it| it.key.is_none());
        let values = values.map(Column::quoted);
        let values = values.map(|it| format!("racy_now.{it} = racy_then.{it}"));
        format!(
            "UPDATE {} racy_now JOIN {} racy_then ON {} SET {} WHERE NOT ({})",
            self.quoted(),
            self.copy,
            self.same_key(),
            values.collect::<Vec<_>>().join(", "),
            self.equal(|it| !it.is_indexed)
        )
    }

    /// Sets the counter for generated keys.
    pub(super) fn counted_from(&self, next: u64) -> String {
        format!("ALTER TABLE {} AUTO_INCREMENT = {next}", self.quoted())
    }
}

impl Node for Table {
    fn is(&self, name: &str) -> bool {
        // Some servers tell `T` from `t` and some do not: both are taken.
        self.name.to_lowercase() == name.to_lowercase()
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn reaches(&self) -> &Reaches {
        &self.reaches
    }
}
