//! What a table of PostgreSQL's needs before it can be made: schemas, extensions, types and
//! sequences.

use super::TableExcerpt;
use super::reader::Reader;
use crate::engine::Fault;

/// The schemas that every server has.
const OF_THE_SERVER: &str = "('pg_catalog', 'information_schema', 'pg_toast')";

/// The types of a table's columns, and those that these are made of, as `used (oid)`.
fn used_types(oid: &str) -> String {
    format!(
        "RECURSIVE used (oid) AS ( \
           SELECT atttypid FROM pg_attribute \
           WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped \
           UNION \
           SELECT parts.oid FROM used u JOIN pg_type t ON t.oid = u.oid \
           CROSS JOIN LATERAL ( \
             SELECT t.typelem UNION ALL SELECT t.typbasetype \
             UNION ALL SELECT a.atttypid FROM pg_attribute a \
               WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped \
             UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid \
           ) parts (oid) WHERE parts.oid <> 0)"
    )
}

/// What belongs to a table or to its types and can depend on others, as `parts (classid, objid)`.
fn parts(oid: &str) -> String {
    format!(
        "parts (classid, objid) AS ( \
           SELECT 'pg_type'::regclass::oid, oid FROM used \
           UNION SELECT 'pg_class'::regclass, {oid}::oid \
           UNION SELECT 'pg_attrdef'::regclass, oid FROM pg_attrdef WHERE adrelid = {oid} \
           UNION SELECT 'pg_constraint'::regclass, oid FROM pg_constraint \
             WHERE conrelid = {oid} OR contypid IN (SELECT oid FROM used) \
           UNION SELECT 'pg_class'::regclass, indexrelid FROM pg_index WHERE indrelid = {oid})"
    )
}

/// Finds what a table needs.
pub(super) async fn needs(
    reader: &mut Reader,
    table: &mut TableExcerpt,
    oid: &str,
) -> Result<(), Fault> {
    schemas(reader, table, oid).await?;
    extensions(reader, table, oid).await?;
    types(reader, table, oid).await?;
    sequences(reader, table, oid).await?;
    functions(reader, table, oid).await
}

async fn schemas(reader: &mut Reader, table: &mut TableExcerpt, oid: &str) -> Result<(), Fault> {
    let schemas = format!(
        "WITH {}, {} SELECT DISTINCT n.nspname::text, \
                format('CREATE SCHEMA IF NOT EXISTS %I', n.nspname) \
         FROM (SELECT c.relnamespace FROM pg_class c WHERE c.oid = {oid} \
               UNION SELECT t.typnamespace FROM used JOIN pg_type t USING (oid) \
               UNION SELECT s.relnamespace FROM parts p \
                 JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid \
                   AND d.refclassid = 'pg_class'::regclass \
                 JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' \
               UNION SELECT e.extnamespace FROM parts p \
                 JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid \
                 JOIN pg_depend m ON m.classid = d.refclassid AND m.objid = d.refobjid \
                   AND m.deptype = 'e' JOIN pg_extension e ON e.oid = m.refobjid \
              ) used_by (oid) JOIN pg_namespace n USING (oid) \
         WHERE n.nspname NOT IN {OF_THE_SERVER} AND n.nspname <> 'public' ORDER BY 1",
        used_types(oid),
        parts(oid)
    );
    for [_, make] in reader.texts(&schemas).await? {
        table.before.push(make);
    }
    Ok(())
}

async fn extensions(reader: &mut Reader, table: &mut TableExcerpt, oid: &str) -> Result<(), Fault> {
    let extensions = format!(
        "WITH {}, {} SELECT DISTINCT e.extname::text, \
                format('CREATE EXTENSION IF NOT EXISTS %I', e.extname) || \
                CASE WHEN n.nspname IN ('public', 'pg_catalog') THEN '' \
                     ELSE format(' SCHEMA %I', n.nspname) END, {oid}::regclass::text \
         FROM (SELECT classid, objid FROM parts \
               UNION SELECT d.refclassid, d.refobjid FROM parts p \
                 JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid \
              ) used_by (classid, objid) \
         JOIN pg_depend m ON m.classid = used_by.classid AND m.objid = used_by.objid \
           AND m.deptype = 'e' \
         JOIN pg_extension e ON e.oid = m.refobjid \
         JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1",
        used_types(oid),
        parts(oid)
    );
    for [name, make, shown] in reader.texts(&extensions).await? {
        table.before.push(make);
        table
            .needs
            .push(format!("{shown} needs the extension {name}"));
    }
    Ok(())
}

