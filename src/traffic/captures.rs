//! Which values of a client's statements it had read before.

use std::collections::{BTreeMap, BTreeSet};

use super::doubt::{Doubt, DoubtKind};
use super::evidence::{Evidence, Source, Target};
use super::line::Line;
use super::numbers::Number;
use super::origin::Origin;

/// Where the values of a client's statements come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Captures {
    /// By statement and by the value's number in it. A value that is not here is a literal.
    pub(super) uses: BTreeMap<(usize, usize), Use>,
    pub(super) doubts: Vec<Doubt>,
    /// The statements whose answers were sent later, as they were or changed, as far as is known.
    pub(super) used: BTreeSet<usize>,
}

/// A value that is what was read, perhaps with a number added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) source: Origin,
    pub(super) change: Option<Number>,
}

/// Finds what a client had read before. `peers` are other recordings of the same statements, which
/// differ in values alone.
pub(super) fn captures(own: &[Line], peers: &[&[Line]]) -> Captures {
    let evidence = Evidence::new(own, peers);
    let mut captures = Captures::default();
    for (line, statement) in own.iter().enumerate() {
        for number in 0..statement.values().count() {
            let Some(target) = evidence.target(line, number) else {
                continue;
            };
            captures.explain(&evidence, &target);
        }
    }
    captures
}

impl Captures {
    fn explain(&mut self, evidence: &Evidence<'_>, target: &Target<'_>) {
        if let Some(source) = evidence.read(target) {
            return self.uses(target, source, None);
        }
        if evidence.is_parameter(target) {
            return;
        }
        if let Some((source, change)) = evidence.computed(target) {
            self.uses(target, source, Some(change));
            let words = format!(
                "{} was read, and {} was sent: in all recordings this is what was read {}",
                source.own(),
                target.own(),
                change.as_a_change()
            );
            return self.doubt(DoubtKind::Note, target, words);
        }
        if let Some((source, change)) = evidence.perhaps_computed(target) {
            self.uses(target, source, Some(change));
            let words = format!(
                "{} was read, and {} was written to the same column. Racy takes it for what was \
                 read {}. A second recording with another value would tell",
                source.own(),
                target.own(),
                change.as_a_change()
            );
            return self.doubt(DoubtKind::Guess, target, words);
        }
        if let Some(source) = evidence.computed_in_some_way(target) {
            self.used.insert(source.origin.line());
            let words = format!(
                "{} was read, and {} was written to the same column. How it was computed is not in \
                 a recording: write it in SQL",
                source.own(),
                target.own()
            );
            return self.doubt(DoubtKind::CannotBeRight, target, words);
        }
        if let Some(line) = evidence.among_several_rows(target) {
            self.used.insert(line);
            let words = format!(
                "{} is in one of several rows that statement {} has returned. It is a literal here, \
                 because \\gset takes one row: narrow that query down",
                target.own(),
                line + 1
            );
            self.doubt(DoubtKind::CannotBeRight, target, words);
        }
    }

    fn uses(&mut self, target: &Target<'_>, source: &Source, change: Option<Number>) {
        let source = source.origin;
        self.used.insert(source.line());
        let place = (target.line, target.number);
        self.uses.insert(place, Use { source, change });
    }

    fn doubt(&mut self, kind: DoubtKind, target: &Target<'_>, words: String) {
        self.doubts.push(Doubt::new(kind, Some(target.line), words));
    }
}
