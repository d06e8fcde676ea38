//! The policies: who moves next, and which further runs follow from a run.

use std::borrow::Cow;
use std::fmt;

use fastrand::Rng;

use super::{Client, Schedule};
use crate::step::{Effect, Step};

/// Decides for one run who moves next.
pub trait Policy: fmt::Debug + Send {
    /// Which of these clients takes the step that it stands before; none where the rest of this run
    /// would show nothing that another does not.
    ///
    /// # Errors
    /// [`Divergence`] where the run does not go as this policy knows that it should.
    fn choose(&mut self, standing: &[ParkedClient<'_>]) -> Result<Option<Client>, Divergence>;

    /// Everybody is done.
    ///
    /// # Errors
    /// [`Divergence`] where the run should have gone on.
    fn end(&self) -> Result<(), Divergence> {
        Ok(())
    }

    /// The runs that follow from this one, now that it is over.
    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>>;

    /// Whether the run was only to learn from, and is not to be counted.
    fn is_trial(&self) -> bool {
        false
    }

    /// For so many steps an earlier run has shown how it goes on. Of those that come after them further
    /// runs may follow; where none do, it is all.
    fn known(&self) -> usize {
        usize::MAX
    }

    /// The same run from its beginning.
    fn again(&self) -> Box<dyn Policy>;

    /// Whether a run that has diverged is worth another try, because it may not do so again; false where
    /// somebody wants to know that it has.
    fn forgives(&self) -> bool {
        false
    }
}

/// A client that stands before a step.
#[derive(Debug, Clone, Copy)]
pub struct ParkedClient<'s> {
    /// Who.
    pub client: Client,
    /// Before which step.
    pub step: &'s Step,
}

/// A run did not go as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// After so many steps.
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

/// Who stands before what, for people.
fn described(standing: &[ParkedClient<'_>]) -> String {
    named(standing.iter().map(|it| (it.client, &*it.step.label)))
}

fn named<'s>(standing: impl Iterator<Item = (Client, &'s str)>) -> String {
    let named: Vec<_> = standing
        .map(|(client, label)| format!("{client} ({label})"))
        .collect();
    named.join(" or ")
}

/// Every schedule, each once: the first run always takes the first client that can move, and for
/// every other that could have moved a further run follows.
///
/// With `reduced`, schedules are left out that are bound to end like another one:
/// - those that differ only in when a step happens that touches nothing shared (a begin that takes no
///   lock): it happens at once;
/// - those that differ only in the order of two neighbouring plain reads (partial-order reduction by
///   sleep sets: Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996);
/// - those that differ only in the names of the clients, where all do the same.
#[derive(Debug, Clone)]
pub struct Exhaustive {
    reduced: bool,
    /// Whether the clients all do the same.
    alike: bool,
    begins: Branch,
    /// Once the run is past its beginning: the clients whose next step is covered by a run that takes
    /// it earlier, as long as nobody does anything that it could meet.
    asleep: Vec<Client>,
    /// The clients that have done something that others could notice.
    noticed: Vec<Client>,
    made: Vec<Decision>,
    branches: Vec<Branch>,
}

/// How a further run begins, and who is asleep then.
#[derive(Debug, Clone, Default)]
struct Branch {
    decisions: Vec<Decision>,
    asleep: Vec<Client>,
}

/// Who was let go, and between whom it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decision {
    standing: Vec<(Client, Cow<'static, str>)>,
    chosen: Client,
}

