//! Reads the catalogue and the rows, all in one transaction.

use super::TableExcerpt;
use crate::answer::{Datum, DatumKind};
use crate::engine::connection::Connection;
use crate::engine::{Database, Fault, Flavour};

/// A transaction that only reads.
pub(super) struct Reader {
    connection: Connection,
    flavour: Flavour,
    most_rows: usize,
}

impl Reader {
    pub(super) async fn begin(
        database: &Database,
        most_rows: usize,
        begin: &str,
    ) -> Result<Self, Fault> {
        let mut connection = database.connection().await?;
        connection.command(begin).await?;
        Ok(Self {
            connection,
            flavour: database.engine.flavour,
            most_rows,
        })
    }

    /// Ends the transaction. If that is not done, the connection is closed.
    pub(super) async fn end(mut self) -> Result<(), Fault> {
        self.connection.command("COMMIT").await?;
        self.connection.give_back();
        Ok(())
    }

    pub(super) fn flavour(&self) -> Flavour {
        self.flavour
    }

    pub(super) async fn command(&mut self, sql: &str) -> Result<(), Fault> {
        self.connection.command(sql).await?;
        Ok(())
    }

    pub(super) async fn data(&mut self, sql: &str) -> Result<Vec<Vec<Datum>>, Fault> {
        self.connection.all_data(sql).await
    }

    /// Rows of texts. NULL is an empty text.
    pub(super) async fn texts<const N: usize>(
        &mut self,
        sql: &str,
    ) -> Result<Vec<[String; N]>, Fault> {
        let rows = self.data(sql).await?.into_iter();
        let row = |row: Vec<Datum>| {
            let plain = row.into_iter().map(|it| match it {
                Datum::Value { text, .. } => text,
                Datum::Null => String::new(),
            });
            let texts: Vec<String> = plain.collect();
            texts.try_into().unwrap_or([const { String::new() }; N])
        };
        Ok(rows.map(row).collect())
    }

    /// The first rows of a table in the order of its key, and one more if there are more than are
    /// wanted.
    pub(super) async fn rows(
        &mut self,
        columns: &[&str],
        table: &str,
        key: &[String],
    ) -> Result<Vec<Vec<Datum>>, Fault> {
        let order = match key {
            [] => String::new(),
            key => format!(" ORDER BY {}", key.join(", ")),
        };
        let columns = columns.join(", ");
        let limit = self.most_rows + 1;
        self.data(&format!(
            "SELECT {columns} FROM {table}{order} LIMIT {limit}"
        ))
        .await
    }
}

/// Puts the rows into the table. `head` is the statement up to VALUES.
pub(super) fn inserted(
    table: &mut TableExcerpt,
    mut rows: Vec<Vec<Datum>>,
    head: &str,
    reader: &Reader,
) {
    table.has_more_rows = rows.len() > reader.most_rows;
    rows.truncate(reader.most_rows);
    table.rows = rows.len();
    // PostgreSQL takes a text for a value of the column's own type, whatever that is.
    let literal = |it: &Datum| match it {
        Datum::Value {
            text,
            kind: DatumKind::Typed(_),
        } if reader.flavour == Flavour::Postgres => reader.flavour.quoted(text),
        _ => reader.flavour.literal(it),
    };
    let row = |row: &Vec<Datum>| {
        let values = row.iter().map(literal);
        format!("({})", values.collect::<Vec<_>>().join(", "))
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    table.fill = (!rows.is_empty()).then(|| format!("{head} VALUES\n  {}", rows.join(",\n  ")));
}
