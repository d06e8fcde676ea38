//! The policies: which client moves next, and which further runs follow from a run.

use std::borrow::Cow;
use std::fmt;

use fastrand::Rng;

use super::{Client, Schedule};
use crate::step::{Effect, Step};

/// Decides for one run which client moves next.
pub trait Policy: fmt::Debug + Send {
    /// Chooses the client that takes the step before which it is parked. None if the rest of this
    /// run would show nothing that another run does not show.
    ///
    /// # Errors
    /// [`Divergence`] if the run does not go as this policy knows that it should.
    fn choose(&mut self, parked: &[ParkedClient<'_>]) -> Result<Option<Client>, Divergence>;

    /// All clients are done.
    ///
    /// # Errors
    /// [`Divergence`] if the run should have gone on.
    fn end(&self) -> Result<(), Divergence> {
        Ok(())
    }

    /// The runs that follow from this one, now that it is over.
    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>>;

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
    /// runs add up to 1. A choice between several clients divides the share among them evenly, so
    /// the sum is an estimate of how far the search is.
    fn share(&self) -> f64;

    /// The same run from its beginning.
    fn again(&self) -> Box<dyn Policy>;

    /// Whether a run that has diverged is tried again, because it may not diverge again. False if
    /// the divergence itself is the answer.
    fn forgives(&self) -> bool {
        false
    }
}

/// A client that is parked before a step.
#[derive(Debug, Clone, Copy)]
pub struct ParkedClient<'s> {
    /// The client.
    pub client: Client,
    /// The step that it takes next.
    pub step: &'s Step,
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
fn described(parked: &[ParkedClient<'_>]) -> String {
    named(parked.iter().map(|it| (it.client, &*it.step.label)))
}

fn named<'s>(parked: impl Iterator<Item = (Client, &'s str)>) -> String {
    let named: Vec<_> = parked
        .map(|(client, label)| format!("{client} ({label})"))
        .collect();
    named.join(" or ")
}

/// Every schedule, each once. The first run always takes the first client that can move. For every
/// other client that could have moved, a further run follows.
///
/// With `reduced`, schedules are left out that are bound to end like another one:
/// - Schedules that differ only in when a step happens that touches nothing shared (a begin that
///   takes no lock). It happens at once.
/// - Schedules that differ only in the order of two neighbouring plain reads (partial-order
///   reduction by sleep sets: Godefroid, "Partial-Order Methods for the Verification of Concurrent
///   Systems", 1996).
/// - Schedules that differ only in the names of the clients, if all clients do the same.
#[derive(Debug, Clone)]
pub struct Exhaustive {
    reduced: bool,
    /// Whether the clients all do the same.
    alike: bool,
    begins: Branch,
    /// The clients whose next step need not be tried here: another run takes it earlier. A client
    /// wakes up when another one takes a step that its own step conflicts with.
    asleep: Vec<Client>,
    /// The clients that have taken a step with an effect on others.
    noticed: Vec<Client>,
    made: Vec<Decision>,
    branches: Vec<Branch>,
    /// The share of the search that is left to this run and to what branches off from here on.
    share: f64,
}

/// The beginning of a further run, and the clients that are asleep after it.
#[derive(Debug, Clone)]
struct Branch {
    decisions: Vec<Decision>,
    asleep: Vec<Client>,
    share: f64,
}

/// The client that was let go, and the parked clients to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decision {
    parked: Vec<(Client, Cow<'static, str>)>,
    chosen: Client,
}

impl Decision {
    fn between(parked: &[ParkedClient<'_>], chosen: Client) -> Self {
        Self {
            parked: parked
                .iter()
                .map(|it| (it.client, it.step.label.clone()))
                .collect(),
            chosen,
        }
    }
}

impl Exhaustive {
    /// The first of all runs. `alike` says that all clients do the same.
    pub fn new(reduced: bool, alike: bool) -> Self {
        let all = Branch {
            decisions: Vec::new(),
            asleep: Vec::new(),
            share: 1.0,
        };
        Self::after(all, reduced, alike)
    }

