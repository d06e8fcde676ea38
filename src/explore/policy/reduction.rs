//! Which steps a reduced search takes for independent.

use super::{ParkedClient, Standing};
use crate::footprint::{Footprint, Rule, Touch};
use crate::step::{Effect, Step};

/// How a reduced search decides which steps are independent. Two steps are if both have a footprint
/// and the footprints do not meet. Where a footprint is missing, the steps' [`Effect`] decides.
///
/// While a client waits for a lock, no step is independent of any other. The end of a wait lets a
/// second client's statement happen, and a closed circle of waits ends with a refusal and a
/// rollback. Both reach further than the tables of the statement that was let go. For instance, A
/// has locked x and B has locked y. Then "A locks y" and "B locks x" touch different tables, and
/// yet their order decides which of the two is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reduction {
    /// What is left out of this, which makes the search miss schedules. Tests leave a part out to
    /// show that it is needed.
    pub without: Option<Ablation>,
}

/// A part of the independence relation that a test can leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ablation {
    /// The touches that this rule has added to footprints.
    Rule(Rule),
    /// That nothing is independent while a client waits.
    Waits,
}

/// How two neighbouring steps of different clients stand to each other while no client waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::explore) enum Relation {
    /// One of them touches nothing that another client could notice.
    Local,
    /// Both only read.
    BothRead,
    /// Neither writes or locks what the other touches.
    Apart,
    /// The order of these two touches matters, one of each step.
    Meet(Touch, Touch),
    /// One of them may change or lock something, and what it touches was not worked out.
    NotWorkedOut,
}

impl Relation {
    /// Whether both orders of the two steps lead to the same end.
    pub(in crate::explore) fn is_independent(&self) -> bool {
        match self {
            Self::Local | Self::BothRead | Self::Apart => true,
            Self::Meet(..) | Self::NotWorkedOut => false,
        }
    }
}

impl Reduction {
    /// Whether the order of these two neighbouring steps makes no difference, given where all
    /// clients stand.
    pub(super) fn may_swap(
        self,
        one: &ParkedClient<'_>,
        other: &ParkedClient<'_>,
        standing: &Standing<'_>,
    ) -> bool {
        !self.is_bound_by_a_wait(standing) && self.between(one.step, other.step).is_independent()
    }

    /// Whether a client waits, so that nothing is independent.
    pub(super) fn is_bound_by_a_wait(self, standing: &Standing<'_>) -> bool {
        standing.has_waiting_client && self.without != Some(Ablation::Waits)
    }

    /// How the two steps stand to each other while no client waits.
    pub(in crate::explore) fn between(self, one: &Step, other: &Step) -> Relation {
        let effects = (one.effect, other.effect);
        match (&one.footprint, &other.footprint) {
            _ if [one.effect, other.effect].contains(&Effect::Local) => Relation::Local,
            (Some(footprint), Some(another)) => self.meeting(footprint, another),
            (None, _) | (_, None) if effects == (Effect::Reads, Effect::Reads) => {
                Relation::BothRead
            }
            (None, _) | (_, None) => Relation::NotWorkedOut,
        }
    }

    fn meeting(self, one: &Footprint, other: &Footprint) -> Relation {
        let meet = |one: &Footprint, other: &Footprint| match one.meets(other) {
            Some((touch, its)) => Relation::Meet(touch.clone(), its.clone()),
            None => Relation::Apart,
        };
        match self.without {
            Some(Ablation::Rule(rule)) => meet(&one.without(rule), &other.without(rule)),
            Some(Ablation::Waits) | None => meet(one, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::step;
    use super::*;
    use crate::footprint::Access;

    #[test]
    fn footprints_decide_and_effects_where_one_is_missing() {
        let touch = |access| Touch::table("voucher", access, Rule::Named);
        let reading = || Some(Footprint::from_iter([touch(Access::Reads)]));
        let writing = || Some(Footprint::from_iter([touch(Access::Writes)]));
        let meeting = Relation::Meet(touch(Access::Reads), touch(Access::Writes));
        let (local, reads, conflicts) = (Effect::Local, Effect::Reads, Effect::Conflicts);
        for (one, other, relation, is_independent) in [
            (
                (local, writing()),
                (conflicts, writing()),
                Relation::Local,
                true,
            ),
            (
                (conflicts, reading()),
                (conflicts, reading()),
                Relation::Apart,
                true,
            ),
            ((reads, reading()), (conflicts, writing()), meeting, false),
            ((reads, None), (reads, reading()), Relation::BothRead, true),
            (
                (reads, reading()),
                (conflicts, None),
                Relation::NotWorkedOut,
                false,
            ),
        ] {
            let (one, other) = (step(one.0, one.1), step(other.0, other.1));
            let between = Reduction::default().between(&one, &other);
            assert_eq!(between, relation);
            assert_eq!(between.is_independent(), is_independent);
        }
    }
}
