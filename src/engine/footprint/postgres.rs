//! The catalogue of PostgreSQL. Its relations have numbers.

use std::collections::HashMap;

use super::facts::{Facts, ForeignKey, Relation, RelationKind};
use super::texts::{texts, unknown_calls};
use crate::engine::{Database, Fault, Flavour};
use crate::footprint::Rule;

/// The place of each relation, by its number as a text.
type Places = HashMap<String, usize>;

/// Schemas that are neither the engine's own nor this program's. The numbers of the engine's own
/// objects are below 16384.
const OURS: &str = "n.nspname NOT LIKE 'pg\\_%' \
                    AND n.nspname NOT IN ('information_schema', 'racy_beginning', 'racy_copy')";

/// What belongs to no extension. What an extension brings is taken for pure, unless a statement
/// names it.
const NO_EXTENSIONS: &str = "AND NOT EXISTS (SELECT 1 FROM pg_depend e \
         WHERE e.classid = o.tableoid AND e.objid = o.oid AND e.deptype = 'e')";

/// Reads what the catalogue says of the session's database.
pub(super) async fn facts(database: &Database) -> Result<Facts, Fault> {
    let mut facts = Facts {
        schemas: schemas(database).await?,
        ..Facts::default()
    };
    let places = relations(database, &mut facts).await?;
    functions(database, &mut facts).await?;
    links(database, &mut facts, &places).await?;
    keys(database, &mut facts, &places).await?;
    acts(database, &mut facts, &places).await?;
    expressions(database, &mut facts, &places).await?;
    Ok(facts)
}

async fn schemas(database: &Database) -> Result<Vec<String>, Fault> {
    const SCHEMAS: &str = "SELECT CAST(it AS TEXT) \
         FROM unnest(current_schemas(false)) WITH ORDINALITY AS s (it, place) ORDER BY place";
    let schemas = texts::<1>(database, SCHEMAS).await?;
    Ok(schemas.into_iter().flatten().collect())
}

async fn relations(database: &Database, facts: &mut Facts) -> Result<Places, Fault> {
    let sql = format!(
        "SELECT CAST(c.oid AS TEXT), CAST(n.nspname AS TEXT), CAST(c.relname AS TEXT), \
                CAST(c.relkind AS TEXT) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {OURS} AND c.relkind IN ('r', 'p', 'm', 'v', 'f', 'S') ORDER BY c.oid"
    );
    let mut places = Places::new();
    for [number, schema, name, kind] in texts(database, &sql).await? {
        let at = facts.relations.len();
        places.insert(number, at);
        let what = match kind.as_str() {
            "v" => RelationKind::View,
            "S" => RelationKind::Sequence,
            _ => RelationKind::Table,
        };
        facts.relations.push(Relation::new(schema, name, what));
        if kind == "f" {
            facts.acts_when_read(at, Rule::NotUnderstood, "its rows are elsewhere".to_owned());
        }
    }
    Ok(places)
}

async fn functions(database: &Database, facts: &mut Facts) -> Result<(), Fault> {
    const FUNCTIONS: &str = "SELECT CAST(proname AS TEXT), CAST(prosrc AS TEXT) FROM pg_proc \
         WHERE oid >= 16384";
    let acting = format!(
        "SELECT CAST('an operator of its own' AS TEXT) FROM pg_operator o \
             WHERE o.oid >= 16384 {NO_EXTENSIONS} \
         UNION ALL SELECT 'a cast of its own' FROM pg_cast o \
             WHERE o.oid >= 16384 AND o.castfunc >= 16384 {NO_EXTENSIONS} \
         UNION ALL SELECT 'a domain that calls a function' FROM pg_constraint o \
             WHERE o.oid >= 16384 AND o.contypid <> 0 AND EXISTS ( \
                 SELECT 1 FROM pg_depend d WHERE d.objid = o.oid \
                     AND d.classid = o.tableoid \
                     AND d.refclassid = CAST('pg_proc' AS regclass)) \
         UNION ALL SELECT 'a domain whose default calls a function' FROM pg_type o \
             WHERE o.oid >= 16384 AND o.typtype = 'd' AND o.typdefault LIKE '%(%' \
         UNION ALL SELECT 'standard_conforming_strings = off' \
             WHERE current_setting('standard_conforming_strings') = 'off' \
         UNION ALL SELECT 'a type of its own' FROM pg_type o \
             WHERE o.oid >= 16384 AND o.typtype = 'b' AND o.typelem = 0 {NO_EXTENSIONS}"
    );
    for [name, body] in texts(database, FUNCTIONS).await? {
        facts.note_routine(&name, &body, Flavour::Postgres);
    }
    if let Some([what]) = texts(database, &acting).await?.into_iter().next() {
        let doubt = format!("the database has {what}");
        facts.doubt.get_or_insert(doubt);
    }
    Ok(())
}