    fn after(begins: Branch, reduced: bool, alike: bool) -> Self {
        Self {
            reduced,
            alike,
            asleep: begins.asleep.clone(),
            share: begins.share,
            begins,
            noticed: Vec::new(),
            made: Vec::new(),
            branches: Vec::new(),
        }
    }

    /// Repeats the decision of the earlier run. The clients to choose from have to be the same.
    fn repeat(
        &self,
        decision: &Decision,
        parked: &[ParkedClient<'_>],
    ) -> Result<Client, Divergence> {
        if Decision::between(parked, decision.chosen) == *decision {
            Ok(decision.chosen)
        } else {
            Err(Divergence {
                after: self.made.len(),
                expected: format!(
                    "in an earlier run it was between {}, and now it is between {}",
                    named(
                        decision
                            .parked
                            .iter()
                            .map(|(client, label)| (*client, &**label))
                    ),
                    described(parked)
                ),
            })
        }
    }

    /// Takes the first client that is awake, and notes a branch for each of the others.
    fn branch_out(&mut self, parked: &[ParkedClient<'_>]) -> Option<Client> {
        if self.reduced
            && let Some(unnoticed) = parked.iter().find(|it| it.step.effect == Effect::Local)
        {
            return Some(unnoticed.client);
        }
        let awake: Vec<_> = parked
            .iter()
            .filter(|it| self.is_awake(it.client))
            .collect();
        let (first, others) = awake.split_first()?;
        // Few clients: the number is exact.
        self.share /= awake.len() as f64;
        for (number, other) in others.iter().enumerate() {
            let mut decisions = self.made.clone();
            decisions.push(Decision::between(parked, other.client));
            let mut asleep = Vec::new();
            if self.reduced {
                let before = awake[..=number].iter().map(|it| it.client);
                asleep.extend(self.asleep.iter().copied().chain(before));
                asleep.retain(|client| commutes(*client, other, parked));
            }
            self.branches.push(Branch {
                decisions,
                asleep,
                share: self.share,
            });
        }
        self.asleep
            .retain(|client| commutes(*client, first, parked));
        Some(first.client)
    }

    fn is_awake(&self, client: Client) -> bool {
        // Clients that are alike and have had no effect yet move in the order of their names.
        let is_next =
            || !self.alike || Client::first(client.index()).all(|it| self.noticed.contains(&it));
        !self.reduced
            || !self.asleep.contains(&client) && (self.noticed.contains(&client) || is_next())
    }
}

fn commutes(client: Client, with: &ParkedClient<'_>, parked: &[ParkedClient<'_>]) -> bool {
    let step = parked.iter().find(|it| it.client == client);
    step.is_some_and(|it| Effect::commutes_with(it.step.effect, with.step.effect))
}

impl Policy for Exhaustive {
    fn choose(&mut self, parked: &[ParkedClient<'_>]) -> Result<Option<Client>, Divergence> {
        let chosen = match self.begins.decisions.get(self.made.len()) {
            Some(decision) => Some(self.repeat(decision, parked)?),
            None => self.branch_out(parked),
        };
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        let is_noticed =
            |it: &ParkedClient<'_>| it.client == chosen && it.step.effect != Effect::Local;
        if parked.iter().any(is_noticed) && !self.noticed.contains(&chosen) {
            self.noticed.push(chosen);
        }
        self.made.push(Decision::between(parked, chosen));
        Ok(Some(chosen))
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        let (reduced, alike) = (self.reduced, self.alike);
        let run = |branch| Box::new(Self::after(branch, reduced, alike)) as Box<dyn Policy>;
        self.branches.into_iter().map(run).collect()
    }

    fn share(&self) -> f64 {
        self.share
    }

    fn again(&self) -> Box<dyn Policy> {
        Box::new(Self::after(self.begins.clone(), self.reduced, self.alike))
    }

    fn forgives(&self) -> bool {
        true
    }

    fn known(&self) -> usize {
        self.begins.decisions.len()
    }
}

/// Random schedules, drawn the way PCT does (Burckhardt et al., "A Randomized Scheduler with
/// Probabilistic Guarantees of Finding Bugs", 2010). Every client gets a random priority, and of
/// those that can move the highest moves. At a few random steps, the client whose turn it is falls
/// to the lowest priority. This finds a race that takes few switches far more often than dice at
/// every step.
#[derive(Debug, Clone)]
pub struct Random {
    draw: Draw,
    /// The number of this run, from 1. 0 is the trial before them.
    number: u64,
    /// The number of runs to draw.
    runs: u64,
    /// The clients by priority, the highest last.
    priorities: Vec<Client>,
    /// The steps before which the priorities change.
    changes: Vec<usize>,
    made: usize,
}

/// What all runs of a sample have in common.
#[derive(Debug, Clone, Copy)]
struct Draw {
    seed: u64,
    clients: usize,
    /// The number of steps of a run. None until the trial has shown it.
    length: Option<usize>,
}

impl Random {
    /// The most switches of a run that priorities alone do not bring about.
    const MOST_CHANGES: usize = 3;

