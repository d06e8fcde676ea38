//! The relations of a database, and how they hang together.

use std::collections::{BTreeSet, HashMap};

use super::facts::{Facts, ForeignKey, Relation, RelationKind};
use super::{innodb, postgres};
use crate::engine::{Database, Fault, Flavour, UserStatement};
use crate::footprint::Rule;

/// The relations of a database, as the engine's catalogue had them at the beginning.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) flavour: Flavour,
    /// Whether a refusal without a wait can end the whole transaction (MariaDB's snapshot
    /// conflicts).
    pub(super) refusals_end_transactions: bool,
    facts: Facts,
    /// For each relation, the table that it is a part of. Its own place if it is no part.
    roots: Vec<usize>,
    /// The places of all relations with this name in lower case.
    by_name: HashMap<String, Vec<usize>>,
}

/// A name in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The schema or database before it. None if there is none.
    pub(super) schema: Option<String>,
    /// The name itself, without quotes.
    pub(super) name: String,
    /// Whether it is in quotes, so that the engine takes its letters as they are.
    pub(super) is_quoted: bool,
}

impl Name {
    /// The name in lower case.
    pub(super) fn folded(&self) -> String {
        self.name.to_lowercase()
    }
}

/// A relation that is reached by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    /// Its place.
    pub(super) at: usize,
    /// Why it is reached.
    pub(super) rule: Rule,
    /// The name that leads to it. Empty if it is its own.
    pub(super) because: String,
}

/// First keywords of statements after which the catalogue may be another one. A routine that is
/// called is looked at by itself.
const CHANGES_OF_THE_CATALOGUE: [&str; 9] = [
    "CREATE", "ALTER", "DROP", "RENAME", "EXECUTE", "IMPORT", "INSTALL", "REASSIGN", "SECURITY",
];

impl Catalogue {
    /// Reads the catalogue of a database in which these statements will be run. None on SQLite:
    /// there a lock is on the whole database.
    pub(super) async fn read(
        database: &Database,
        statements: &[UserStatement],
    ) -> Result<Option<Self>, Fault> {
        let flavour = database.engine.flavour;
        let mut facts = match flavour {
            Flavour::MySql | Flavour::MariaDb => innodb::facts(database).await?,
            Flavour::Postgres => postgres::facts(database).await?,
            Flavour::Sqlite => return Ok(None),
        };
        if let Some(changes) = statements.iter().find(|it| changes_it(it, flavour)) {
            let keyword = changes.keyword(flavour);
            let doubt = format!("{keyword} may change what a name means");
            facts.doubt.get_or_insert(doubt);
        }
        let mut catalogue = Self::of(facts, flavour);
        catalogue.refusals_end_transactions = database.engine.snapshot_isolation;
        Ok(Some(catalogue))
    }

