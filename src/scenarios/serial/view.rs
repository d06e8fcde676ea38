//! What of two ends is compared, and how.

use std::collections::{BTreeMap, BTreeSet};

use super::end::{End, Source, Table};
use crate::answer::Datum;
use crate::engine::Layout;
use crate::explore::Client;

/// What is compared, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// Columns that differ between two runs of one order.
    pub(super) volatile: BTreeSet<(Source, String)>,
    /// Tables whose rows do.
    pub(super) volatile_tables: BTreeSet<Source>,
    /// Columns that hold the same numbers: a numbered column, and those that refer to it.
    groups: BTreeMap<(Source, String), usize>,
    /// For each group, whether the engine draws its numbers.
    pub(super) is_drawn: Vec<bool>,
    /// The numbers of each group that are there at the beginning. They keep their names.
    beginning: Vec<BTreeSet<Datum>>,
    /// The columns of primary keys.
    keys: BTreeSet<(Source, String)>,
    row_facts: RowFacts,
}

/// What is known beforehand of the rows that the clients make, and of their numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::scenarios) struct RowFacts {
    /// The counters cannot be moved ahead, as for SQLite's keys. So every numbered column is taken
    /// for one whose numbers the engine draws.
    pub(in crate::scenarios) is_fixed: bool,
    /// A number of the beginning may be drawn again after its row was deleted.
    pub(in crate::scenarios) may_repeat: bool,
    /// An insert may change a row with the same key instead. So the number of rows says nothing if
    /// the key is a time or drawn by chance.
    pub(in crate::scenarios) keys_can_meet: bool,
}