impl Decision {
    fn between(standing: &[ParkedClient<'_>], chosen: Client) -> Self {
        Self {
            standing: standing
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
        Self::after(Branch::default(), reduced, alike)
    }

    fn after(begins: Branch, reduced: bool, alike: bool) -> Self {
        Self {
            reduced,
            alike,
            asleep: begins.asleep.clone(),
            begins,
            noticed: Vec::new(),
            made: Vec::new(),
            branches: Vec::new(),
        }
    }

    /// The decision of the earlier run, which must have been between the same.
    fn repeat(
        &self,
        decision: &Decision,
        standing: &[ParkedClient<'_>],
    ) -> Result<Client, Divergence> {
        match Decision::between(standing, decision.chosen) == *decision {
            true => Ok(decision.chosen),
            false => Err(Divergence {
                after: self.made.len(),
                expected: format!(
                    "in an earlier run it was between {}, and now it is between {}",
                    named(
                        decision
                            .standing
                            .iter()
                            .map(|(client, label)| (*client, &**label))
                    ),
                    described(standing)
                ),
            }),
        }
    }

    /// Takes the first that is awake, and notes a branch for each of the others.
    fn branch_out(&mut self, standing: &[ParkedClient<'_>]) -> Option<Client> {
        if self.reduced
            && let Some(unnoticed) = standing.iter().find(|it| it.step.effect == Effect::Local)
        {
            return Some(unnoticed.client);
        }
        let awake: Vec<_> = standing
            .iter()
            .filter(|it| self.is_awake(it.client))
            .collect();
        let (first, others) = awake.split_first()?;
        for (number, other) in others.iter().enumerate() {
            let mut decisions = self.made.clone();
            decisions.push(Decision::between(standing, other.client));
            let mut asleep = Vec::new();
            if self.reduced {
                let before = awake[..=number].iter().map(|it| it.client);
                asleep.extend(self.asleep.iter().copied().chain(before));
                asleep.retain(|client| commutes(*client, other, standing));
            }
            self.branches.push(Branch { decisions, asleep });
        }
        self.asleep
            .retain(|client| commutes(*client, first, standing));
        Some(first.client)
    }

    fn is_awake(&self, client: Client) -> bool {
        // Of clients that are alike, those whom nobody has noticed yet come in the order of their names.
        let is_next =
            || !self.alike || Client::first(client.index()).all(|it| self.noticed.contains(&it));
        !self.reduced
            || !self.asleep.contains(&client) && (self.noticed.contains(&client) || is_next())
    }
}

fn commutes(client: Client, with: &ParkedClient<'_>, standing: &[ParkedClient<'_>]) -> bool {
    let step = standing.iter().find(|it| it.client == client);
    step.is_some_and(|it| Effect::commutes_with(it.step.effect, with.step.effect))
}

impl Policy for Exhaustive {
    fn choose(&mut self, standing: &[ParkedClient<'_>]) -> Result<Option<Client>, Divergence> {
        let chosen = match self.begins.decisions.get(self.made.len()) {
            Some(decision) => Some(self.repeat(decision, standing)?),
            None => self.branch_out(standing),
        };
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        let is_noticed =
            |it: &ParkedClient<'_>| it.client == chosen && it.step.effect != Effect::Local;
        if standing.iter().any(is_noticed) && !self.noticed.contains(&chosen) {
            self.noticed.push(chosen);
        }
        self.made.push(Decision::between(standing, chosen));
        Ok(Some(chosen))
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        let (reduced, alike) = (self.reduced, self.alike);
        let run = |branch| Box::new(Self::after(branch, reduced, alike)) as Box<dyn Policy>;
        self.branches.into_iter().map(run).collect()
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
/// Probabilistic Guarantees of Finding Bugs", 2010): every client gets a random priority and the
/// highest that can move does, except that at a few random steps the one whose turn it is falls to
/// the lowest. A race that takes few switches is found far more often than by throwing dice at
/// every step.
#[derive(Debug, Clone)]
pub struct Random {
    draw: Draw,
    /// Which run it is, of how many.
    number: u64,
    runs: u64,
    /// The clients, the one with the highest priority last.
    priorities: Vec<Client>,
    /// The steps before which the priorities change.
    changes: Vec<usize>,
    made: usize,
}

/// What all runs of a sample are drawn from.
#[derive(Debug, Clone, Copy)]
struct Draw {
    seed: u64,
    clients: usize,
    /// How many steps a run has; none until the first has shown it.
    length: Option<usize>,
}

impl Random {
    /// At most so many switches that priorities alone do not bring about.
    const MOST_CHANGES: usize = 3;

    /// The one before so many runs. It changes no priorities, so that it takes the clients one after
    /// the other; the others learn from it how long a run is, and it is not counted.
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
    fn choose(&mut self, standing: &[ParkedClient<'_>]) -> Result<Option<Client>, Divergence> {
        let can_move = |client: &Client| standing.iter().any(|it| it.client == *client);
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

    fn again(&self) -> Box<dyn Policy> {
        Box::new(self.draw.policy(self.number, self.runs))
    }

    /// From each run two follow, so that none need be drawn long before its turn.
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

/// One schedule, exactly as it was given.
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
    fn choose(&mut self, standing: &[ParkedClient<'_>]) -> Result<Option<Client>, Divergence> {
        let diverged = |expected| Divergence {
            after: self.made,
            expected,
        };
        let Some(client) = self.schedule.0.get(self.made) else {
            return Err(diverged(format!(
                "the schedule ends, but somebody is not done: next could be {}",
                described(standing)
            )));
        };
        if !standing.iter().any(|it| it.client == *client) {
            return Err(diverged(format!(
                "it is {client}'s turn, but {client} waits or is done: next could be {}",
                described(standing)
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
                expected: format!("it is {client}'s turn, but everybody is done"),
            }),
        }
    }

    fn branches(self: Box<Self>) -> Vec<Box<dyn Policy>> {
        Vec::new()
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
        }
    }

    /// Runs clients of so many steps each, which meet as `effect` says and never wait, to the end of
    /// everything the policy asks for.
    fn schedules(first: impl Policy + 'static, steps: &[usize], effect: Effect) -> Vec<Schedule> {
        let step = step(effect);
        let mut to_run: Vec<Box<dyn Policy>> = vec![Box::new(first)];
        let mut schedules = Vec::new();
        while let Some(mut policy) = to_run.pop() {
            let mut left = steps.to_vec();
            let mut schedule = Schedule::default();
            let complete = loop {
                let clients = Client::first(steps.len());
                let standing: Vec<_> = clients
                    .filter(|client| left[client.index()] > 0)
                    .map(|client| ParkedClient {
                        client,
                        step: &step,
                    })
                    .collect();
                if standing.is_empty() {
                    policy.end().unwrap();
                    break true;
                }
                let Some(client) = policy.choose(&standing).unwrap() else {
                    break false;
                };
                left[client.index()] -= 1;
                schedule.0.push(client);
            };
            schedules.extend(complete.then_some(schedule));
            to_run.extend(policy.branches());
        }
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