    /// A catalogue of these facts.
    pub(super) fn of(mut facts: Facts, flavour: Flavour) -> Self {
        let roots = roots(&facts);
        facts.share_among_parts(&roots);
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, relation) in facts.relations.iter().enumerate() {
            let name = relation.name.to_lowercase();
            by_name.entry(name).or_default().push(at);
        }
        Self {
            flavour,
            refusals_end_transactions: false,
            facts,
            roots,
            by_name,
        }
    }

    /// Why nothing certain can be said of any statement. None if that can be done.
    pub(super) fn doubt(&self) -> Option<&str> {
        self.facts.doubt.as_deref()
    }

    /// Whether a user's function has this name.
    pub(super) fn has_function(&self, name: &str) -> bool {
        self.facts.functions.contains(&name.to_lowercase())
    }

    /// The relation in this place.
    pub(super) fn relation(&self, at: usize) -> &Relation {
        &self.facts.relations[at]
    }

    /// The table that this one is a part of, or its own place.
    pub(super) fn root(&self, at: usize) -> usize {
        self.roots[at]
    }

    /// The name of a relation in a footprint. It has its schema, unless that is the first one in
    /// which names are looked up.
    pub(super) fn thing(&self, at: usize) -> String {
        let relation = self.relation(at);
        if self.facts.schemas.first() == Some(&relation.schema) {
            relation.name.clone()
        } else {
            format!("{}.{}", relation.schema, relation.name)
        }
    }

    /// The places of all relations with this name, in any schema and in any case.
    pub(super) fn alike(&self, name: &str) -> &[usize] {
        let alike = self.by_name.get(&name.to_lowercase());
        alike.map_or(&[], Vec::as_slice)
    }

    /// The places of the relations that a name can mean: one, unless it is not certain which.
    pub(super) fn named(&self, name: &Name) -> Vec<usize> {
        let alike = self.alike(&name.name);
        let folds = self.flavour == Flavour::Postgres && !name.is_quoted;
        // PostgreSQL folds no other letters than those of ASCII.
        let spelled = if folds {
            name.name.to_ascii_lowercase()
        } else {
            name.name.clone()
        };
        let is_spelled = |at: &&usize| self.relation(**at).name == spelled;
        let mut named: Vec<usize> = alike.iter().filter(is_spelled).copied().collect();
        if named.is_empty() {
            named = alike.to_vec();
        }
        let within = |schema: &str| -> Vec<usize> {
            let is_within = |at: &&usize| self.relation(**at).schema.eq_ignore_ascii_case(schema);
            named.iter().filter(is_within).copied().collect()
        };
        if let Some(schema) = &name.schema {
            return within(schema);
        }
        let schemas = self.facts.schemas.iter();
        let first = schemas.map(|it| within(it)).find(|it| !it.is_empty());
        first.unwrap_or(named)
    }

    /// All that a name of this relation reaches: itself, the table that it is a part of, and what
    /// is beneath it.
    pub(super) fn reached(&self, at: usize) -> Vec<Reached> {
        let own = Reached {
            at,
            rule: Rule::Named,
            because: String::new(),
        };
        let mut reached = vec![own];
        let mut done = 0;
        while done < reached.len() {
            let from = reached[done].at;
            done += 1;
            let root = std::iter::once((self.root(from), Rule::Partition));
            let beneath = self.facts.beneath.iter().filter(|(view, _)| *view == from);
            for (at, rule) in root.chain(beneath.map(|(_, at)| (*at, Rule::View))) {
                if reached.iter().all(|it| it.at != at) {
                    let because = self.thing(from);
                    reached.push(Reached { at, rule, because });
                }
            }
        }
        reached
    }

    /// The foreign keys of this table, which must be a root.
    pub(super) fn keys_of(&self, child: usize) -> impl Iterator<Item = &ForeignKey> {
        self.facts.keys.iter().filter(move |it| it.child == child)
    }

    /// The foreign keys that refer to this table, which must be a root.
    pub(super) fn keys_to(&self, parent: usize) -> impl Iterator<Item = &ForeignKey> {
        self.facts.keys.iter().filter(move |it| it.parent == parent)
    }

    /// The sequences from which this table draws by default, which must be a root.
    pub(super) fn sequences_of(&self, table: usize) -> impl Iterator<Item = usize> {
        let sequences = self.facts.sequences.iter();
        sequences
            .filter(move |(it, _)| *it == table)
            .map(|(_, sequence)| *sequence)
    }

    /// Whether its rows are its own.
    pub(super) fn is_table(&self, at: usize) -> bool {
        self.relation(at).kind == RelationKind::Table
    }
}

/// Whether the catalogue may be another one after this statement.
fn changes_it(statement: &UserStatement, flavour: Flavour) -> bool {
    let keyword = statement.keyword(flavour);
    let is_a_block = flavour == Flavour::Postgres && keyword == "DO";
    CHANGES_OF_THE_CATALOGUE.contains(&keyword.as_str())
        || is_a_block
        || statement.runs_another(flavour)
        || statement.makes_a_table(flavour)
}

/// For each relation, the one that stands for all that it is a part of and that are parts of it.
fn roots(facts: &Facts) -> Vec<usize> {
    let mut roots: Vec<usize> = (0..facts.relations.len()).collect();
    // A part of two tables joins them. Each round brings every part one step closer, and there are
    // few.
    loop {
        let mut has_changed = false;
        for (part, whole) in &facts.parts {
            let (one, other) = (roots[*part], roots[*whole]);
            if one != other {
                let is_above = |at: usize| facts.parts.iter().all(|(part, _)| *part != at);
                let (gone, root) = if is_above(other) || !is_above(one) {
                    (one, other)
                } else {
                    (other, one)
                };
                for it in &mut roots {
                    if *it == gone {
                        *it = root;
                    }
                }
                has_changed = true;
            }
        }
        if !has_changed {
            return roots;
        }
    }
}

impl Facts {
    /// What is said of a part holds for the table that it is a part of.
    fn share_among_parts(&mut self, roots: &[usize]) {
        for key in &mut self.keys {
            key.child = roots[key.child];
            key.parent = roots[key.parent];
        }
        for (table, _) in &mut self.sequences {
            *table = roots[*table];
        }
        let unique: BTreeSet<_> = self.sequences.drain(..).collect();
        self.sequences.extend(unique);
        for (at, root) in roots.iter().enumerate().filter(|(at, root)| at != *root) {
            if let Some((rule, because)) = self.relations[at].when_read.clone() {
                self.acts_when_read(*root, rule, because);
            }
            if let Some((rule, because)) = self.relations[at].when_written.clone() {
                self.acts_when_written(*root, rule, because);
            }
        }
    }
}
