//! Every schedule, those with the fewest preemptions first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::shares::{Rest, divided};
use super::{
    Divergence, ParkedClient, Policy, Reduction, Standing, described, is_preemption, named,
};
use crate::explore::Client;
use crate::step::Effect;

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
/// Inside a bound nothing is reduced. The schedule that stands for the others may need more
/// preemptions than one that is left out for it, and may lie beyond the bound. Then neither is run
/// (Coons, Musuvathi, McKinley, "Bounded Partial-Order Reduction", OOPSLA 2013).
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
    share: f64,
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

    /// The first run of a reduced search. `alike` says that all clients do the same.
    pub fn reduced(reduction: Reduction, alike: bool) -> Self {
        Self::first(Extent::Reduced { reduction, alike })
    }

    fn first(extent: Extent) -> Self {
        let all = Branch {
            decisions: Vec::new(),
            asleep: Vec::new(),
            preemptions: 0,
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
        Branch {
            decisions,
            asleep: Vec::new(),
            preemptions: self.preemptions + usize::from(self.preempts(client, standing)),
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

    /// The share of this run, and then those of its branches.
    fn shares(&self) -> Vec<f64> {
        match self.extent {
            Extent::Within(bound) => {
                let branches = self.branches.iter();
                let rests = branches.map(|it| self.rest_after(it, bound).schedules_ln());
                divided(
                    self.share,
                    &[0.0].into_iter().chain(rests).collect::<Vec<_>>(),
                )
            }
            // Each choice has divided the share evenly: it is not known how much is left out.
            Extent::Reduced { .. } => {
                let branches = self.branches.iter().map(|it| it.share);
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
        let is_noticed = step.is_some_and(|it| it.effect != Effect::Local);
        if is_noticed && !self.noticed.contains(&chosen) {
            self.noticed.push(chosen);
        }
        self.preemptions += usize::from(self.preempts(chosen, standing));
        self.made.push(decision);
        Ok(Some(chosen))
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        let (extent, shares) = (self.extent, self.shares());
        let branches = self.branches.into_iter().zip(shares.into_iter().skip(1));
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
        self.shares().first().copied().unwrap_or_default()
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