/// How one value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell<'d> {
    /// Not at all.
    LeftOut,
    /// As it is.
    Plain(&'d Datum),
    /// As a number that the engine has drawn in the run: up to a renaming within this group.
    Drawn(usize, &'d Datum),
}

impl View {
    /// What is compared of these tables.
    pub(super) fn new(layout: &Layout, row_facts: RowFacts) -> Self {
        let mut view = Self {
            row_facts,
            ..Self::default()
        };
        for table in &layout.tables {
            let source = Source::Database(table.name.clone());
            for column in &table.columns {
                let place = (source.clone(), column.name.clone());
                if column.is_key {
                    view.keys.insert(place.clone());
                }
                if column.is_numbered {
                    view.groups.insert(place, view.is_drawn.len());
                    view.is_drawn.push(row_facts.is_fixed);
                    view.beginning.push(BTreeSet::new());
                }
            }
        }
        view.follow_references(layout);
        view
    }

    /// Compares these columns as numbers that the engine has drawn, by table, column and group.
    #[cfg(test)]
    pub(super) fn with_drawn(columns: &[(&str, &str, usize)]) -> Self {
        let mut view = Self::default();
        for (table, column, group) in columns {
            let place = (Source::Database((*table).to_owned()), (*column).to_owned());
            view.groups.insert(place, *group);
            view.is_drawn
                .resize(view.is_drawn.len().max(group + 1), true);
            view.beginning
                .resize(view.beginning.len().max(group + 1), BTreeSet::new());
        }
        view
    }

    /// A column that refers to one of a group belongs to it.
    fn follow_references(&mut self, layout: &Layout) {
        let place =
            |(table, column): &(String, String)| (Source::Database(table.clone()), column.clone());
        let mut found_one = true;
        while found_one {
            found_one = false;
            for reference in &layout.references {
                let (from, to) = (place(&reference.from), place(&reference.to));
                if let Some(group) = self.groups.get(&to).copied()
                    && !self.groups.contains_key(&from)
                {
                    self.groups.insert(from, group);
                    found_one = true;
                }
            }
        }
    }

    /// Notes the numbers that are there at the beginning.
    pub(super) fn note_beginning(&mut self, beginning: &End) {
        if self.row_facts.may_repeat {
            return;
        }
        for ((source, column), group) in &self.groups {
            let table = beginning.tables.get(source);
            let values = table.into_iter().flat_map(|it| it.column(column));
            self.beginning[*group].extend(values.cloned());
        }
    }

    /// Of clients that are alike, what is volatile of one is so of all.
    pub(super) fn share_among(&mut self, clients: &[Client]) {
        let of_clients = self
            .volatile
            .iter()
            .filter_map(|(source, name)| match source {
                Source::Client(_) => Some(name.clone()),
                Source::Database(_) => None,
            });
        let names: BTreeSet<_> = of_clients.collect();
        for client in clients {
            let places = names
                .iter()
                .map(|name| (Source::Client(*client), name.clone()));
            self.volatile.extend(places);
        }
    }

    /// The group of a column. None if it has none.
    pub(super) fn group(&self, source: &Source, column: &str) -> Option<usize> {
        let place = (source.clone(), column.to_owned());
        self.groups.get(&place).copied()
    }

    /// Leaves a column out. If it belongs to a key that rows can share, its table is left out.
    pub(super) fn leave_out(&mut self, source: &Source, column: &str) {
        if self.row_facts.keys_can_meet && self.is_key(source, column) {
            self.volatile_tables.insert(source.clone());
        }
        self.volatile.insert((source.clone(), column.to_owned()));
    }

    /// The columns of all groups, with their groups.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&Source, &str, usize)> {
        let groups = self.groups.iter();
        groups.map(|((source, column), group)| (source, column.as_str(), *group))
    }

    /// Whether the column belongs to the primary key.
    pub(super) fn is_key(&self, source: &Source, column: &str) -> bool {
        self.keys.contains(&(source.clone(), column.to_owned()))
    }

    /// How a value of this column is compared.
    pub(super) fn cell<'d>(&self, source: &Source, column: &str, value: &'d Datum) -> Cell<'d> {
        if self.volatile.contains(&(source.clone(), column.to_owned())) {
            return Cell::LeftOut;
        }
        match self.group(source, column) {
            Some(group)
                if self.is_drawn[group]
                    && *value != Datum::Null
                    && !self.beginning[group].contains(value) =>
            {
                Cell::Drawn(group, value)
            }
            Some(_) | None => Cell::Plain(value),
        }
    }

    /// The rows of a table as they are compared.
    pub(super) fn rows<'d>(&self, source: &Source, table: &'d Table) -> Vec<Vec<Cell<'d>>> {
        let row = |row: &'d Vec<Datum>| {
            let cells = table.columns.iter().zip(row);
            cells
                .map(|(column, value)| self.cell(source, column, value))
                .collect()
        };
        table.rows.iter().map(row).collect()
    }

    /// The end with its clients' tables in the order of what is compared of them.
    pub(super) fn arranged(&self, end: &End) -> End {
        let tables = end.tables.clone().into_iter();
        let (clients, tables): (BTreeMap<_, _>, BTreeMap<_, _>) =
            tables.partition(|(source, _)| matches!(source, Source::Client(_)));
        let (sources, mut rows): (Vec<_>, Vec<_>) = clients.into_iter().unzip();
        rows.sort_by_cached_key(|table| self.compared_of_client(sources.first(), table));
        let clients = sources.into_iter().zip(rows);
        End {
            tables: tables.into_iter().chain(clients).collect(),
        }
    }

    /// What is compared of a client's one row: its columns, each with its value unless it is left
    /// out.
    fn compared_of_client(
        &self,
        client: Option<&Source>,
        table: &Table,
    ) -> Vec<(String, Option<Datum>)> {
        let values = table.rows.iter().flatten();
        let cells = table.columns.iter().zip(values);
        let cells = cells.map(|(column, value)| {
            let is_left_out =
                client.is_some_and(|it| self.volatile.contains(&(it.clone(), column.clone())));
            (column.clone(), (!is_left_out).then(|| value.clone()))
        });
        cells.collect()
    }

    /// Whether a value that a client has captured may be a number that the engine has drawn, and
    /// cannot be told from one that is not.
    pub(super) fn may_be_drawn(&self, value: &Datum, end: &End) -> bool {
        let mut groups = self.groups().filter(|_| self.row_facts.is_fixed);
        groups.any(|(source, column, group)| {
            let table = end.tables.get(source);
            let values = table.map(|it| it.column(column)).unwrap_or_default();
            values.contains(&value) && !self.beginning[group].contains(value)
        })
    }

    /// The names of what is left out.
    pub(super) fn left_out(&self) -> Vec<String> {
        let name = |source: &Source| match source {
            Source::Database(table) => table.clone(),
            Source::Client(client) => client.to_string(),
        };
        let columns = self.volatile.iter();
        let columns = columns.map(|(source, column)| format!("{}.{column}", name(source)));
        self.volatile_tables
            .iter()
            .map(name)
            .chain(columns)
            .collect()
    }
}
