//! SQLite.

use super::{ColumnLayout, Layout, Reference, distance};
use crate::engine::{Database, Fault, Flavour};

/// Tables of the user's.
const TABLES: &str = "m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                      AND m.name NOT LIKE 'racy\\_beginning\\_%' ESCAPE '\\'";

pub(super) async fn layout(database: &Database) -> Result<Layout, Fault> {
    // A key of one column that is declared as INTEGER numbers the rows.
    let columns = format!(
        "SELECT m.name, c.name, c.pk > 0, \
                c.pk = 1 AND upper(c.type) = 'INTEGER' AND m.sql NOT LIKE '%WITHOUT ROWID%' \
                AND (SELECT count(*) FROM pragma_table_xinfo(m.name) k WHERE k.pk > 0) = 1 \
         FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c \
         WHERE {TABLES} AND c.hidden <> 1 ORDER BY m.name, c.cid"
    );
    // A reference may spell the parent in other case than the parent itself.
    let references = format!(
        "SELECT m.name, c.name, p.name, pc.name \
         FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) k \
         JOIN pragma_table_xinfo(m.name) c ON lower(c.name) = lower(k.\"from\") \
         JOIN sqlite_master p ON p.type = 'table' AND lower(p.name) = lower(k.\"table\") \
         JOIN pragma_table_xinfo(p.name) pc \
           ON CASE WHEN k.\"to\" IS NULL THEN pc.pk = k.seq + 1 \
                   ELSE lower(pc.name) = lower(k.\"to\") END \
         WHERE {TABLES}"
    );
    let mut layout = Layout::default();
    for row in database.rows(&columns, &[]).await? {
        let name = row.text(0)?;
        let full_name = Flavour::Sqlite.quoted_name(&name);
        let column = ColumnLayout {
            name: row.text(1)?,
            is_key: row.integer(2)? != 0,
            is_numbered: row.integer(3)? != 0,
            is_rounded: false,
        };
        layout.add(name, full_name, column);
    }
    for row in database.rows(&references, &[]).await? {
        layout.references.push(Reference {
            from: (row.text(0)?, row.text(1)?),
            to: (row.text(2)?, row.text(3)?),
        });
    }
    Ok(layout)
}

/// Only AUTOINCREMENT has a counter. The other tables go on after their largest number.
pub(super) async fn shift_counters(database: &Database) -> Result<(), Fault> {
    let counted = format!(
        "SELECT m.name FROM sqlite_master m WHERE {TABLES} AND m.sql LIKE '%AUTOINCREMENT%' \
         ORDER BY m.name"
    );
    const AHEAD: &str = "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = ?";
    const FIRST: &str = "INSERT INTO sqlite_sequence (seq, name) VALUES (?, ?)";
    for (number, row) in database.rows(&counted, &[]).await?.iter().enumerate() {
        let name = row.text(0)?;
        let values = [(distance(number) as i64).into(), name.as_str().into()];
        if database.execute(AHEAD, &values).await? == 0 {
            database.execute(FIRST, &values).await?;
        }
    }
    Ok(())
}
