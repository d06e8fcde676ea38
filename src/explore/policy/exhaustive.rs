//! Every schedule, those with the fewest preemptions first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::shares::{Rest, divided};
use super::{
    Divergence, ParkedClient, Policy, Reduction, Standing, described, is_preemption, named,
};
use crate::explore::Client;
use crate::step::{Effect, Step};

/// Every schedule, each once. For every other client that could have moved in a run, a further run
/// follows.
///
/// A *preemption* is a step of another client although the client that moved last could go on.
/// After the decisions that it repeats, a run goes on with the client that moved last while that is
/// possible. So a run has as many preemptions as its beginning: see [`Policy::preemptions`]. All
/// schedules with no preemption come first, then those with one, and so on up to the bound, if
/// there is one (iterative context bounding: Musuvathi, Qadeer, "Iterative Context Bounding for
/// Systematic Testing of Multithreaded Programs", PLDI 2007).
///
/// A reduced search leaves schedules out that must end like another one:
/// - Schedules that differ only in when a step happens that touches nothing shared (a begin that
///   takes no lock). It happens at once.
/// - Schedules that differ only in the order of two neighbouring steps that are independent: see
///   [`Reduction`] (partial-order reduction by sleep sets: Godefroid, "Partial-Order Methods for
///   the Verification of Concurrent Systems", 1996).
/// - Schedules that differ only in the names of the clients, if all clients do the same.
///
/// Inside a bound these are of no use. The schedule that stands for the others may need more
/// preemptions than one that is left out for it, and may lie beyond the bound. Then neither is run
/// (Coons, Musuvathi, McKinley, "Bounded Partial-Order Reduction", OOPSLA 2013).
///
/// A bounded search of two clients can be reduced in another way: a preemption is put off. Say a
/// client is preempted before a step, and the other one takes some steps before the client takes
/// its own. If the step is independent of each of these, the client can take it before them. The
/// schedule ends alike, and it has as many preemptions or fewer. So it is enough to preempt the
/// client later. Of a row of such places the last is tried first; the run there shows the steps
/// that the other client takes meanwhile, and so which of the earlier places are to be tried.
#[derive(Debug, Clone)]
pub struct Exhaustive {
    extent: Extent,
    begins: Branch,
    /// The clients whose next step need not be tried here: another run takes it earlier. A client
    /// wakes up when another one takes a step that its own step is not independent of.
    asleep: Vec<Client>,
    /// The clients that have taken a step with an effect on others.
    noticed: Vec<Client>,
    made: Vec<Arc<Decision>>,
    preemptions: usize,
    /// What was let go: one for each of `made`.
    taken: Vec<Taken>,
    branches: Vec<Branch>,
    /// Whether the bound has left out a branch.
    leaves_out: bool,
    /// The share of the search that is left to this run and to what branches off from here on.
    share: f64,
}

/// Which of all schedules are run.
#[derive(Debug, Clone, Copy)]
enum Extent {
    /// Those with at most this number of preemptions. None if there is no bound.
    Within(Option<usize>),
    /// The same, with preemptions put off.
    Bounded {
        preemptions: usize,
        reduction: Reduction,
    },
    /// One of those that must end alike.
    Reduced {
        reduction: Reduction,
        /// Whether the clients all do the same.
        alike: bool,
    },
}

/// The beginning of a further run.
#[derive(Debug, Clone)]
struct Branch {
    /// Shared with the run from which it branches off: a search keeps many branches.
    decisions: Vec<Arc<Decision>>,
    /// The clients that are asleep after it.
    asleep: Vec<Client>,
    preemptions: usize,
    /// Whether its last decision is a preemption.
    preempts: bool,
    /// The number of places before that of its last decision at which the client can be preempted
    /// instead. 0 if preemptions are not put off.
    earlier: usize,
    share: f64,
}

/// A step that was let go.
#[derive(Debug, Clone)]
struct Taken {
    step: Step,
    /// Whether a client waited at that moment.
    beside_a_wait: bool,
}

/// The client that was let go, and the parked clients to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decision {
    parked: Vec<(Client, Cow<'static, str>)>,
    chosen: Client,
}

