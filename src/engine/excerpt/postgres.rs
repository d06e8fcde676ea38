//! PostgreSQL: the tables of all schemas but the server's own ones.
//!
//! Names are written as they are found from the schema `public`, which every new database has:
//! those of other schemas are with these.

use super::needs::needs;
use super::reader::{Reader, inserted};
use super::{Excerpt, TableExcerpt};
use crate::engine::lane::MARK;
use crate::engine::{Database, Fault};

pub(super) async fn excerpt(database: &Database, most_rows: usize) -> Result<Excerpt, Fault> {
    // All tables are read at one moment.
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut reader = Reader::begin(database, most_rows, begin).await?;
    let excerpt = read(&mut reader).await?;
    reader.end().await?;
    Ok(excerpt)
}

/// The condition that the schema `n` is the user's own.
const OURS: &str = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' \
     AND n.nspname NOT LIKE 'racy\\_copy\\_%' AND n.nspname NOT LIKE 'racy\\_beginning\\_%'";

async fn read(reader: &mut Reader) -> Result<Excerpt, Fault> {
    const PLACE: &str = "SELECT COALESCE(current_schema()::text, ''), \
         (SELECT string_agg(quote_ident(name), ', ' ORDER BY place) \
          FROM unnest(current_schemas(false)) WITH ORDINALITY schemas (name, place))";
    let relations = format!(
        "SELECT c.relname::text, c.oid::text, c.oid::regclass::text, \
                CASE WHEN c.relkind = 'v' THEN 'view' WHEN c.relkind = 'm' \
                     THEN 'materialized view' WHEN c.relkind = 'p' THEN 'partitioned table' \
                     WHEN c.relkind = 'f' THEN 'foreign table' WHEN c.relispartition \
                     THEN 'partition' ELSE '' END \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {OURS} AND c.relkind IN ('r', 'v', 'm', 'p', 'f') \
           AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = 'pg_class'::regclass \
             AND m.objid = c.oid AND m.deptype = 'e') \
         ORDER BY c.relname, n.nspname"
    );
    let routines = format!(
        "SELECT DISTINCT f.proname::text FROM pg_proc f \
         JOIN pg_namespace n ON n.oid = f.pronamespace \
         WHERE {OURS} AND f.prorettype <> 'trigger'::regtype \
           AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = 'pg_proc'::regclass \
             AND m.objid = f.oid AND m.deptype IN ('e', 'i')) ORDER BY 1"
    );
    let mut excerpt = Excerpt::default();
    for [schema, path] in reader.texts(PLACE).await? {
        if schema != "public" && !schema.is_empty() {
            excerpt.beginning = Some(format!("SET search_path = {path}"));
        }
    }
    reader.command("SET LOCAL search_path = public").await?;
    for [routine] in reader.texts(&routines).await? {
        excerpt.routines.push(routine);
    }
    for [name, oid, shown, other] in reader.texts(&relations).await? {
        if name == MARK {
            continue;
        }
        excerpt.tables.push(match other.as_str() {
            "" => table(reader, name, &shown, &oid).await?,
            other => TableExcerpt {
                left_out: vec![format!("{shown} is a {other}")],
                name,
                ..TableExcerpt::default()
            },
        });
    }
    Ok(excerpt)
}

/// `shown` is its name in SQL, with its schema if that is needed.
async fn table(
    reader: &mut Reader,
    name: String,
    shown: &str,
    oid: &str,
) -> Result<TableExcerpt, Fault> {
    let columns: Vec<[String; 6]> = reader.texts(&columns(oid)).await?;
    let constraints = format!(
        "SELECT format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), contype::text \
         FROM pg_constraint WHERE conrelid = {oid} AND contype IN ('p', 'u', 'c', 'x', 'f') \
         ORDER BY contype, conname"
    );
    let constraints: Vec<[String; 2]> = reader.texts(&constraints).await?;
    let mut table = TableExcerpt {
        name,
        ..TableExcerpt::default()
    };
    needs(reader, &mut table, oid).await?;
    let mut parts: Vec<String> = columns.iter().map(definition).collect();
    for [constraint, kind] in constraints {
        if kind == "f" {
            let add = format!("ALTER TABLE {shown} ADD {constraint}");
            table.finish.push(add);
        } else {
            parts.push(constraint);
        }
    }
    let parts = parts.join(",\n  ");
    table
        .make
        .push(format!("CREATE TABLE {shown} (\n  {parts}\n)"));
    more(reader, &mut table, shown, oid).await?;
    let written = columns.iter().filter(|it| it[4].is_empty());
    let names: Vec<&str> = written.map(|it| it[0].as_str()).collect();
    let key = format!(
        "SELECT quote_ident(a.attname) FROM pg_index i \
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
         WHERE i.indrelid = {oid} AND i.indisprimary ORDER BY a.attnum"
    );
    let key = reader.texts(&key).await?.into_iter().map(|[it]| it);
    let key: Vec<_> = key.collect();
    let rows = reader.rows(&names, shown, &key).await?;
    // Identities are numbered by the engine, unless that is overridden.
    let head = format!(
        "INSERT INTO {shown} ({}) OVERRIDING SYSTEM VALUE",
        names.join(", ")
    );
    inserted(&mut table, rows, &head, reader);
    Ok(table)
}

