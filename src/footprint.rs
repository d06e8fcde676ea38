//! What a statement touches: the tables it reads and writes, and why each counts.
//!
//! Two neighbouring statements of different clients are *independent* if neither writes or locks
//! what the other touches. Both orders lead to the same end then, and a reduced search runs only
//! one of them. A footprint may name too much, which costs runs. It must never name too little,
//! because a schedule would be left out.
//!
//! Each [`Touch`] carries the [`Rule`] that put it there. So a reader can be told why two
//! statements were not taken for independent, and a test can leave a rule out and see what is
//! missed.

use std::collections::BTreeSet;
use std::fmt;

/// What one step touches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    touches: BTreeSet<Touch>,
}

/// One thing that a step touches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Touch {
    /// What is touched.
    pub thing: Thing,
    /// How it is touched.
    pub access: Access,
    /// Why it counts.
    pub rule: Rule,
    /// What makes the rule hold, e.g. the view's name. Empty if the rule says all.
    pub because: String,
}

/// What can be touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    /// A table or a sequence, by the name that the catalogue knows it by.
    Table(String),
    /// What other clients' transactions have published. A snapshot reads it, a commit writes it.
    /// Two commits do not meet in it.
    Published,
    /// All that there is.
    Everything,
}

/// How a thing is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// It is read, and others are not in the way.
    Reads,
    /// It is written or locked.
    Writes,
}

/// Why a touch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The statement reads or writes the table by its name.
    Named,
    /// A locking read counts as a write.
    LockingRead,
    /// Every table in a statement that writes counts as written.
    WritingStatement,
    /// A read in a SERIALIZABLE transaction of InnoDB locks.
    SerializableRead,
    /// A statement of a SERIALIZABLE transaction of PostgreSQL can fail for what the transactions
    /// of its client have touched before.
    SerializableConflict,
    /// A commit or rollback of a SERIALIZABLE transaction of PostgreSQL decides for others.
    SerializableEnd,
    /// A snapshot shows what all others have committed by then, and nothing later.
    Snapshot,
    /// A commit makes visible what the snapshots show that are taken later.
    Publication,
    /// A commit or rollback publishes, undoes or unlocks what its transaction has touched.
    TransactionEnd,
    /// A write to a child locks the parent's row.
    Parent,
    /// A change of a parent's key, or its removal, reaches the children.
    Child,
    /// The name is a view's, and this is beneath it.
    View,
    /// The table is a partition, or has partitions, or inherits.
    Partition,
    /// A sequence gives the value.
    Sequence,
    /// A trigger or a rule of the table may do anything.
    Trigger,
    /// The table calls a function, in a default, a check, an index or a policy.
    TableFunction,
    /// A function that is not known to be pure may do anything.
    UnknownFunction,
    /// It changes the schema, or a setting that others share.
    Schema,
    /// It sets autocommit, which can commit what is open.
    Autocommit,
    /// It sends or awaits a notification.
    Notification,
    /// An invariant is asked after this commit, and may read all that others have done by then.
    WatchedCommit,
    /// The statement, or a name in it, was not understood.
    NotUnderstood,
}

impl Rule {
    /// Why a touch counts, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Named => "the statement names it",
            Self::LockingRead => "a locking read counts as a write",
            Self::WritingStatement => "every table in a statement that writes counts as written",
            Self::SerializableRead => "a read in a SERIALIZABLE transaction locks what it reads",
            Self::SerializableConflict => {
                "a SERIALIZABLE transaction can fail for what it has touched before"
            }
            Self::SerializableEnd => {
                "the end of a SERIALIZABLE transaction decides whether others can fail"
            }
            Self::Snapshot => {
                "a snapshot shows what others have committed by then, and nothing later"
            }
            Self::Publication => {
                "a commit makes visible what the snapshots show that are taken later"
            }
            Self::TransactionEnd => {
                "the end of a transaction publishes, undoes or unlocks what it has touched"
            }
            Self::Parent => "a write to a child locks the row of its parent",
            Self::Child => "a change of a parent reaches its children",
            Self::View => "it is beneath a view",
            Self::Partition => "it is a partition, or has partitions, or inherits",
            Self::Sequence => "a sequence gives the value",
            Self::Trigger => "a trigger or a rule of the table may do anything",
            Self::TableFunction => "a function that the table calls may do anything",
            Self::UnknownFunction => "a function that is not known to be pure may do anything",
            Self::Schema => "it changes the schema, or a setting that others share",
            Self::Autocommit => "it sets autocommit, which can commit what is open",
            Self::Notification => "it sends or awaits a notification",
            Self::WatchedCommit => "an invariant is asked after it, and may read everything",
            Self::NotUnderstood => "it was not understood",
        }
    }
}