impl Decision {
    fn between(standing: &Standing<'_>, chosen: Client) -> Self {
        let parked = standing.parked.iter();
        Self {
            parked: parked
                .map(|it| (it.client, it.step.label.clone()))
                .collect(),
            chosen,
        }
    }
}

impl Exhaustive {
    /// The first of all runs with at most this number of preemptions. None stands for all runs.
    pub fn within(preemptions: Option<usize>) -> Self {
        Self::first(Extent::Within(preemptions))
    }

    /// The first run of a search with a bound in which preemptions are put off.
    pub fn bounded(preemptions: usize, reduction: Reduction) -> Self {
        Self::first(Extent::Bounded {
            preemptions,
            reduction,
        })
    }

    /// The first run of a reduced search. `alike` says that all clients do the same.
    pub fn reduced(reduction: Reduction, alike: bool) -> Self {
        Self::first(Extent::Reduced { reduction, alike })
    }

    fn first(extent: Extent) -> Self {
        let all = Branch {
            decisions: Vec::new(),
            asleep: Vec::new(),
            preemptions: 0,
            preempts: false,
            earlier: 0,
            share: 1.0,
        };
        Self::after(all, extent)
    }

    fn after(begins: Branch, extent: Extent) -> Self {
        Self {
            extent,
            asleep: begins.asleep.clone(),
            share: begins.share,
            begins,
            noticed: Vec::new(),
            made: Vec::new(),
            taken: Vec::new(),
            preemptions: 0,
            branches: Vec::new(),
            leaves_out: false,
        }
    }

    /// The clients to choose from have to be the same as in the earlier run.
    fn must_repeat(&self, decision: &Decision, standing: &Standing<'_>) -> Result<(), Divergence> {
        if Decision::between(standing, decision.chosen) == *decision {
            return Ok(());
        }
        let earlier = decision.parked.iter();
        let earlier = named(earlier.map(|(client, label)| (*client, &**label)));
        Err(Divergence {
            after: self.made.len(),
            expected: format!(
                "in an earlier run it was between {earlier}, and now it is between {}",
                described(standing)
            ),
        })
    }

    /// Chooses where no earlier run has chosen, and notes a branch for each other client.
    fn branch_out(&mut self, standing: &Standing<'_>) -> Option<Client> {
        match self.extent {
            Extent::Within(bound) => self.branch_out_within(bound, standing),
            Extent::Bounded { preemptions, .. } => {
                self.branch_out_within(Some(preemptions), standing)
            }
            Extent::Reduced { reduction, alike } => {
                let is_local = |it: &&ParkedClient<'_>| it.step.effect == Effect::Local;
                match standing.parked.iter().find(is_local) {
                    Some(unnoticed) => Some(unnoticed.client),
                    None => self.branch_out_reduced(reduction, alike, standing),
                }
            }
        }
    }

    fn branch_out_within(
        &mut self,
        bound: Option<usize>,
        standing: &Standing<'_>,
    ) -> Option<Client> {
        let parked = self.last_mover_first(&standing.parked);
        let (first, others) = parked.split_first()?;
        for other in others {
            let branch = self.branch(other.client, standing);
            if bound.is_some_and(|bound| branch.preemptions > bound) {
                self.leaves_out = true;
            } else {
                self.branches.push(branch);
            }
        }
        Some(first.client)
    }