/// What is beneath views, what is a part of what, and who draws from which sequence.
async fn links(database: &Database, facts: &mut Facts, places: &Places) -> Result<(), Fault> {
    const LINKS: &str = "SELECT CAST('part' AS TEXT), CAST(inhrelid AS TEXT), \
                CAST(inhparent AS TEXT) FROM pg_inherits \
         UNION SELECT 'view', CAST(r.ev_class AS TEXT), CAST(d.refobjid AS TEXT) \
             FROM pg_rewrite r \
             JOIN pg_depend d ON d.classid = r.tableoid AND d.objid = r.oid \
             JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'v' \
             WHERE d.refclassid = CAST('pg_class' AS regclass) AND d.refobjid <> r.ev_class \
         UNION SELECT 'sequence', CAST(a.adrelid AS TEXT), CAST(d.refobjid AS TEXT) \
             FROM pg_attrdef a \
             JOIN pg_depend d ON d.classid = a.tableoid AND d.objid = a.oid \
             JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' \
             WHERE d.refclassid = s.tableoid \
         UNION SELECT 'sequence', CAST(d.refobjid AS TEXT), CAST(d.objid AS TEXT) \
             FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
             WHERE d.classid = s.tableoid AND d.refclassid = s.tableoid \
               AND d.deptype IN ('a', 'i')";
    for [what, from, to] in texts(database, LINKS).await? {
        if let (Some(from), Some(to)) = (places.get(&from), places.get(&to)) {
            let links = match what.as_str() {
                "part" => &mut facts.parts,
                "view" => &mut facts.beneath,
                _ => &mut facts.sequences,
            };
            links.push((*from, *to));
        }
    }
    Ok(())
}

async fn keys(database: &Database, facts: &mut Facts, places: &Places) -> Result<(), Fault> {
    const KEYS: &str = "SELECT CAST(k.conrelid AS TEXT), CAST(k.confrelid AS TEXT), \
                CAST(CASE a.attgenerated WHEN '' THEN a.attname ELSE '' END AS TEXT), \
                CAST(CASE WHEN k.confdeltype IN ('a', 'r') AND k.confupdtype IN ('a', 'r') \
                     THEN '' ELSE 'cascades' END AS TEXT) \
         FROM pg_constraint k \
         JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey) \
         WHERE k.contype = 'f'";
    for [child, parent, column, cascades] in texts(database, KEYS).await? {
        if let (Some(child), Some(parent)) = (places.get(&child), places.get(&parent)) {
            facts.keys.push(ForeignKey {
                child: *child,
                parent: *parent,
                column: (!column.is_empty()).then(|| column.to_lowercase()),
                cascades: !cascades.is_empty(),
            });
        }
    }
    Ok(())
}

/// Triggers and rules.
async fn acts(database: &Database, facts: &mut Facts, places: &Places) -> Result<(), Fault> {
    const ACTS: &str = "SELECT CAST(tgrelid AS TEXT), CAST(tgname AS TEXT) FROM pg_trigger \
             WHERE NOT tgisinternal \
         UNION ALL SELECT CAST(ev_class AS TEXT), CAST(rulename AS TEXT) FROM pg_rewrite \
             WHERE rulename <> '_RETURN' AND ev_class >= 16384";
    for [table, name] in texts(database, ACTS).await? {
        if let Some(at) = places.get(&table) {
            facts.acts_when_written(*at, Rule::Trigger, name);
        }
    }
    Ok(())
}

/// Expressions that are computed when a table is written or read.
async fn expressions(database: &Database, facts: &mut Facts, places: &Places) -> Result<(), Fault> {
    const EXPRESSIONS: &str = "SELECT CAST('default' AS TEXT), CAST(adrelid AS TEXT), \
                pg_get_expr(adbin, adrelid) FROM pg_attrdef \
         UNION ALL SELECT 'check', CAST(conrelid AS TEXT), pg_get_expr(conbin, conrelid) \
             FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 AND oid >= 16384 \
         UNION ALL SELECT 'index', CAST(indrelid AS TEXT), \
                CONCAT(pg_get_expr(indexprs, indrelid), ' ', pg_get_expr(indpred, indrelid)) \
             FROM pg_index WHERE indexrelid >= 16384 \
               AND (indexprs IS NOT NULL OR indpred IS NOT NULL) \
         UNION ALL SELECT 'key', CAST(partrelid AS TEXT), pg_get_expr(partexprs, partrelid) \
             FROM pg_partitioned_table WHERE partexprs IS NOT NULL \
         UNION ALL SELECT 'policy', CAST(polrelid AS TEXT), \
                CONCAT(pg_get_expr(polqual, polrelid), ' ', pg_get_expr(polwithcheck, polrelid)) \
             FROM pg_policy \
         UNION ALL SELECT 'view', CAST(oid AS TEXT), pg_get_viewdef(oid) \
             FROM pg_class WHERE relkind = 'v' AND oid >= 16384";
    for [what, table, text] in texts(database, EXPRESSIONS).await? {
        if let Some(at) = places.get(&table) {
            expression(facts, *at, &what, &text);
        }
    }
    Ok(())
}

fn expression(facts: &mut Facts, at: usize, what: &str, text: &str) {
    let mut unknown = unknown_calls(text, facts, Flavour::Postgres);
    let draws = facts.sequences.iter().any(|(table, _)| *table == at);
    if what == "default" && draws {
        // The sequence is known.
        unknown.retain(|it| it != "nextval");
    }
    if what == "policy" && text.contains("SELECT") {
        unknown.push("a policy".to_owned());
    }
    for function in unknown {
        match what {
            "view" => facts.acts_when_read(at, Rule::UnknownFunction, function),
            "policy" => facts.acts_when_read(at, Rule::TableFunction, function),
            _ => facts.acts_when_written(at, Rule::TableFunction, function),
        }
    }
}