/// Asks for the columns: name, type with its collation, NOT NULL, identity, generated, expression.
fn columns(oid: &str) -> String {
    format!(
        "SELECT quote_ident(a.attname), format_type(a.atttypid, a.atttypmod) || \
                CASE WHEN a.attcollation = t.typcollation THEN '' \
                     WHEN n.nspname = 'pg_catalog' THEN format(' COLLATE %I', c.collname) \
                     ELSE format(' COLLATE %I.%I', n.nspname, c.collname) END, \
                CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, \
                CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' ELSE '' END, \
                a.attgenerated::text, \
                CASE WHEN q.seqrelid IS NOT NULL THEN concat_ws(' ', \
                       CASE WHEN s.relname <> r.relname || '_' || a.attname || '_seq' \
                            THEN format('SEQUENCE NAME %s', s.oid::regclass) END, \
                       CASE WHEN q.seqincrement <> 1 \
                            THEN format('INCREMENT BY %s', q.seqincrement) END, \
                       CASE WHEN q.seqincrement < 0 OR q.seqmin <> 1 \
                            THEN format('MINVALUE %s', q.seqmin) END, \
                       CASE WHEN q.seqincrement < 0 OR q.seqmax <> CASE q.seqtypid::regtype::text \
                              WHEN 'smallint' THEN 32767 WHEN 'integer' THEN 2147483647 \
                              ELSE 9223372036854775807 END \
                            THEN format('MAXVALUE %s', q.seqmax) END, \
                       CASE WHEN q.seqincrement < 0 OR q.seqstart <> q.seqmin \
                            THEN format('START WITH %s', q.seqstart) END, \
                       CASE WHEN q.seqcache <> 1 THEN format('CACHE %s', q.seqcache) END, \
                       CASE WHEN q.seqcycle THEN 'CYCLE' END) \
                     ELSE COALESCE(pg_get_expr(d.adbin, d.adrelid), '') END \
         FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid \
         JOIN pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_collation c ON c.oid = a.attcollation \
         LEFT JOIN pg_namespace n ON n.oid = c.collnamespace \
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         LEFT JOIN pg_depend u ON u.classid = 'pg_class'::regclass \
           AND u.refclassid = 'pg_class'::regclass AND u.refobjid = a.attrelid \
           AND u.refobjsubid = a.attnum AND u.deptype = 'i' AND a.attidentity <> '' \
         LEFT JOIN pg_sequence q ON q.seqrelid = u.objid LEFT JOIN pg_class s ON s.oid = u.objid \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
}

/// A column as it is defined.
fn definition([name, kind, not_null, identity, generated, expression]: &[String; 6]) -> String {
    let more = match (identity.as_str(), generated.as_str(), expression.as_str()) {
        ("", "", "") => String::new(),
        ("", "", default) => format!(" DEFAULT {default}"),
        ("", "s", expression) => format!(" GENERATED ALWAYS AS ({expression}) STORED"),
        ("", _, expression) => format!(" GENERATED ALWAYS AS ({expression})"),
        (identity, _, "") => format!(" GENERATED {identity} AS IDENTITY"),
        (identity, _, options) => format!(" GENERATED {identity} AS IDENTITY ({options})"),
    };
    format!("{name} {kind}{not_null}{more}")
}

/// What else belongs to the table: its indexes and parents, and what is not made.
async fn more(
    reader: &mut Reader,
    table: &mut TableExcerpt,
    shown: &str,
    oid: &str,
) -> Result<(), Fault> {
    // In this form the table is without a schema that is not needed.
    let indexes = format!(
        "SELECT pg_get_indexdef(i.indexrelid, 0, true) FROM pg_index i \
         WHERE i.indrelid = {oid} AND NOT EXISTS \
           (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = {oid}) \
         ORDER BY i.indexrelid"
    );
    for [index] in reader.texts(&indexes).await? {
        table.finish.push(index);
    }
    let parents = format!(
        "SELECT DISTINCT p.relname::text FROM pg_constraint c \
         JOIN pg_class p ON p.oid = c.confrelid WHERE c.conrelid = {oid} AND c.contype = 'f'"
    );
    let parents = reader.texts(&parents).await?.into_iter();
    table.parents = parents.map(|[parent]| parent).collect();
    let left_out = format!(
        "SELECT words FROM ( \
           SELECT 1, 'has a trigger, ' || tgname FROM pg_trigger \
           WHERE tgrelid = {oid} AND NOT tgisinternal \
           UNION ALL SELECT 2, 'has a rule, ' || rulename FROM pg_rewrite WHERE ev_class = {oid} \
           UNION ALL SELECT 3, 'has row-level security' FROM pg_class \
             WHERE oid = {oid} AND relrowsecurity \
           UNION ALL SELECT 4, 'inherits from ' || inhparent::regclass FROM pg_inherits \
             WHERE inhrelid = {oid} \
           UNION ALL SELECT 5, 'is inherited by ' || inhrelid::regclass FROM pg_inherits \
             WHERE inhparent = {oid}) left_out (place, words) ORDER BY place, words"
    );
    for [words] in reader.texts(&left_out).await? {
        table.left_out.push(format!("{shown} {words}"));
    }
    Ok(())
}
