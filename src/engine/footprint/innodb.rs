//! The catalogue of MySQL and MariaDB.

use super::facts::{Facts, ForeignKey, Relation, RelationKind};
use super::texts::{texts, unknown_calls};
use crate::engine::lane::MARK;
use crate::engine::statement::{Token, tokens};
use crate::engine::{Database, Fault, Flavour};
use crate::footprint::Rule;

/// Reads what the catalogue says of the session's database.
pub(super) async fn facts(database: &Database) -> Result<Facts, Fault> {
    let mut facts = Facts {
        doubt: doubt(database).await?,
        ..Facts::default()
    };
    relations(database, &mut facts).await?;
    routines(database, &mut facts).await?;
    columns(database, &mut facts).await?;
    keys(database, &mut facts).await?;
    triggers(database, &mut facts).await?;
    views(database, &mut facts).await?;
    Ok(facts)
}

/// Whether the sessions read texts in another way than this program does.
async fn doubt(database: &Database) -> Result<Option<String>, Fault> {
    const MODE: &str = "SELECT CAST(@@sql_mode AS CHAR)";
    const OTHERWISE: [&str; 2] = ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"];
    let modes = texts::<1>(database, MODE).await?.concat();
    let mut modes = modes.iter().flat_map(|it| it.split(','));
    let otherwise = modes.find(|mode| OTHERWISE.contains(mode));
    Ok(otherwise.map(|mode| format!("the sql_mode {mode}")))
}

async fn relations(database: &Database, facts: &mut Facts) -> Result<(), Fault> {
    const RELATIONS: &str = "SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), \
                CAST(table_type AS CHAR), CAST(COALESCE(engine, '') AS CHAR) \
         FROM information_schema.tables WHERE table_schema = DATABASE()";
    for [schema, name, kind, engine] in texts(database, RELATIONS).await? {
        let is_a_copy = ["racy_beginning_", "racy_copy_"]
            .iter()
            .any(|it| name.starts_with(it));
        if name == MARK || is_a_copy {
            continue;
        }
        facts.schemas = vec![schema.clone()];
        let kind = match kind.as_str() {
            "VIEW" | "SYSTEM VIEW" => RelationKind::View,
            "SEQUENCE" => RelationKind::Sequence,
            _ => RelationKind::Table,
        };
        facts.relations.push(Relation::new(schema, name, kind));
        if kind == RelationKind::Table && engine != "InnoDB" {
            let at = facts.relations.len() - 1;
            let because = format!("its rows are kept by {engine}");
            facts.acts_when_read(at, Rule::NotUnderstood, because);
        }
    }
    Ok(())
}

async fn routines(database: &Database, facts: &mut Facts) -> Result<(), Fault> {
    const ROUTINES: &str = "SELECT CAST(routine_name AS CHAR), \
                CAST(COALESCE(routine_definition, 'CREATE') AS CHAR) \
         FROM information_schema.routines WHERE routine_schema = DATABASE()";
    for [name, body] in texts(database, ROUTINES).await? {
        facts.note_routine(&name, &body, Flavour::MySql);
    }
    Ok(())
}

/// Sequences from which a column draws. MySQL has none, and MariaDB writes them as `nextval(…)`.
async fn columns(database: &Database, facts: &mut Facts) -> Result<(), Fault> {
    const DEFAULTS: &str = "SELECT CAST(table_name AS CHAR), CAST(column_default AS CHAR) \
         FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND column_default LIKE '%nextval%'";
    for [table, default] in texts(database, DEFAULTS).await? {
        let Some(table) = facts.place_of(&table) else {
            continue;
        };
        let names = tokens(&default, Flavour::MySql).into_iter();
        let sequences: Vec<_> = names
            .filter_map(Token::name)
            .filter_map(|name| facts.place_of(name))
            .filter(|at| facts.relations[*at].kind == RelationKind::Sequence)
            .collect();
        if sequences.is_empty() {
            facts.acts_when_written(table, Rule::TableFunction, default);
        }
        facts
            .sequences
            .extend(sequences.into_iter().map(|it| (table, it)));
    }
    Ok(())
}

