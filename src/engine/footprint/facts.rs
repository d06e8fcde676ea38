//! What an engine's catalogue says of a database, before it is put in order.

use std::collections::BTreeSet;

use crate::footprint::Rule;

/// What the catalogue of one database says. Relations are known by their place in the list.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The tables, views and sequences.
    pub(super) relations: Vec<Relation>,
    /// A relation, and one that is beneath it: it is a view, and the other one is in it.
    pub(super) beneath: Vec<(usize, usize)>,
    /// A partition or heir, and what it is a part of.
    pub(super) parts: Vec<(usize, usize)>,
    /// A table, and a sequence from which it draws by default.
    pub(super) sequences: Vec<(usize, usize)>,
    /// The foreign keys, one for each column.
    pub(super) keys: Vec<ForeignKey>,
    /// The users' functions, in lower case.
    pub(super) functions: BTreeSet<String>,
    /// Where a name without a schema is looked up, in order.
    pub(super) schemas: Vec<String>,
    /// Why nothing certain can be said of any statement. None if that can be done.
    pub(super) doubt: Option<String>,
}

/// A table, a view or a sequence.
#[derive(Debug)]
pub(super) struct Relation {
    /// Its schema or, on MySQL and MariaDB, its database.
    pub(super) schema: String,
    /// Its name.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: RelationKind,
    /// Why a read of it may do anything. None if it just reads.
    pub(super) when_read: Option<(Rule, String)>,
    /// Why a write to it may do anything. None if it just writes.
    pub(super) when_written: Option<(Rule, String)>,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelationKind {
    /// Its rows are its own.
    Table,
    /// Its rows are those of others.
    View,
    /// It gives numbers.
    Sequence,
}

/// A column to which a foreign key refers.
#[derive(Debug, Clone)]
pub(super) struct ForeignKey {
    /// The table that has the key.
    pub(super) child: usize,
    /// The table to which it refers.
    pub(super) parent: usize,
    /// The column to which it refers, in lower case. None if its value follows from other columns.
    pub(super) column: Option<String>,
    /// Whether it changes or deletes the child's rows, instead of refusing.
    pub(super) cascades: bool,
}

impl Relation {
    /// A relation that does nothing by itself.
    pub(super) fn new(schema: String, name: String, kind: RelationKind) -> Self {
        Self {
            schema,
            name,
            kind,
            when_read: None,
            when_written: None,
        }
    }
}

impl Facts {
    /// The place of a relation of this name, on an engine whose names have no schema.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        let relations = || self.relations.iter();
        let spelled = relations().position(|it| it.name == name);
        spelled.or_else(|| relations().position(|it| it.name.eq_ignore_ascii_case(name)))
    }

    /// Notes that a write to this relation may do anything.
    pub(super) fn acts_when_written(&mut self, at: usize, rule: Rule, because: String) {
        let acts = &mut self.relations[at].when_written;
        acts.get_or_insert((rule, because));
    }

    /// Notes that a read of this relation, and so a write as well, may do anything.
    pub(super) fn acts_when_read(&mut self, at: usize, rule: Rule, because: String) {
        let acts = &mut self.relations[at].when_read;
        acts.get_or_insert((rule, because.clone()));
        self.acts_when_written(at, rule, because);
    }
}
