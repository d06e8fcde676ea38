//! MySQL and MariaDB.

use super::{ColumnLayout, Layout, Reference, distance};
use crate::engine::lane::MARK;
use crate::engine::{Database, Fault, Flavour};

pub(super) async fn layout(database: &Database) -> Result<Layout, Fault> {
    const COLUMNS: &str = "SELECT CAST(c.table_name AS CHAR), CAST(c.column_name AS CHAR), \
                CAST(c.column_key = 'PRI' AS SIGNED), \
                CAST(c.extra LIKE '%auto_increment%' \
                     OR COALESCE(c.column_default, '') LIKE 'nextval(%' AS SIGNED), \
                CAST(c.data_type = 'float' AS SIGNED) \
         FROM information_schema.columns c \
         JOIN information_schema.tables t \
           ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
         WHERE c.table_schema = DATABASE() AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') \
           AND c.table_name <> ? AND c.table_name NOT LIKE 'racy\\_beginning\\_%' \
           AND c.table_name NOT LIKE 'racy\\_copy\\_%' \
         ORDER BY c.table_name, c.ordinal_position";
    const REFERENCES: &str = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), \
                CAST(referenced_table_name AS CHAR), CAST(referenced_column_name AS CHAR) \
         FROM information_schema.key_column_usage \
         WHERE table_schema = DATABASE() AND referenced_table_schema = DATABASE()";
    let mut layout = Layout::default();
    for row in database.rows(COLUMNS, &[MARK.into()]).await? {
        let name = row.text(0)?;
        let full_name = Flavour::MySql.quoted_name(&name);
        let column = ColumnLayout {
            name: row.text(1)?,
            is_key: row.integer(2)? != 0,
            is_numbered: row.integer(3)? != 0,
            is_rounded: row.integer(4)? != 0,
        };
        layout.add(name, full_name, column);
    }
    for row in database.rows(REFERENCES, &[]).await? {
        layout.references.push(Reference {
            from: (row.text(0)?, row.text(1)?),
            to: (row.text(2)?, row.text(3)?),
        });
    }
    Ok(layout)
}

pub(super) async fn shift_counters(database: &Database, layout: &Layout) -> Result<(), Fault> {
    const SEQUENCES: &str = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_type = 'SEQUENCE' ORDER BY table_name";
    for (number, table) in layout.tables.iter().enumerate() {
        let Some(column) = table.numbered() else {
            continue;
        };
        let column = Flavour::MySql.quoted_name(&column.name);
        let largest = format!(
            "SELECT CAST(COALESCE(MAX({column}), 0) AS SIGNED) FROM {}",
            table.full_name
        );
        let rows = database.rows(&largest, &[]).await?;
        let largest = rows.first().map(|it| it.integer(0)).transpose()?;
        let follows = largest.unwrap_or(0) + 1;
        let next = counter(database, &table.full_name)
            .await?
            .unwrap_or(follows);
        let next = next.max(follows) + distance(number) as i64;
        let shift = format!("ALTER TABLE {} AUTO_INCREMENT = {next}", table.full_name);
        shifted(database, &shift).await?;
    }
    for (number, row) in database.rows(SEQUENCES, &[]).await?.iter().enumerate() {
        let name = Flavour::MySql.quoted_name(&row.text(0)?);
        let distance = distance(number);
        // SETVAL takes no expression.
        let next = database.all_data(&format!("SELECT NEXTVAL({name})")).await;
        let next = next.ok().and_then(|rows| rows.first()?.first().cloned());
        let next = next.and_then(|it| it.to_string().parse::<i64>().ok());
        if let Some(next) = next {
            let ahead = next.saturating_add(distance as i64);
            shifted(database, &format!("SELECT SETVAL({name}, {ahead})")).await?;
        }
    }
    Ok(())
}

/// The number that the table's counter gives next. None if SHOW CREATE TABLE does not say it, which
/// is so for 1. The catalogue's own column can be old: MySQL keeps it for a day.
async fn counter(database: &Database, table: &str) -> Result<Option<i64>, Fault> {
    let shown = database
        .all_data(&format!("SHOW CREATE TABLE {table}"))
        .await?;
    let definition = shown.first().and_then(|row| row.get(1));
    let definition = definition.map(ToString::to_string).unwrap_or_default();
    // The table's options follow the last of its columns and keys.
    let options = definition
        .rsplit_once("\n)")
        .map_or("", |(_, options)| options);
    let counter = options.split_once(" AUTO_INCREMENT=").map(|(_, rest)| rest);
    let digits = counter.and_then(|it| it.split(|it: char| !it.is_ascii_digit()).next());
    Ok(digits.and_then(|it| it.parse().ok()))
}

/// Runs the statement. A counter that cannot be moved stays where it is: its column is taken for
/// one that clients write.
async fn shifted(database: &Database, sql: &str) -> Result<(), Fault> {
    match database.all_data(sql).await {
        Err(fault) if !fault.is_an_answer() => Err(fault),
        Ok(_) | Err(_) => Ok(()),
    }
}