    /// Chooses among the clients that are awake. A client that is chosen here sleeps in the
    /// branches of those after it, as long as they take steps that its own is independent of.
    fn branch_out_reduced(
        &mut self,
        reduction: Reduction,
        alike: bool,
        standing: &Standing<'_>,
    ) -> Option<Client> {
        if reduction.is_bound_by_a_wait(standing) {
            self.asleep.clear();
        }
        let is_awake = |it: &ParkedClient<'_>| self.is_awake(it.client, alike);
        let awake = standing.parked.iter().copied().filter(is_awake);
        let awake = self.last_mover_first(&awake.collect::<Vec<_>>());
        let (first, others) = awake.split_first()?;
        let stays_asleep = |client: &Client, beside: &ParkedClient<'_>| {
            let theirs = standing.parked(*client);
            theirs.is_some_and(|it| reduction.may_swap(it, beside, standing))
        };
        // Few clients: the number is exact.
        self.share /= awake.len() as f64;
        for (number, other) in others.iter().enumerate() {
            let before = awake[..=number].iter().map(|it| it.client);
            let mut asleep: Vec<_> = self.asleep.iter().copied().chain(before).collect();
            asleep.retain(|client| stays_asleep(client, other));
            self.branches.push(Branch {
                asleep,
                ..self.branch(other.client, standing)
            });
        }
        self.asleep.retain(|client| stays_asleep(client, first));
        Some(first.client)
    }

    /// A run that begins like this one and goes on with that client.
    fn branch(&self, client: Client, standing: &Standing<'_>) -> Branch {
        let mut decisions = self.made.clone();
        decisions.push(Arc::new(Decision::between(standing, client)));
        let preempts = self.preempts(client, standing);
        Branch {
            decisions,
            asleep: Vec::new(),
            preemptions: self.preemptions + usize::from(preempts),
            preempts,
            earlier: 0,
            share: self.share,
        }
    }

    fn last_mover(&self) -> Option<Client> {
        self.made.last().map(|it| it.chosen)
    }

    fn last_mover_first<'s>(&self, parked: &[ParkedClient<'s>]) -> Vec<ParkedClient<'s>> {
        let last = self.last_mover();
        let mut parked = parked.to_vec();
        parked.sort_by_key(|it| (Some(it.client) != last, it.client));
        parked
    }

    fn preempts(&self, client: Client, standing: &Standing<'_>) -> bool {
        is_preemption(client, self.last_mover(), |it| {
            standing.parked(it).is_some()
        })
    }

    fn is_awake(&self, client: Client, alike: bool) -> bool {
        // Clients that are alike and have had no effect yet move in the order of their names.
        let is_next =
            || !alike || Client::first(client.index()).all(|it| self.noticed.contains(&it));
        !self.asleep.contains(&client) && (self.noticed.contains(&client) || is_next())
    }

    /// The runs that follow from this one.
    fn next(&self) -> Vec<Branch> {
        match self.extent {
            Extent::Within(_) | Extent::Reduced { .. } => self.branches.clone(),
            Extent::Bounded { reduction, .. } => {
                let mut next = last_of_each_row(&self.branches);
                next.extend(self.preempted_earlier(reduction));
                next
            }
        }
    }

    /// The next place before that of this run's last preemption at which it makes a difference to
    /// preempt the client. None if there is none.
    fn preempted_earlier(&self, reduction: Reduction) -> Option<Branch> {
        if self.begins.earlier == 0 {
            return None;
        }
        let place = self.begins.decisions.len() - 1;
        let (preempted, other) = (self.made[place - 1].chosen, self.made[place].chosen);
        let meanwhile = self.made[place..].iter();
        let length = meanwhile.take_while(|it| it.chosen != preempted).count();
        let end = place + length;
        // How the step after them was let go tells whether a client waited by then.
        let waits = |it: &Taken| it.beside_a_wait;
        let somebody_waits = self
            .taken
            .get(place..=end)
            .is_none_or(|it| it.iter().any(waits));
        let makes_a_difference = |at: &usize| {
            let earlier = &self.taken[*at];
            let meets = |it: &Taken| !reduction.between(&earlier.step, &it.step).is_independent();
            somebody_waits || waits(earlier) || self.taken[place..end].iter().any(meets)
        };
        let first = place - self.begins.earlier;
        let at = (first..place).rev().find(makes_a_difference)?;
        let mut decisions = self.made[..at].to_vec();
        decisions.push(Arc::new(Decision {
            parked: self.made[at].parked.clone(),
            chosen: other,
        }));
        Some(Branch {
            decisions,
            earlier: at - first,
            ..self.begins.clone()
        })
    }

    /// The share of this run, and then those of the runs that follow from it.
    fn shares(&self, next: &[Branch]) -> Vec<f64> {
        let by_number = |bound| {
            let rests = next.iter().map(|it| {
                let places = (it.earlier as f64 + 1.0).ln();
                places + self.rest_after(it, bound).schedules_ln()
            });
            divided(
                self.share,
                &[0.0].into_iter().chain(rests).collect::<Vec<_>>(),
            )
        };
        match self.extent {
            Extent::Within(bound) => by_number(bound),
            Extent::Bounded { preemptions, .. } => by_number(Some(preemptions)),
            // Each choice has divided the share evenly: it is not known how much is left out.
            Extent::Reduced { .. } => {
                let branches = next.iter().map(|it| it.share);
                [self.share].into_iter().chain(branches).collect()
            }
        }
    }

    /// What a branch has left to choose, if its clients take as many steps as in this run.
    fn rest_after(&self, branch: &Branch, bound: Option<usize>) -> Rest {
        let mut steps = BTreeMap::new();
        for decision in &self.made {
            *steps.entry(decision.chosen).or_default() += 1;
        }
        for decision in &branch.decisions {
            let left: &mut usize = steps.entry(decision.chosen).or_default();
            *left = left.saturating_sub(1);
        }
        Rest {
            steps,
            preemptions: bound.map(|it| it - branch.preemptions),
        }
    }
}