    /// The trial before this number of runs. It changes no priorities, so that it takes the clients
    /// one after the other. The runs learn from it how long a run is, and it does not count.
    pub fn new(seed: u64, runs: u32, clients: usize) -> Self {
        let draw = Draw {
            seed,
            clients,
            length: None,
        };
        draw.policy(0, runs.into())
    }
}

impl Draw {
    fn policy(self, number: u64, runs: u64) -> Random {
        // Numbers beside each other as seeds would draw much the same.
        let mut rng = Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut priorities: Vec<_> = Client::first(self.clients).collect();
        rng.shuffle(&mut priorities);
        let changes = match self.length {
            None | Some(0) => Vec::new(),
            Some(length) => (0..rng.usize(1..=Random::MOST_CHANGES))
                .map(|_| rng.usize(0..length))
                .collect(),
        };
        Random {
            draw: self,
            number,
            runs,
            priorities,
            changes,
            made: 0,
        }
    }
}

impl Policy for Random {
    fn choose(&mut self, parked: &[ParkedClient<'_>]) -> Result<Option<Client>, Divergence> {
        let can_move = |client: &Client| parked.iter().any(|it| it.client == *client);
        for _ in self.changes.iter().filter(|step| **step == self.made) {
            if let Some(at) = self.priorities.iter().rposition(can_move) {
                let falls = self.priorities.remove(at);
                self.priorities.insert(0, falls);
            }
        }
        self.made += 1;
        Ok(self.priorities.iter().copied().rfind(can_move))
    }

    fn is_trial(&self) -> bool {
        self.number == 0
    }

    fn share(&self) -> f64 {
        match self.number {
            0 => 0.0,
            _ => 1.0 / self.runs as f64,
        }
    }

    fn again(&self) -> Box<dyn Policy> {
        Box::new(self.draw.policy(self.number, self.runs))
    }

    /// Two runs follow from each run, so that no run is drawn long before its turn.
    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        let draw = Draw {
            length: self.draw.length.or(Some(self.made)),
            ..self.draw
        };
        let following = match self.number {
            0 => vec![1],
            number => vec![2 * number, 2 * number + 1],
        };
        let following = following.into_iter().filter(|number| *number <= self.runs);
        following
            .map(|number| Box::new(draw.policy(number, self.runs)) as Box<dyn Policy>)
            .collect()
    }
}

/// One schedule, exactly as it is given.
#[derive(Debug, Clone)]
pub struct Replay {
    schedule: Schedule,
    made: usize,
}

impl Replay {
    /// That schedule.
    pub fn new(schedule: Schedule) -> Self {
        Self { schedule, made: 0 }
    }
}

impl Policy for Replay {
    fn choose(&mut self, parked: &[ParkedClient<'_>]) -> Result<Option<Client>, Divergence> {
        let diverged = |expected| Divergence {
            after: self.made,
            expected,
        };
        let Some(client) = self.schedule.0.get(self.made) else {
            return Err(diverged(format!(
                "the schedule ends, but not all clients are done: next could be {}",
                described(parked)
            )));
        };
        if !parked.iter().any(|it| it.client == *client) {
            return Err(diverged(format!(
                "it is {client}'s turn, but {client} waits or is done: next could be {}",
                described(parked)
            )));
        }
        self.made += 1;
        Ok(Some(*client))
    }

    fn end(&self) -> Result<(), Divergence> {
        match self.schedule.0.get(self.made) {
            None => Ok(()),
            Some(client) => Err(Divergence {
                after: self.made,
                expected: format!("it is {client}'s turn, but all clients are done"),
            }),
        }
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        Vec::new()
    }

    fn share(&self) -> f64 {
        1.0
    }

    fn again(&self) -> Box<dyn Policy> {
        Box::new(Self::new(self.schedule.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Action;

    fn step(effect: Effect) -> Step {
        Step {
            action: Action::Read,
            label: "a step".into(),
            sql: None,
            args: Vec::new(),
            effect,
            at: None,
        }
    }

    /// Runs clients with these numbers of steps, which all have this effect and never wait, until
    /// the policy asks for no further run.
    fn schedules(first: impl Policy + 'static, steps: &[usize], effect: Effect) -> Vec<Schedule> {
        let step = step(effect);
        let mut to_run: Vec<Box<dyn Policy>> = vec![Box::new(first)];
        let mut schedules = Vec::new();
        let mut covered = 0.0;
        while let Some(mut policy) = to_run.pop() {
            let mut left = steps.to_vec();
            let mut schedule = Schedule::default();
            let complete = loop {
                let clients = Client::first(steps.len());
                let parked: Vec<_> = clients
                    .filter(|client| left[client.index()] > 0)
                    .map(|client| ParkedClient {
                        client,
                        step: &step,
                    })
                    .collect();
                if parked.is_empty() {
                    policy.end().unwrap();
                    break true;
                }
                let Some(client) = policy.choose(&parked).unwrap() else {
                    break false;
                };
                left[client.index()] -= 1;
                schedule.0.push(client);
            };
            schedules.extend(complete.then_some(schedule));
            covered += policy.share();
            to_run.extend(policy.branches());
        }
        assert!((covered - 1.0_f64).abs() < 1e-9, "{covered}");
        schedules
    }

    fn distinct(mut schedules: Vec<Schedule>) -> usize {
        schedules.sort();
        schedules.dedup();
        schedules.len()
    }

    /// Two clients of two steps: AABB, ABAB, ABBA, BAAB, BABA, BBAA.
    #[test]
    fn every_schedule_is_run_once() {
        for (steps, expected) in [
            (&[2, 2][..], 6),
            (&[3, 3], 20),
            (&[5, 5], 252),
            (&[1, 4], 5),
            (&[2, 2, 2], 90),
            (&[7], 1),
        ] {
            let all = schedules(Exhaustive::new(false, true), steps, Effect::Conflicts);
            assert_eq!(all.len(), expected, "{steps:?}");
            assert_eq!(distinct(all), expected, "{steps:?}");
        }
    }

    #[test]
    fn a_reduced_search_leaves_out_names_and_the_order_of_what_cannot_meet() {
        let run = |effect| schedules(Exhaustive::new(true, true), &[2, 2, 2], effect).len();
        // All steps meet: only the names are left out, 90 / 3!.
        assert_eq!(run(Effect::Conflicts), 15);
        // None do: one order stands for all.
        assert_eq!(run(Effect::Reads), 1);
        assert_eq!(run(Effect::Local), 1);
    }

    #[test]
    fn the_same_seed_draws_the_same_schedules() {
        let drawn = |seed| schedules(Random::new(seed, 50, 3), &[3, 3, 3], Effect::Conflicts);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        // And the one before them.
        assert_eq!(drawn(1).len(), 51);
        assert!(distinct(drawn(1)) > 20);
    }

    #[test]
    fn a_replay_is_the_schedule_itself() {
        let schedule = Schedule::parse("ABBA", 2).unwrap();
        let replayed = schedules(Replay::new(schedule.clone()), &[2, 2], Effect::Conflicts);
        assert_eq!(replayed, [schedule]);
    }

    #[test]
    fn clients_that_are_not_alike_keep_their_names() {
        let count = |alike| {
            let first = Exhaustive::new(true, alike);
            schedules(first, &[2, 2], Effect::Conflicts).len()
        };
        assert_eq!(count(true), 3);
        assert_eq!(count(false), 6);
    }
}