async fn types(reader: &mut Reader, table: &mut TableExcerpt, oid: &str) -> Result<(), Fault> {
    // An array is there with its elements' type, and so is a row's with its table.
    let types = format!(
        "WITH {} SELECT t.oid::regtype::text, \
                CASE WHEN t.typtype = 'e' THEN format('CREATE TYPE %s AS ENUM (%s)', \
                       t.oid::regtype, (SELECT string_agg(quote_literal(e.enumlabel), ', ' \
                         ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)) \
                     WHEN t.typtype = 'd' THEN format('CREATE DOMAIN %s AS %s%s%s%s%s', \
                       t.oid::regtype, format_type(t.typbasetype, t.typtypmod), \
                       CASE WHEN t.typcollation <> b.typcollation \
                            THEN format(' COLLATE %I.%I', o.nspname, l.collname) END, \
                       ' DEFAULT ' || t.typdefault, \
                       CASE WHEN t.typnotnull THEN ' NOT NULL' END, \
                       (SELECT string_agg(format(' CONSTRAINT %I %s', c.conname, \
                          pg_get_constraintdef(c.oid)), '' ORDER BY c.conname) \
                        FROM pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c')) \
                     WHEN t.typtype = 'c' AND r.relkind = 'c' \
                     THEN format('CREATE TYPE %s AS (%s)', t.oid::regtype, \
                       (SELECT string_agg(format('%I %s', a.attname, \
                          format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) \
                        FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0 \
                          AND NOT a.attisdropped)) \
                     WHEN t.typtype = 'r' AND g.rngcanonical = 0 \
                     THEN format('CREATE TYPE %s AS RANGE (SUBTYPE = %s)', t.oid::regtype, \
                       g.rngsubtype::regtype) ELSE '' END, \
                {oid}::regclass::text \
         FROM used JOIN pg_type t USING (oid) \
         JOIN pg_namespace n ON n.oid = t.typnamespace \
         LEFT JOIN pg_type b ON b.oid = t.typbasetype \
         LEFT JOIN pg_collation l ON l.oid = t.typcollation \
         LEFT JOIN pg_namespace o ON o.oid = l.collnamespace \
         LEFT JOIN pg_class r ON r.oid = t.typrelid \
         LEFT JOIN pg_range g ON g.rngtypid = t.oid \
         WHERE n.nspname NOT IN {OF_THE_SERVER} AND t.typcategory <> 'A' AND t.typtype <> 'm' \
           AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = 'pg_type'::regclass \
             AND m.objid = t.oid AND m.deptype = 'e') \
         ORDER BY t.oid",
        used_types(oid)
    );
    for [name, make, shown] in reader.texts(&types).await? {
        if make.is_empty() {
            let words = format!("{shown} has a column of the type {name}");
            table.missing.push(words);
        } else {
            table.before.push(make);
        }
    }
    Ok(())
}

/// The sequences from which the columns draw. Those of identities are made with their columns.
async fn sequences(reader: &mut Reader, table: &mut TableExcerpt, oid: &str) -> Result<(), Fault> {
    let sequences = format!(
        "SELECT CASE WHEN own.deptype = 'i' THEN '' ELSE format('CREATE SEQUENCE %s AS %s \
                  INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s%s', s.oid::regclass, \
                  format_type(q.seqtypid, NULL), q.seqincrement, q.seqmin, q.seqmax, q.seqstart, \
                  q.seqcache, CASE WHEN q.seqcycle THEN ' CYCLE' END) END, \
                CASE WHEN own.deptype = 'a' THEN format('ALTER SEQUENCE %s OWNED BY %s.%I', \
                  s.oid::regclass, own.refobjid::regclass, a.attname) ELSE '' END, \
                format('SELECT setval(%L, %s, %s)', s.oid::regclass, \
                  COALESCE(v.last_value, q.seqstart), (v.last_value IS NOT NULL)::text) \
         FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace \
         JOIN pg_sequence q ON q.seqrelid = s.oid \
         JOIN pg_sequences v ON v.schemaname = n.nspname AND v.sequencename = s.relname \
         LEFT JOIN pg_depend own ON own.classid = 'pg_class'::regclass AND own.objid = s.oid \
           AND own.refclassid = 'pg_class'::regclass AND own.refobjid = {oid} \
           AND own.deptype IN ('a', 'i') \
         LEFT JOIN pg_attribute a ON a.attrelid = own.refobjid AND a.attnum = own.refobjsubid \
         WHERE s.relkind = 'S' AND (own.deptype IS NOT NULL OR EXISTS ( \
           SELECT FROM pg_attrdef d JOIN pg_depend u ON u.classid = 'pg_attrdef'::regclass \
             AND u.objid = d.oid AND u.refclassid = 'pg_class'::regclass \
             AND u.refobjid = s.oid WHERE d.adrelid = {oid})) ORDER BY s.relname, n.nspname"
    );
    for [make, own, set] in reader.texts(&sequences).await? {
        table.before.extend(Some(make).filter(|it| !it.is_empty()));
        table.finish.extend(Some(own).filter(|it| !it.is_empty()));
        table.finish.push(set);
    }
    Ok(())
}

/// The database's own functions and collations, which nothing here makes.
async fn functions(reader: &mut Reader, table: &mut TableExcerpt, oid: &str) -> Result<(), Fault> {
    let functions = format!(
        "WITH {}, {}, others (classid, objid) AS ( \
           SELECT DISTINCT d.refclassid, d.refobjid FROM parts p \
           JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid \
           WHERE NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = d.refclassid \
             AND m.objid = d.refobjid AND m.deptype = 'e')) \
         SELECT {oid}::regclass || ' calls the function ' || f.oid::regprocedure \
         FROM others JOIN pg_proc f ON f.oid = objid AND classid = 'pg_proc'::regclass \
         JOIN pg_namespace n ON n.oid = f.pronamespace WHERE n.nspname NOT IN {OF_THE_SERVER} \
         UNION ALL SELECT format('%s uses the collation %I', {oid}::regclass, l.collname) \
         FROM others JOIN pg_collation l ON l.oid = objid \
           AND classid = 'pg_collation'::regclass \
         JOIN pg_namespace n ON n.oid = l.collnamespace WHERE n.nspname NOT IN {OF_THE_SERVER} \
         ORDER BY 1",
        used_types(oid),
        parts(oid)
    );
    for [words] in reader.texts(&functions).await? {
        table.missing.push(words);
    }
    Ok(())
}