impl Touch {
    /// A touch of a table.
    pub fn table(name: impl Into<String>, access: Access, rule: Rule) -> Self {
        Self {
            thing: Thing::Table(name.into()),
            access,
            rule,
            because: String::new(),
        }
    }

    /// A touch of everything.
    pub fn everything(rule: Rule, because: impl Into<String>) -> Self {
        Self {
            thing: Thing::Everything,
            access: Access::Writes,
            rule,
            because: because.into(),
        }
    }

    /// The same, with what makes the rule hold.
    pub fn because(self, because: impl Into<String>) -> Self {
        Self {
            because: because.into(),
            ..self
        }
    }

    /// Whether the order of the two matters.
    pub fn meets(&self, other: &Self) -> bool {
        match (&self.thing, &other.thing) {
            (Thing::Everything, _) | (_, Thing::Everything) => true,
            (Thing::Published, Thing::Published) => self.access != other.access,
            (one, another) => {
                let is_written = [self.access, other.access].contains(&Access::Writes);
                one == another && is_written
            }
        }
    }
}

impl Footprint {
    /// Adds a touch.
    pub fn add(&mut self, touch: Touch) {
        self.touches.insert(touch);
    }

    /// All touches.
    pub fn touches(&self) -> impl Iterator<Item = &Touch> {
        self.touches.iter()
    }

    /// Whether it touches nothing that another client could notice.
    pub fn is_empty(&self) -> bool {
        self.touches.is_empty()
    }

    /// The same without what this rule has added.
    pub fn without(&self, rule: Rule) -> Self {
        let touches = self.touches.iter().filter(|it| it.rule != rule);
        Self {
            touches: touches.cloned().collect(),
        }
    }

    /// The first touches of the two whose order matters. None if the two are independent.
    pub fn meets<'f>(&'f self, other: &'f Self) -> Option<(&'f Touch, &'f Touch)> {
        let pairs = self
            .touches
            .iter()
            .flat_map(|one| other.touches.iter().map(move |another| (one, another)));
        let mut meeting = pairs.filter(|(one, another)| one.meets(another));
        meeting.next()
    }
}

impl FromIterator<Touch> for Footprint {
    fn from_iter<T: IntoIterator<Item = Touch>>(touches: T) -> Self {
        Self {
            touches: touches.into_iter().collect(),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) => f.write_str(name),
            Self::Published => f.write_str("what is committed"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(table: &str) -> Footprint {
        [Touch::table(table, Access::Reads, Rule::Named)]
            .into_iter()
            .collect()
    }

    fn writes(table: &str) -> Footprint {
        [Touch::table(table, Access::Writes, Rule::Named)]
            .into_iter()
            .collect()
    }

    fn published(access: Access) -> Footprint {
        let touch = Touch {
            thing: Thing::Published,
            access,
            rule: Rule::Snapshot,
            because: String::new(),
        };
        [touch].into_iter().collect()
    }

    #[test]
    fn two_meet_if_one_writes_what_the_other_touches() {
        let everything: Footprint = [Touch::everything(Rule::Schema, "")].into_iter().collect();
        for (one, other, meet) in [
            (reads("t"), reads("t"), false),
            (reads("t"), writes("t"), true),
            (writes("t"), writes("t"), true),
            (writes("t"), writes("u"), false),
            (everything.clone(), reads("t"), true),
            (everything, Footprint::default(), false),
            (published(Access::Reads), published(Access::Writes), true),
            (published(Access::Writes), published(Access::Writes), false),
            (published(Access::Reads), published(Access::Reads), false),
        ] {
            assert_eq!(one.meets(&other).is_some(), meet, "{one:?} {other:?}");
            assert_eq!(other.meets(&one).is_some(), meet, "{other:?} {one:?}");
        }
    }

    #[test]
    fn a_rule_can_be_left_out() {
        let touches = [
            Touch::table("t", Access::Reads, Rule::Named),
            Touch::table("t", Access::Writes, Rule::LockingRead),
        ];
        let locking: Footprint = touches.into_iter().collect();
        assert!(locking.meets(&reads("t")).is_some());
        let plain = locking.without(Rule::LockingRead);
        assert!(plain.meets(&reads("t")).is_none());
    }
}
