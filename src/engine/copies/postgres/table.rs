//! One table, and the statements that compare it with its copy and bring it back.
//!
//! In these statements `racy_now` is the table, and `racy_then` its copy. Values are compared as
//! they are stored, byte for byte: that works for types without an `=`, and tells values apart that
//! are equal for a collation. A table's own rows alone are meant, without those of its heirs.

use serde::{Deserialize, Serialize};

use crate::engine::Flavour;
use crate::engine::copies::reach::{Node, Reaches};

/// A table of at most this number of rows is filled anew if it differs, in the order that its rows
/// had. Each of these rows leaves a dead one, of which a vacuum makes room.
const MOST_ROWS_FILLED: u64 = 200;

/// By how many bytes such a table may grow before it is made small again: 32 pages.
const MOST_GROWTH: u64 = 32 * 8192;

/// A table that was copied, or that leads to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The number in the name of its copy.
    pub(super) number: usize,
    /// How many rows it had.
    pub(super) rows: u64,
    /// The columns that can be written.
    pub(super) columns: Vec<Column>,
    /// The tables that a write to this one can change as well.
    pub(super) reaches: Reaches,
}

/// What kind of a table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// One with rows, also a partition.
    Ordinary,
    /// A materialised view: it is compared, and nothing but a refresh changes it.
    View,
    /// One whose rows are in its partitions, or a materialised view that was never filled.
    WithoutRows,
}

/// A column that can be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    /// The operator that compares it, if it is part of the primary key.
    pub(super) key: Option<String>,
    /// Whether it decides if a row may be there beside others.
    pub(super) is_unique: bool,
}

impl Column {
    fn quoted(&self) -> String {
        Flavour::Postgres.quoted_name(&self.name)
    }
}

impl Table {
    /// Its name for people.
    pub(super) fn shown(&self) -> String {
        match self.schema.as_str() {
            "public" => self.name.clone(),
            schema => format!("{schema}.{}", self.name),
        }
    }

    /// Whether there is a copy of its rows.
    pub(super) fn has_rows(&self) -> bool {
        self.kind != Kind::WithoutRows
    }

    /// Whether statements can write it.
    pub(super) fn is_written(&self) -> bool {
        self.kind == Kind::Ordinary
    }

