//! MySQL and MariaDB.

use super::reader::{Reader, inserted};
use super::{Excerpt, TableExcerpt};
use crate::engine::lane::MARK;
use crate::engine::{Database, Fault};

/// The condition that a table is the user's own.
const OURS: &str = "table_schema = DATABASE() AND table_name NOT LIKE 'racy\\_copy\\_%' \
     AND table_name NOT LIKE 'racy\\_beginning\\_%'";

pub(super) async fn excerpt(database: &Database, most_rows: usize) -> Result<Excerpt, Fault> {
    // All tables are read at one moment, unless the level forbids that.
    let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    let mut reader = Reader::begin(database, most_rows, begin).await?;
    let excerpt = read(&mut reader).await?;
    reader.end().await?;
    Ok(excerpt)
}

async fn read(reader: &mut Reader) -> Result<Excerpt, Fault> {
    let sql = format!(
        "SELECT CAST(table_name AS CHAR), CAST(table_type AS CHAR) \
         FROM information_schema.tables WHERE {OURS} ORDER BY table_name"
    );
    let mut excerpt = Excerpt::default();
    let routines = "SELECT DISTINCT CAST(routine_name AS CHAR) FROM information_schema.routines \
         WHERE routine_schema = DATABASE() ORDER BY 1";
    let routines = reader.texts(routines).await?.into_iter();
    excerpt.routines = routines.map(|[name]| name).collect();
    for [name, kind] in reader.texts(&sql).await? {
        if name == MARK {
            continue;
        }
        excerpt.tables.push(match kind.as_str() {
            "BASE TABLE" | "SYSTEM VERSIONED" => table(reader, name).await?,
            other => TableExcerpt {
                left_out: vec![format!("{name} is a {}", other.to_lowercase())],
                name,
                ..TableExcerpt::default()
            },
        });
    }
    Ok(excerpt)
}

async fn table(reader: &mut Reader, name: String) -> Result<TableExcerpt, Fault> {
    let quoted = reader.flavour().quoted_name(&name);
    let made = reader.data(&format!("SHOW CREATE TABLE {quoted}")).await?;
    let made = made.first().and_then(|row| row.get(1));
    let Some(make) = made.map(ToString::to_string) else {
        return Err(Fault::other(format!("{name} has no definition")));
    };
    let literal = reader.flavour().quoted(&name);
    let parents = format!(
        "SELECT DISTINCT CAST(referenced_table_name AS CHAR) \
         FROM information_schema.key_column_usage WHERE table_schema = DATABASE() \
           AND table_name = {literal} AND referenced_table_schema = DATABASE()"
    );
    let triggers = format!(
        "SELECT CAST(trigger_name AS CHAR) FROM information_schema.triggers \
         WHERE trigger_schema = DATABASE() AND event_object_table = {literal} \
         ORDER BY trigger_name"
    );
    let parents = reader.texts(&parents).await?.into_iter();
    let triggers = reader.texts(&triggers).await?.into_iter();
    let mut table = TableExcerpt {
        make: vec![make],
        parents: parents.map(|[parent]| parent).collect(),
        left_out: triggers
            .map(|[trigger]| format!("{name} has a trigger, {trigger}"))
            .collect(),
        name,
        ..TableExcerpt::default()
    };
    fill(reader, &mut table, &quoted).await?;
    Ok(table)
}

/// Reads the first rows of the table.
async fn fill(reader: &mut Reader, table: &mut TableExcerpt, quoted: &str) -> Result<(), Fault> {
    let flavour = reader.flavour();
    let literal = flavour.quoted(&table.name);
    let columns = format!(
        "SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR), CAST(column_key AS CHAR) \
         FROM information_schema.columns WHERE table_schema = DATABASE() \
           AND table_name = {literal} AND COALESCE(generation_expression, '') = '' \
         ORDER BY ordinal_position"
    );
    let columns: Vec<[String; 3]> = reader.texts(&columns).await?;
    let named = |it: &[String; 3]| flavour.quoted_name(&it[0]);
    let names: Vec<_> = columns.iter().map(named).collect();
    // The engine shows fewer digits of a FLOAT than it stores.
    let expressions = columns.iter().map(|it| match it[1].as_str() {
        "float" => format!("{} + 0e0", named(it)),
        _ => named(it),
    });
    let expressions: Vec<_> = expressions.collect();
    let expressions: Vec<&str> = expressions.iter().map(String::as_str).collect();
    let key = columns.iter().filter(|it| it[2] == "PRI").map(named);
    let key: Vec<_> = key.collect();
    let rows = reader.rows(&expressions, quoted, &key).await?;
    let head = format!("INSERT INTO {quoted} ({})", names.join(", "));
    inserted(table, rows, &head, reader);
    Ok(())
}
