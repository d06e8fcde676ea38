//! PostgreSQL.

use super::{ColumnLayout, Layout, Reference, distance};
use crate::engine::{Database, Fault};

/// Schemas that are neither the engine's own nor the lab's.
const OURS: &str = "n.nspname NOT LIKE 'pg\\_%' \
                    AND n.nspname NOT IN ('information_schema', 'racy_beginning', 'racy_copy')";

/// A table's name for people: without the schema that all names are looked up in.
const NAME: &str = "CAST(CASE WHEN n.nspname = 'public' THEN c.relname \
                    ELSE n.nspname || '.' || c.relname END AS TEXT)";

pub(super) async fn layout(database: &Database) -> Result<Layout, Fault> {
    // A partition's rows are read with those of its whole table.
    let columns = format!(
        "SELECT {NAME}, CAST(quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS TEXT), \
                CAST(a.attname AS TEXT), \
                CAST(EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary \
                             AND a.attnum = ANY (i.indkey)) AS INT)::BIGINT, \
                CAST(a.attidentity <> '' OR COALESCE(pg_get_expr(d.adbin, d.adrelid), '') \
                     LIKE 'nextval(%' AS INT)::BIGINT \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
         WHERE {OURS} AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
         ORDER BY 1, c.oid, a.attnum"
    );
    let mut layout = Layout::default();
    for row in database.rows(&columns, &[]).await? {
        let column = ColumnLayout {
            name: row.text(2)?,
            is_key: row.integer(3)? != 0,
            is_numbered: row.integer(4)? != 0,
            is_rounded: false,
        };
        layout.add(row.text(0)?, row.text(1)?, column);
    }
    layout.references = references(database).await?;
    Ok(layout)
}

async fn references(database: &Database) -> Result<Vec<Reference>, Fault> {
    let parent = NAME.replace("n.", "pn.").replace("c.", "p.");
    let sql = format!(
        "SELECT {NAME}, CAST(a.attname AS TEXT), {parent}, CAST(b.attname AS TEXT) \
         FROM pg_constraint k \
         JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace \
         CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair (own, other) \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = pair.own \
         JOIN pg_attribute b ON b.attrelid = p.oid AND b.attnum = pair.other \
         WHERE k.contype = 'f' AND {OURS}"
    );
    let rows = database.rows(&sql, &[]).await?;
    let references = rows.iter().map(|row| {
        Ok(Reference {
            from: (row.text(0)?, row.text(1)?),
            to: (row.text(2)?, row.text(3)?),
        })
    });
    references.collect()
}

pub(super) async fn shift_counters(database: &Database) -> Result<(), Fault> {
    let sequences = format!(
        "SELECT CAST(quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS TEXT) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {OURS} AND c.relkind = 'S' ORDER BY 1"
    );
    for (number, row) in database.rows(&sequences, &[]).await?.iter().enumerate() {
        let name = database.engine.flavour.quoted(&row.text(0)?);
        let distance = distance(number);
        let shift = format!("SELECT setval({name}, nextval({name}) + {distance})");
        match database.all_data(&shift).await {
            Err(fault) if !fault.is_an_answer() => return Err(fault),
            // A counter that cannot be moved stays where it is: its column is taken for one that
            // clients write.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}
