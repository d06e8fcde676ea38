//! The policies: which client moves next, and which further runs follow from a run.

mod exhaustive;
mod random;
mod reduction;
mod replay;
mod shares;
#[cfg(test)]
mod tests;

use std::fmt;

pub use exhaustive::Exhaustive;
pub use random::Random;
pub(in crate::explore) use reduction::Relation;
pub use reduction::{Ablation, Reduction};
pub use replay::Replay;

use super::Client;
use crate::step::Step;

/// Decides for one run which client moves next.
pub trait Policy: fmt::Debug + Send {
    /// Chooses the client that takes the step before which it is parked. None if the rest of this
    /// run would show nothing that another run does not show.
    ///
    /// # Errors
    /// [`Divergence`] if the run does not go as this policy knows that it should.
    fn choose(&mut self, standing: &Standing<'_>) -> Result<Option<Client>, Divergence>;

    /// All clients are done.
    ///
    /// # Errors
    /// [`Divergence`] if the run should have gone on.
    fn end(&self) -> Result<(), Divergence> {
        Ok(())
    }

    /// The runs that follow from this one, now that it is over.
    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>>;

    /// The number of preemptions by which a search orders its runs: it begins a run when all with
    /// fewer have ended. The branches of a run have as many or more. 0 if the order does not
    /// matter.
    fn preemptions(&self) -> usize {
        0
    }

    /// Whether a bound has left out a run that would have followed from this one.
    fn leaves_out(&self) -> bool {
        false
    }

    /// Whether the run was only to learn from, and does not count.
    fn is_trial(&self) -> bool {
        false
    }

    /// The number of leading steps that only repeat an earlier run. New branches start after them.
    /// `usize::MAX` if this policy never branches.
    fn known(&self) -> usize {
        usize::MAX
    }

    /// The share of the whole search that this run stands for, once it is over: the shares of all
    /// runs add up to 1. So the sum is an estimate of how far the search is.
    fn share(&self) -> f64;

    /// The same run from its beginning.
    fn again(&self) -> Box<dyn Policy>;

    /// Whether a run that has diverged is tried again, because it may not diverge again. False if
    /// the divergence itself is the answer.
    fn forgives(&self) -> bool {
        false
    }
}

/// How the clients stand when one of them is to be let go.
#[derive(Debug, Clone)]
pub struct Standing<'s> {
    /// The clients to choose from, by name. There is at least one.
    pub parked: Vec<ParkedClient<'s>>,
    /// Whether a client waits for a lock.
    pub has_waiting_client: bool,
}

/// A client that is parked before a step.
#[derive(Debug, Clone, Copy)]
pub struct ParkedClient<'s> {
    /// The client.
    pub client: Client,
    /// The step that it takes next.
    pub step: &'s Step,
}

impl<'s> Standing<'s> {
    /// The client, if it is parked.
    pub(super) fn parked(&self, client: Client) -> Option<&ParkedClient<'s>> {
        self.parked.iter().find(|it| it.client == client)
    }
}

/// Whether it is a preemption to let this client go: the client that moved last could go on, and is
/// another one.
pub(super) fn is_preemption(
    client: Client,
    last: Option<Client>,
    can_go_on: impl Fn(Client) -> bool,
) -> bool {
    last.is_some_and(|last| last != client && can_go_on(last))
}

/// A run did not go as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The number of steps before it.
    pub after: usize,
    /// What was expected instead.
    pub expected: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at step {}: {}", self.after + 1, self.expected)
    }
}

impl std::error::Error for Divergence {}

/// The parked clients and their steps, for people.
fn described(standing: &Standing<'_>) -> String {
    let parked = standing.parked.iter();
    named(parked.map(|it| (it.client, &*it.step.label)))
}

fn named<'s>(parked: impl Iterator<Item = (Client, &'s str)>) -> String {
    let named: Vec<_> = parked
        .map(|(client, label)| format!("{client} ({label})"))
        .collect();
    named.join(" or ")
}