/// Of the branches in which a client is preempted at one of several places in a row, and the same
/// other one goes on, only the last. Each is one step after the one before.
fn last_of_each_row(branches: &[Branch]) -> Vec<Branch> {
    let mut rows: Vec<Branch> = Vec::new();
    for branch in branches {
        match rows.last_mut() {
            Some(last) if branch.follows(last) => {
                let earlier = last.earlier + 1;
                *last = Branch {
                    earlier,
                    ..branch.clone()
                };
            }
            _ => rows.push(branch.clone()),
        }
    }
    rows
}

impl Branch {
    /// Whether the client that is preempted at the end of the other one has gone on for one step,
    /// and is preempted here for the same client.
    fn follows(&self, other: &Self) -> bool {
        let movers = |it: &Self| match &it.decisions[..] {
            [.., mover, last] => Some((mover.chosen, last.chosen)),
            _ => None,
        };
        self.decisions.len() == other.decisions.len() + 1
            && self.preemptions == other.preemptions
            && (self.preempts && other.preempts)
            && movers(self) == movers(other)
    }
}

impl Policy for Exhaustive {
    fn choose(&mut self, standing: &Standing<'_>) -> Result<Option<Client>, Divergence> {
        let decision = match self.begins.decisions.get(self.made.len()) {
            Some(decision) => {
                self.must_repeat(decision, standing)?;
                Arc::clone(decision)
            }
            None => match self.branch_out(standing) {
                Some(chosen) => Arc::new(Decision::between(standing, chosen)),
                None => return Ok(None),
            },
        };
        let chosen = decision.chosen;
        let step = standing.parked(chosen).map(|it| it.step);
        self.taken.extend(step.map(|step| Taken {
            step: step.clone(),
            beside_a_wait: standing.has_waiting_client,
        }));
        let is_noticed = step.is_some_and(|it| it.effect != Effect::Local);
        if is_noticed && !self.noticed.contains(&chosen) {
            self.noticed.push(chosen);
        }
        self.preemptions += usize::from(self.preempts(chosen, standing));
        self.made.push(decision);
        Ok(Some(chosen))
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        let (extent, next) = (self.extent, self.next());
        let shares = self.shares(&next);
        let branches = next.into_iter().zip(shares.into_iter().skip(1));
        let run = |(branch, share)| {
            let branch = Branch { share, ..branch };
            Box::new(Self::after(branch, extent)) as Box<dyn Policy>
        };
        branches.map(run).collect()
    }

    fn preemptions(&self) -> usize {
        self.begins.preemptions
    }

    fn leaves_out(&self) -> bool {
        self.leaves_out
    }

    fn share(&self) -> f64 {
        let shares = self.shares(&self.next());
        shares.first().copied().unwrap_or_default()
    }

    fn again(&self) -> Box<dyn Policy> {
        Box::new(Self::after(self.begins.clone(), self.extent))
    }

    fn forgives(&self) -> bool {
        true
    }

    fn known(&self) -> usize {
        self.begins.decisions.len()
    }
}
