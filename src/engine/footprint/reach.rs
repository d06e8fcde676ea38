//! What a read or a change of one relation leads to in others.

use std::collections::BTreeSet;

use super::catalogue::Catalogue;
use super::parsed::ChangeKind;
use crate::footprint::{Access, Footprint, Rule, Touch};

/// Collects what a statement touches.
#[derive(Debug)]
pub(super) struct Reach<'r> {
    pub(super) catalogue: &'r Catalogue,
    /// Whether the statement has the word DEFAULT, so that an update may draw from a sequence.
    pub(super) sets_defaults: bool,
    /// What was collected so far.
    pub(super) touches: Footprint,
}

impl Reach<'_> {
    /// Adds a touch of a relation and of all that its name reaches.
    pub(super) fn touch(&mut self, at: usize, access: Access, rule: Rule) {
        let plain = rule == Rule::Named;
        for reached in self.catalogue.reached(at) {
            let thing = self.catalogue.thing(reached.at);
            let why = if plain { reached.rule } else { rule };
            let touch = Touch::table(thing, access, why).because(reached.because);
            self.touches.add(touch);
            if let Some((rule, because)) = &self.catalogue.relation(reached.at).when_read {
                self.everything(*rule, because.clone());
            }
        }
    }

    /// Adds all that a change of a relation writes, for this reason.
    pub(super) fn write(&mut self, at: usize, kind: &ChangeKind, rule: Rule) {
        self.touch(at, Access::Writes, rule);
        let is_view = !self.catalogue.is_table(at);
        // A view's columns may have other names.
        let kind = if is_view { &ChangeKind::Anything } else { kind };
        let mut done = BTreeSet::new();
        for reached in self.catalogue.reached(at) {
            self.write_table(reached.at, kind, &mut done);
        }
    }

    /// Adds what a change of one table leads to in others.
    fn write_table(&mut self, at: usize, kind: &ChangeKind, done: &mut BTreeSet<usize>) {
        let catalogue = self.catalogue;
        let root = catalogue.root(at);
        if let Some((rule, because)) = &catalogue.relation(at).when_written {
            self.everything(*rule, because.clone());
        }
        if !done.insert(root) {
            return;
        }
        if let Some((rule, because)) = &catalogue.relation(root).when_written {
            self.everything(*rule, because.clone());
        }
        let draws = !matches!(kind, ChangeKind::Update(_)) || self.sets_defaults;
        for sequence in catalogue.sequences_of(root).filter(|_| draws) {
            self.lead(sequence, Rule::Sequence, root);
        }
        for key in catalogue.keys_of(root) {
            self.lead(key.parent, Rule::Parent, root);
        }
        for key in catalogue.keys_to(root) {
            let reaches = match (kind, &key.column) {
                (ChangeKind::Insert(set) | ChangeKind::Update(set), Some(column)) => {
                    set.contains(column)
                }
                (ChangeKind::Insert(set), None) => !set.is_empty(),
                (ChangeKind::Update(_), None) | (ChangeKind::Anything, _) => true,
            };
            if reaches {
                self.lead(key.child, Rule::Child, root);
                if key.cascades {
                    self.write_table(key.child, &ChangeKind::Anything, done);
                }
            }
        }
    }

    /// Adds a write to which the change of another table leads.
    fn lead(&mut self, at: usize, rule: Rule, from: usize) {
        let (thing, from) = (self.catalogue.thing(at), self.catalogue.thing(from));
        let because = match rule {
            Rule::Parent => format!("the child is {from}"),
            Rule::Child => format!("the parent is {from}"),
            _ => format!("the table is {from}"),
        };
        let touch = Touch::table(thing, Access::Writes, rule);
        self.touches.add(touch.because(because));
    }

    /// Adds that anything may happen.
    pub(super) fn everything(&mut self, rule: Rule, because: impl Into<String>) {
        self.touches.add(Touch::everything(rule, because));
    }
}