    pub(super) fn quoted(&self) -> String {
        let quoted = |name| Flavour::Postgres.quoted_name(name);
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    fn copy(&self) -> String {
        format!("racy_copy.t{}", self.number)
    }

    /// These of its columns as a list, each after this prefix.
    fn listed(&self, prefix: &str, is_chosen: impl Fn(&Column) -> bool) -> String {
        let columns = self.columns.iter().filter(|it| is_chosen(it));
        let columns = columns.map(|it| format!("{prefix}{}", it.quoted()));
        columns.collect::<Vec<_>>().join(", ")
    }

    fn has_key(&self) -> bool {
        self.columns.iter().any(|it| it.key.is_some())
    }

    /// The condition that a row of the copy has the same key.
    fn same_key(&self) -> String {
        let key = self.columns.iter().filter_map(|it| {
            let (name, equals) = (it.quoted(), it.key.as_ref()?);
            Some(format!("racy_now.{name} {equals} racy_then.{name}"))
        });
        key.collect::<Vec<_>>().join(" AND ")
    }

    /// The condition that these columns hold the same.
    fn same(&self, is_chosen: impl Fn(&Column) -> bool) -> String {
        format!(
            "pg_catalog.record_image_eq(ROW({}), ROW({}))",
            self.listed("racy_now.", &is_chosen),
            self.listed("racy_then.", &is_chosen)
        )
    }

    /// Copies its rows.
    pub(super) fn copied(&self) -> String {
        format!(
            "CREATE TABLE {} AS SELECT {} FROM ONLY {}",
            self.copy(),
            self.listed("", |_| true),
            self.quoted()
        )
    }

    /// A query for one row: this number, the rows, those that are as they were, and whether dead
    /// rows have made a small table large.
    pub(super) fn compared(&self, number: usize) -> String {
        let is_grown = self.is_grown();
        if !self.has_key() {
            return format!(
                "SELECT CAST({number} AS BIGINT), count(racy_now), \
                     count(*) FILTER (WHERE racy_now IS NOT NULL AND racy_then IS NOT NULL), \
                     {is_grown} FROM ({}) racy_pair",
                self.paired()
            );
        }
        format!(
            "SELECT CAST({number} AS BIGINT), count(*), count(*) FILTER (WHERE {}), {is_grown} \
             FROM ONLY {} racy_now LEFT JOIN {} racy_then ON {}",
            self.same(|_| true),
            self.quoted(),
            self.copy(),
            self.same_key()
        )
    }

    fn is_grown(&self) -> String {
        if self.rows > MOST_ROWS_FILLED || !self.is_written() {
            return "CAST(0 AS BIGINT)".to_owned();
        }
        let size = |name: &str| {
            let name = Flavour::Postgres.quoted(name);
            format!("pg_relation_size(CAST({name} AS regclass))")
        };
        format!(
            "CAST(CAST({} > 2 * {} + {MOST_GROWTH} AS INT) AS BIGINT)",
            size(&self.quoted()),
            size(&self.copy())
        )
    }

    /// A query that pairs the places of equal rows in a table without a key, in which a row can be
    /// there twice. A row without its like has NULL for the other place.
    fn paired(&self) -> String {
        let row = self.listed("", |_| true);
        format!(
            "SELECT (array_agg(place) FILTER (WHERE is_now))[1] AS racy_now, \
                    (array_agg(place) FILTER (WHERE NOT is_now))[1] AS racy_then \
             FROM (SELECT place, is_now, alike, \
                       row_number() OVER (PARTITION BY alike, is_now ORDER BY place) AS nth \
                   FROM (SELECT place, is_now, \
                             rank() OVER (ORDER BY content USING OPERATOR(pg_catalog.*<)) AS alike \
                         FROM (SELECT ctid AS place, TRUE AS is_now, ROW({row}) AS content \
                               FROM ONLY {} \
                               UNION ALL SELECT ctid, FALSE, ROW({row}) FROM {}) racy_both) \
                       racy_ranked) racy_numbered \
             GROUP BY alike, nth",
            self.quoted(),
            self.copy()
        )
    }

    /// Whether it differs from its copy, by what [`compared`](Self::compared) has counted.
    pub(super) fn differs(&self, rows: i64, same: i64) -> bool {
        let are_all = |count: i64| u64::try_from(count) == Ok(self.rows);
        !(are_all(rows) && are_all(same))
    }

    /// Brings it back. No unique value is taken twice meanwhile.
    pub(super) fn brought_back(&self) -> Vec<String> {
        if self.rows <= MOST_ROWS_FILLED {
            vec![format!("DELETE FROM ONLY {}", self.quoted()), self.filled()]
        } else if self.has_key() {
            self.exchanged()
        } else {
            self.exchanged_by_place()
        }
    }

    /// Inserts all rows that were there, in their order.
    fn filled(&self) -> String {
        self.inserted("ORDER BY racy_then.ctid")
    }

    /// Inserts the rows of the copy that this clause chooses.
    fn inserted(&self, chosen: &str) -> String {
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} racy_then {chosen}",
            self.quoted(),
            self.listed("", |_| true),
            self.listed("racy_then.", |_| true),
            self.copy()
        )
    }

    /// Deletes the rows that are new or have another unique value, sets the others back in place,
    /// and inserts those that are missing then.
    fn exchanged(&self) -> Vec<String> {
        let (name, copy, same_key) = (self.quoted(), self.copy(), self.same_key());
        let delete = format!(
            "DELETE FROM ONLY {name} racy_now WHERE NOT EXISTS \
             (SELECT FROM {copy} racy_then WHERE {same_key} AND {})",
            self.same(|it| it.is_unique)
        );
        let missing = format!(
            "WHERE NOT EXISTS (SELECT FROM ONLY {name} racy_now WHERE {same_key}) \
             ORDER BY racy_then.ctid"
        );
        let missing = self.inserted(&missing);
        [Some(delete), self.set_back(), Some(missing)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Sets the values back in place that are in no unique index. None if all are in one.
    fn set_back(&self) -> Option<String> {
        let values = self.columns.iter().filter(|it| !it.is_unique);
        let values = values.map(Column::quoted);
        let values: Vec<_> = values.map(|it| format!("{it} = racy_then.{it}")).collect();
        if values.is_empty() {
            return None;
        }
        Some(format!(
            "UPDATE ONLY {} racy_now SET {} FROM {} racy_then WHERE {} AND NOT {}",
            self.quoted(),
            values.join(", "),
            self.copy(),
            self.same_key(),
            self.same(|_| true)
        ))
    }

    /// The same for a table without a key: a row is known by its place.
    fn exchanged_by_place(&self) -> Vec<String> {
        let paired = self.paired();
        let alone = |this: &str, other: &str| {
            format!(
                "ctid = ANY (ARRAY(SELECT {this} FROM ({paired}) racy_pair \
                 WHERE {other} IS NULL))"
            )
        };
        vec![
            format!(
                "DELETE FROM ONLY {} WHERE {}",
                self.quoted(),
                alone("racy_now", "racy_then")
            ),
            self.inserted(&format!(
                "WHERE racy_then.{} ORDER BY racy_then.ctid",
                alone("racy_then", "racy_now")
            )),
        ]
    }
}

impl Node for Table {
    fn is(&self, name: &str) -> bool {
        let name = name.replace('"', "").to_lowercase();
        let (schema, own) = (self.schema.to_lowercase(), self.name.to_lowercase());
        name == own || name == format!("{schema}.{own}")
    }

    fn name(&self) -> String {
        self.shown()
    }

    fn reaches(&self) -> &Reaches {
        &self.reaches
    }
}
