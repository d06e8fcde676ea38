//! MySQL and MariaDB.

use super::{Excerpt, TableExcerpt};
use crate::answer::Datum;
use crate::engine::connection::Connection;
use crate::engine::lane::MARK;
use crate::engine::{Database, Fault, Flavour};

/// The condition that a table is the user's own.
const OURS: &str = "table_schema = DATABASE() AND table_name NOT LIKE 'racy\\_copy\\_%' \
     AND table_name NOT LIKE 'racy\\_beginning\\_%'";

pub(super) async fn excerpt(database: &Database, most_rows: usize) -> Result<Excerpt, Fault> {
    let flavour = database.engine.flavour;
    let mut connection = database.connection().await?;
    // All tables are read at one moment, unless the level forbids that.
    let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    connection.command(begin).await?;
    let mut reader = Reader {
        connection,
        flavour,
        most_rows,
    };
    let excerpt = reader.excerpt().await?;
    reader.connection.command("COMMIT").await?;
    reader.connection.give_back();
    Ok(excerpt)
}

struct Reader {
    connection: Connection,
    flavour: Flavour,
    most_rows: usize,
}

impl Reader {
    async fn excerpt(&mut self) -> Result<Excerpt, Fault> {
        let sql = format!(
            "SELECT CAST(table_name AS CHAR), CAST(table_type AS CHAR) \
             FROM information_schema.tables WHERE {OURS} ORDER BY table_name"
        );
        let mut excerpt = Excerpt::default();
        for [name, kind] in self.texts(&sql).await? {
            if name == MARK {
                continue;
            }
            excerpt.tables.push(match kind.as_str() {
                "BASE TABLE" | "SYSTEM VERSIONED" => self.table(name).await?,
                other => TableExcerpt {
                    left_out: vec![format!("{name} is a {}", other.to_lowercase())],
                    name,
                    ..TableExcerpt::default()
                },
            });
        }
        Ok(excerpt)
    }

    async fn table(&mut self, name: String) -> Result<TableExcerpt, Fault> {
        let quoted = self.flavour.quoted_name(&name);
        let made = self.data(&format!("SHOW CREATE TABLE {quoted}")).await?;
        let made = made.first().and_then(|row| row.get(1));
        let Some(make) = made.map(ToString::to_string) else {
            return Err(Fault::other(format!("{name} has no definition")));
        };
        let literal = self.flavour.quoted(&name);
        let parents = format!(
            "SELECT DISTINCT CAST(referenced_table_name AS CHAR), '' \
             FROM information_schema.key_column_usage WHERE table_schema = DATABASE() \
               AND table_name = {literal} AND referenced_table_schema = DATABASE()"
        );
        let triggers = format!(
            "SELECT CAST(trigger_name AS CHAR), '' FROM information_schema.triggers \
             WHERE trigger_schema = DATABASE() AND event_object_table = {literal} \
             ORDER BY trigger_name"
        );
        let parents = self.texts(&parents).await?.into_iter();
        let triggers = self.texts(&triggers).await?.into_iter();
        let mut table = TableExcerpt {
            make: vec![make],
            parents: parents.map(|[parent, _]| parent).collect(),
            left_out: triggers
                .map(|[trigger, _]| format!("{name} has a trigger, {trigger}"))
                .collect(),
            name,
            ..TableExcerpt::default()
        };
        self.fill(&mut table, &quoted).await?;
        Ok(table)
    }

    /// Reads the first rows of the table.
    async fn fill(&mut self, table: &mut TableExcerpt, quoted: &str) -> Result<(), Fault> {
        let literal = self.flavour.quoted(&table.name);
        let columns = format!(
            "SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR), CAST(column_key AS CHAR) \
             FROM information_schema.columns WHERE table_schema = DATABASE() \
               AND table_name = {literal} AND COALESCE(generation_expression, '') = '' \
             ORDER BY ordinal_position"
        );
        let columns: Vec<[String; 3]> = self.texts(&columns).await?;
        let named = |it: &[String; 3]| self.flavour.quoted_name(&it[0]);
        let names: Vec<_> = columns.iter().map(named).collect();
        // The engine shows fewer digits of a FLOAT than it stores.
        let expressions = columns.iter().map(|it| match it[1].as_str() {
            "float" => format!("{} + 0e0", named(it)),
            _ => named(it),
        });
        let expressions: Vec<_> = expressions.collect();
        let keys: Vec<_> = columns
            .iter()
            .filter(|it| it[2] == "PRI")
            .map(named)
            .collect();
        let order = match keys.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", keys.join(", ")),
        };
        let sql = format!(
            "SELECT {} FROM {quoted}{order} LIMIT {}",
            expressions.join(", "),
            self.most_rows + 1
        );
        let mut rows = self.data(&sql).await?;
        table.has_more_rows = rows.len() > self.most_rows;
        rows.truncate(self.most_rows);
        table.rows = rows.len();
        let row = |row: &Vec<Datum>| {
            let values: Vec<_> = row.iter().map(|it| self.flavour.literal(it)).collect();
            format!("({})", values.join(", "))
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        table.fill = (!rows.is_empty()).then(|| {
            let names = names.join(", ");
            format!(
                "INSERT INTO {quoted} ({names}) VALUES\n  {}",
                rows.join(",\n  ")
            )
        });
        Ok(())
    }

    async fn data(&mut self, sql: &str) -> Result<Vec<Vec<Datum>>, Fault> {
        self.connection.all_data(sql).await
    }

    /// Rows of texts.
    async fn texts<const N: usize>(&mut self, sql: &str) -> Result<Vec<[String; N]>, Fault> {
        let rows = self.data(sql).await?.into_iter();
        let row = |row: Vec<Datum>| {
            let plain = row.into_iter().map(|it| match it {
                Datum::Value { text, .. } => text,
                Datum::Null => String::new(),
            });
            let texts: Vec<String> = plain.collect();
            texts
                .try_into()
                .unwrap_or_else(|_| [const { String::new() }; N])
        };
        Ok(rows.map(row).collect())
    }
}
