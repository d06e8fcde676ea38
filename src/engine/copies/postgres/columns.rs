//! The columns of tables, and what decides how a row is found again.

use std::collections::{BTreeMap, BTreeSet};

use super::table::Column;
use crate::engine::Fault;
use crate::engine::connection::Connection;
use crate::engine::copies::texts::texts;

/// The columns that can be written, by the number of their table.
///
/// A key is compared by the operator of its own index, which need not be in the search path. A
/// value that is always generated cannot be set, so that its row has to be exchanged, as one with
/// a unique value is.
pub(super) async fn columns(
    connection: &mut Connection,
) -> Result<BTreeMap<String, Vec<Column>>, Fault> {
    const COLUMNS: &str = "SELECT CAST(a.attrelid AS TEXT), CAST(a.attname AS TEXT), \
             CAST(a.attgenerated <> '' AS TEXT), \
             CAST(a.attidentity = 'a' OR EXISTS (SELECT FROM pg_index i \
                 WHERE i.indrelid = a.attrelid AND (i.indisunique OR i.indisexclusion) \
                   AND (a.attnum = ANY (i.indkey) OR 0 = ANY (i.indkey) \
                        OR i.indpred IS NOT NULL)) AS TEXT), \
             COALESCE((SELECT 'OPERATOR(' || quote_ident(s.nspname) || '.' || o.oprname || ')' \
                 FROM pg_index i \
                 CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) AS k (at) \
                 JOIN pg_opclass f ON f.oid = i.indclass[k.at] \
                 JOIN pg_amop m ON m.amopfamily = f.opcfamily AND m.amopstrategy = 3 \
                   AND m.amoplefttype = f.opcintype AND m.amoprighttype = f.opcintype \
                 JOIN pg_operator o ON o.oid = m.amopopr \
                 JOIN pg_namespace s ON s.oid = o.oprnamespace \
                 WHERE i.indrelid = a.attrelid AND i.indisprimary AND NOT i.indisexclusion \
                   AND i.indkey[k.at] = a.attnum), '') \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'm') \
           AND c.oid >= 16384 ORDER BY a.attrelid, a.attnum";
    let rows: Vec<[String; 5]> = texts(connection, COLUMNS, &[]).await?;
    // What an index takes from a generated column it takes from others.
    let taken_from_others = rows
        .iter()
        .filter(|[_, _, generated, unique, _]| generated == "true" && unique == "true");
    let taken_from_others: BTreeSet<_> =
        taken_from_others.map(|[table, ..]| table.clone()).collect();
    let generated_keys = rows
        .iter()
        .filter(|[_, _, generated, _, key]| generated == "true" && !key.is_empty());
    let generated_keys: BTreeSet<_> = generated_keys.map(|[table, ..]| table.clone()).collect();
    let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for [table, name, generated, unique, key] in rows {
        if generated == "true" {
            continue;
        }
        let column = Column {
            name,
            key: Some(key).filter(|it| !it.is_empty() && !generated_keys.contains(&table)),
            is_unique: unique == "true" || taken_from_others.contains(&table),
        };
        columns.entry(table).or_default().push(column);
    }
    Ok(columns)
}