async fn keys(database: &Database, facts: &mut Facts) -> Result<(), Fault> {
    const KEYS: &str = "SELECT CAST(k.table_name AS CHAR), CAST(k.referenced_table_name AS CHAR), \
                CAST(k.referenced_column_name AS CHAR), \
                CAST(IF(r.update_rule IN ('RESTRICT', 'NO ACTION') \
                        AND r.delete_rule IN ('RESTRICT', 'NO ACTION'), '', 'cascades') AS CHAR) \
         FROM information_schema.key_column_usage k \
         JOIN information_schema.referential_constraints r \
           ON r.constraint_schema = k.constraint_schema \
          AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name \
         WHERE k.table_schema = DATABASE() AND k.referenced_table_schema = DATABASE()";
    const FOLLOWS: &str = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR) \
         FROM information_schema.columns WHERE table_schema = DATABASE() \
           AND (COALESCE(generation_expression, '') <> '' OR extra LIKE '%on update%')";
    let keys = texts(database, KEYS).await?;
    if keys.is_empty() {
        return Ok(());
    }
    let follows = texts(database, FOLLOWS).await?;
    for [child, parent, column, cascades] in keys {
        let follows = follows.contains(&[parent.clone(), column.clone()]);
        if let (Some(child), Some(parent)) = (facts.place_of(&child), facts.place_of(&parent)) {
            facts.keys.push(ForeignKey {
                child,
                parent,
                column: (!follows).then(|| column.to_lowercase()),
                cascades: !cascades.is_empty(),
            });
        }
    }
    Ok(())
}

async fn triggers(database: &Database, facts: &mut Facts) -> Result<(), Fault> {
    const TRIGGERS: &str = "SELECT CAST(event_object_table AS CHAR), CAST(trigger_name AS CHAR), \
                CAST(COALESCE(action_statement, '') AS CHAR) \
         FROM information_schema.triggers WHERE event_object_schema = DATABASE()";
    for [table, trigger, body] in texts(database, TRIGGERS).await? {
        facts.doubt_what_changes_more(&format!("trigger {trigger}"), &body);
        if let Some(at) = facts.place_of(&table) {
            facts.acts_when_written(at, Rule::Trigger, trigger);
        }
    }
    Ok(())
}

async fn views(database: &Database, facts: &mut Facts) -> Result<(), Fault> {
    // A user who may not see the text gets an empty one.
    const VIEWS: &str = "SELECT CAST(table_name AS CHAR), \
                CAST(COALESCE(view_definition, '') AS CHAR) \
         FROM information_schema.views WHERE table_schema = DATABASE()";
    const OTHERS: &str = "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata \
         WHERE schema_name <> DATABASE()";
    let views = texts(database, VIEWS).await?;
    if views.is_empty() {
        return Ok(());
    }
    let others: Vec<_> = texts::<1>(database, OTHERS)
        .await?
        .into_iter()
        .flatten()
        .collect();
    for [view, text] in views {
        let Some(at) = facts.place_of(&view) else {
            continue;
        };
        let words = tokens(&text, Flavour::MySql);
        let names = || words.iter().filter_map(|it| it.name());
        if text.is_empty() || names().any(|name| others.iter().any(|it| it == name)) {
            facts.acts_when_read(at, Rule::View, format!("what is in {view} is not known"));
        }
        let unknown = unknown_calls(&text, facts, Flavour::MySql);
        for function in unknown {
            facts.acts_when_read(at, Rule::UnknownFunction, function);
        }
        let beneath: Vec<_> = names().filter_map(|name| facts.place_of(name)).collect();
        let beneath = beneath.into_iter().filter(|it| *it != at);
        facts.beneath.extend(beneath.map(|it| (at, it)));
    }
    Ok(())
}
